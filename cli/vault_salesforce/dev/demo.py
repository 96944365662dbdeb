"""`make demo`: a password is rotated twice through a real server, and each step is shown and proven."""

import subprocess
import sys
import time
from collections.abc import Mapping

import click

from vault_salesforce.dev import client
from vault_salesforce.dev.openbao import BAO
from vault_salesforce.dev.stack import FAILURES, Stack, leaving_on_signals
from vault_salesforce.dev.waiting import until
from vault_salesforce.doctor import FAILED, examine

_SECRETS = ("password", "security_token", "password_token")
_SHOWN_CHARACTERS = 3
_COMMAND_SECONDS = 30


class NotSeen(Exception):  # noqa: N818 - what the demo did not observe
    """Something that the demo promises did not happen."""


def run() -> None:
    """Show it, and exit with 0 only if all of it was observed."""
    begin = time.monotonic()
    with leaving_on_signals(meant=False), Stack(tell=_say) as stack:
        try:
            stack.start()
            _Demo(stack).show()
        except (NotSeen, *FAILURES) as exc:
            raise click.ClickException(f"the demo did not see what it should: {exc}") from exc
    click.echo(f"demo: crm rotated twice, proven by login, in {time.monotonic() - begin:.0f} s")


class _Demo:
    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._environment = stack.vault.environment_of_cli(stack.vault.root_token)
        self._vault = stack.vault.api(stack.vault.root_token)

    def show(self) -> None:
        _say(f"a real server at {self._stack.vault.address}, with the engine at sf/; a sidecar; a Salesforce org")
        _say("crm logs in with password and security token, from an address that the org does not trust")
        first = self._bao("read", "sf/static-creds/crm")
        self._logs_in(first)

        _say("look at all that a rotation depends on")
        self._is_healthy()

        _say("rotate it now")
        rotated = self._bao("write", "-f", "sf/rotate/crm")
        if rotated.get("done") != "true":
            self._wait_for_version(2)
        kept = self._bao("kv", "get", "-mount=salesforce", "creds/crm")
        second = self._bao("read", "sf/static-creds/crm")
        _must(kept["version"] == second["version"] == "2", "KV and the engine hold version 2")
        _must(kept["password"] == second["password"] != first["password"], "they hold the same new password")
        self._is_refused(first)
        self._logs_in(second)

        _say("the same under a lease; when the last lease on a version ends, the password is changed")
        leased = self._bao("read", "sf/creds/crm")
        _must(leased["password"] == second["password"], "the lease is on version 2")
        self._bao("lease", "revoke", "-sync", leased["lease_id"])
        self._wait_for_version(3)
        third = self._bao("read", "sf/static-creds/crm")
        _must(third["version"] == "3", "the engine holds version 3")
        self._is_refused(second)
        self._logs_in(third)

    def _bao(self, *arguments: str) -> dict[str, str]:
        """Run the real command, show what it prints with the secrets cut short, and read its table."""
        click.echo(f"$ bao {' '.join(arguments)}")
        done = subprocess.run(  # noqa: S603 - the server's own command
            (BAO, *arguments),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        rows = [line.split(None, 1) for line in done.stdout.splitlines()]
        table = {row[0]: row[1].strip() for row in rows if len(row) == 2}  # noqa: PLR2004 - a name and a value
        secrets = {table[name] for name in _SECRETS if name in table}
        shown = done.stdout + done.stderr
        for secret in sorted(secrets, key=len, reverse=True):
            shown = shown.replace(secret, f"{secret[:_SHOWN_CHARACTERS]}…")
        click.echo("".join(f"  {line}\n" for line in shown.splitlines() if line.strip()))
        if done.returncode:
            raise NotSeen(f"`bao {' '.join(arguments)}` ended with code {done.returncode}")
        return table

    def _is_healthy(self) -> None:
        click.echo("$ vault-salesforce doctor --role crm")
        found = list(examine(self._vault, "sf", ["crm"]))
        _must(not [one for one in found if one.result == FAILED], "the doctor finds nothing wrong")
        click.echo(f"  {len(found)} checks, 0 failed\n")

    def _logs_in(self, credential: Mapping[str, str]) -> None:
        name = self._log_in(credential)
        _must(name is not None, f"version {credential['version']} logs in")
        _say(f"simple-salesforce logs in with version {credential['version']}, and reads the org's name: {name}")

    def _is_refused(self, credential: Mapping[str, str]) -> None:
        _must(self._log_in(credential) is None, f"version {credential['version']} is refused")
        _say(f"simple-salesforce is refused with version {credential['version']}")

    def _log_in(self, credential: Mapping[str, str]) -> str | None:
        return client.log_in(
            self._stack.orgsim.url,
            credential["username"],
            credential["password"],
            credential.get("security_token", ""),
        )

    def _wait_for_version(self, version: int) -> None:
        until(
            lambda: self._vault.ask("GET", "v1/sf/version/crm").data.get("version") == version,
            f"version {version} of crm",
        )


def _must(seen: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not seen:
        raise NotSeen(what)


def _say(sentence: str) -> None:
    click.echo(f"demo: {sentence}")
    sys.stdout.flush()
