"""The command line. A command imports its half when it is called, so that each half can be installed alone."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from vault_salesforce.policy import NAMES, policy


@contextlib.contextmanager
def _needs(extra: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as exc:
        raise click.ClickException(
            f"{exc.name} is not installed, and this command needs it: pip install 'vault-salesforce[{extra}]'"
        ) from exc


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vault-salesforce")
def main() -> None:
    """Salesforce credentials in Vault and OpenBao, rotated for real."""


@main.command()
def sidecar() -> None:
    """Run the sidecar; its settings are environment variables, VAULT_SALESFORCE_…"""
    with _needs("sidecar"):
        from vault_salesforce_sidecar.serve import main as serve
    serve(os.environ)


@main.command("install-plugin")
@click.option(
    "--directory",
    required=True,
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
    help="The server's plugin_directory.",
)
def install_plugin(directory: Path) -> None:
    """Write the launcher that Vault executes, and print its sha256 and the commands that register and mount it."""
    with _needs("plugin"):
        from vault_salesforce_plugin import advice
        from vault_salesforce_plugin.closure import NotInstalled
        from vault_salesforce_plugin.install import install
    try:
        installed = install(directory)
    except (NotInstalled, OSError, ValueError) as exc:
        raise click.ClickException(f"nothing was installed: {exc}") from exc
    click.echo(f"launcher  {installed.path}\nsha256    {installed.sha256}\n\n{advice.next_steps(installed)}", nl=False)
    for sentence in advice.warnings(installed, directory):
        click.echo(f"warning: {sentence}", err=True)


@main.command("policy")
@click.argument("name", type=click.Choice(NAMES))
@click.option("--mount", default="sf", show_default=True, help="Path of the engine's mount.")
@click.option("--kv", default="salesforce", show_default=True, help="Path of the KV mount that apps read.")
@click.option(
    "--engine-kv",
    default="salesforce-engine",
    show_default=True,
    help="Path of the KV mount that is the sidecar's own.",
)
@click.option("--role", help="The role that it covers, or a prefix such as 'team-a-*'; an operator's connections too.")
def print_policy(name: str, **given: Any) -> None:
    """Print one of the policies that come with the engine: pipe it into `bao policy write <name> -`."""
    try:
        click.echo(policy(name, **given), nl=False)
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc


@main.command()
@click.argument("path")
@click.option("--readings", type=click.IntRange(2, 3600), default=3, show_default=True, help="A second apart.")
def conformance(path: str, readings: int) -> None:
    """Read PATH as agents and operators do, and fail on each of their rules that it breaks.

    PATH is a credential's, such as sf/static-creds/crm, sf/creds/crm or, of the KV copy, salesforce/data/creds/crm. The
    server and the token are those of `bao` and `vault`: BAO_ADDR or VAULT_ADDR, and so on. Rotate the role meanwhile to
    see how a new version arrives. A leased path is leased once for each reading.
    """
    with _needs("sidecar"):
        from vault_salesforce import conformance as reader
    try:
        kept = reader.report(reader.read(reader.server_of(os.environ), path.strip("/"), readings))
    except reader.Unreadable as exc:
        raise click.ClickException(f"{path} cannot be judged: {exc}") from exc
    if not kept:
        raise SystemExit(1)


@main.command()
@click.option("--mount", default="sf", show_default=True, help="Path of the engine's mount.")
@click.option("--role", "roles", multiple=True, help="A role to look at too, with its user; may be given again.")
@click.option("--all-roles", is_flag=True, help="Look at every role.")
@click.option(
    "--after-restore",
    is_flag=True,
    help="Of every role, instead: is what Vault holds the password of now? What mends it?",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def doctor(*, mount: str, roles: tuple[str, ...], all_roles: bool, after_restore: bool, as_json: bool) -> None:
    """Look at everything that rotations depend on; nothing is changed, and no user's password is sent anywhere.

    The server and the token are those of `bao` and `vault`: BAO_ADDR or VAULT_ADDR, and so on; the policy of an
    operator or an auditor is enough. Ends with 1 where something failed.
    """
    with _needs("sidecar"):
        from vault_salesforce import conformance
        from vault_salesforce import doctor as examiner
    server, mount = conformance.server_of(os.environ), mount.strip("/")
    if after_restore:
        findings = examiner.after_restore(server, mount)
    else:
        findings = examiner.examine(server, mount, ("*",) if all_roles else roles)
    if not examiner.report(findings, as_json=as_json):
        raise SystemExit(1)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON with all addresses when ready.")
@click.option("--nodes", type=click.IntRange(1, 5), default=1, show_default=True, help="Nodes of the server.")
@click.option("--sidecars", type=click.IntRange(1, 5), default=1, show_default=True, help="Sidecars.")
def dev(*, as_json: bool, nodes: int, sidecars: int) -> None:
    """Keep a real server, a sidecar and a simulated org running until SIGTERM or Ctrl-C."""
    with _needs("dev"):
        from vault_salesforce.dev.stack import keep
    keep(as_json=as_json, nodes=nodes, sidecars=sidecars)


@main.command()
def demo() -> None:
    """Rotate a password through a real server, and prove it."""
    with _needs("dev"):
        from vault_salesforce.dev.demo import run
    run()


if __name__ == "__main__":
    main(prog_name="vault-salesforce")
