"""The command line. A command imports its half when it is called, so that each half can be installed alone."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import click


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
    type=click.Path(exists=True, file_okay=False, writable=True, resolve_path=True, path_type=Path),
    help="The server's plugin_directory.",
)
def install_plugin(directory: Path) -> None:
    """Write the launcher that Vault executes, and print its sha256 and the command that registers it."""
    with _needs("plugin"):
        from vault_salesforce_plugin.install import install
    installed = install(directory)
    click.echo(f"launcher  {installed.path}")
    click.echo(f"sha256    {installed.sha256}")
    click.echo(f"register  {installed.command}")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON with all addresses when ready.")
def dev(*, as_json: bool) -> None:
    """Keep a real server, a sidecar and a simulated org running until SIGTERM or Ctrl-C."""
    with _needs("dev"):
        from vault_salesforce.dev.stack import keep
    keep(as_json=as_json)


@main.command()
def demo() -> None:
    """Rotate a password through a real server, and prove it."""
    with _needs("dev"):
        from vault_salesforce.dev.demo import run
    run()


if __name__ == "__main__":
    main(prog_name="vault-salesforce")
