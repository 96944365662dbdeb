"""Reads a path the way agents and operators do, and says which of their rules it breaks."""

import threading
from collections.abc import Mapping

import click

from vault_salesforce.consumer_rules import Reading, judge
from vault_salesforce.dev.rest import Refused, Rest

PAUSE_SECONDS = 1.0
_DEFAULT_ADDRESS = "https://127.0.0.1:8200"


class Unreadable(Exception):  # noqa: N818 - what the caller has to mend
    """There is no credential to judge: the path, the token or the server is at fault."""


def server_of(environ: Mapping[str, str]) -> Rest:
    """The server that `bao` and `vault` would talk to, by their variables: those of `bao` first.

    Args:
        environ: `BAO_ADDR`, `BAO_TOKEN`, `BAO_NAMESPACE`, `BAO_CACERT`, each also with `VAULT_`.
    """

    def variable(name: str) -> str:
        return environ.get(f"BAO_{name}") or environ.get(f"VAULT_{name}") or ""

    headers = {"X-Vault-Token": variable("TOKEN"), "X-Vault-Namespace": variable("NAMESPACE")}
    given = {name: value for name, value in headers.items() if value}
    return Rest((variable("ADDR") or _DEFAULT_ADDRESS).rstrip("/"), given, ca_certificates=variable("CACERT") or None)


def read(server: Rest, path: str, times: int) -> list[Reading]:
    """Read `path` several times, `PAUSE_SECONDS` apart; a lease that can be renewed is renewed once.

    Args:
        server: See `server_of`.
        path: As `bao read` takes it; of KV v2 with `data/` in it.
        times: How many readings.

    Raises: Unreadable: there was no answer, or one without a credential.
    """
    readings: list[Reading] = []
    nothing = threading.Event()
    for number in range(times):
        if number:
            nothing.wait(PAUSE_SECONDS)
        try:
            body = server.ask("GET", f"v1/{path}").body
            readings.append(Reading.of(body))
            if number == 0 and body.get("renewable"):
                renewed = server.ask("PUT", "v1/sys/leases/renew", {"lease_id": body["lease_id"]}).body
                # What was there at first is gone from a renewal's answer; its lease is what counts.
                readings.append(Reading(readings[0].data, readings[0].lease_id, int(renewed["lease_duration"])))
        except (Refused, OSError, ValueError) as exc:
            raise Unreadable(str(exc)) from exc
    return readings


def report(readings: list[Reading]) -> bool:
    """Print a line for each rule. Returns: Whether all are kept."""
    findings = judge(readings)
    for finding in findings:
        verdict = f"FAIL  {finding.rule.reader}: {finding.rule.sentence}. Seen: {finding.fault}"
        click.echo(verdict if finding.fault else f"ok    {finding.rule.reader}: {finding.rule.sentence}")
    broken = sum(finding.fault is not None for finding in findings)
    versions = len({repr(reading.identity) for reading in readings})
    seen = "1 version: rotate meanwhile to see how the next one arrives" if versions == 1 else f"{versions} versions"
    click.echo(f"{len(findings)} rules, {broken} broken, {len(readings)} answers of {seen}")
    leases = {reading.lease_id for reading in readings if reading.lease_id}
    if leases:
        click.echo(f"{len(leases)} leases were taken; they end by themselves, as those of any other reader")
    return not broken
