"""Asks what an operator would: the server, the mount, the sidecars, each connection and, on request, roles."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import click

from vault_salesforce.dev.rest import Answer, Rest

FAILED: Final = "failed"
_TTL_WARNS: Final = 600  # seconds that the token still has
_EVERY: Final = "*"
_AT_REST: Final = frozenset({"ok", "due", "held"})  # nothing is known to be amiss with the password itself
_UNCHANGED: Final = "unchanged"


@dataclass(frozen=True)
class Finding:
    """One line of the table.

    Attributes:
        about: What it is about: `vault`, `mount`, `sidecar/<instance>`, `config/<name>`, `role/<name>`.
        check: What was looked at.
        result: ok, warning, failed, not visible or skipped.
        detail: What was seen.
        fix: What to do; empty where nothing is to be done.
    """

    about: str
    check: str
    result: str
    detail: str
    fix: str = ""


def examine(server: Rest, mount: str, roles: Sequence[str]) -> Iterator[Finding]:
    """Ask one thing after the other; where the server or the mount does not answer, nothing behind it is asked.

    Args:
        server: The server, with the operator's token.
        mount: Path of the mount.
        roles: Names of the roles to be looked at too; `*` is every one.
    """
    return _one_after_the_other(server, mount, _every_check(server, mount, roles))


def after_restore(server: Rest, mount: str) -> Iterator[Finding]:
    """What is true of each role since Vault was restored, and the command that mends it; no login of a role is made.

    Args:
        server: The server, with the operator's token.
        mount: Path of the mount.
    """
    return _one_after_the_other(server, mount, _every_password(server, mount))


def _one_after_the_other(server: Rest, mount: str, further: Iterator[Finding]) -> Iterator[Finding]:
    try:
        yield from _server(server)
        yield from _token(server)
        info = server.send("GET", f"v1/{mount}/info")
        yield from _mount(info, mount)
        if info.status == HTTPStatus.OK:
            yield from further
    except _Stopped as exc:
        yield exc.finding
    except OSError as exc:
        fix = "set VAULT_ADDR (or BAO_ADDR) and VAULT_CACERT to those of the server"
        yield Finding("vault", "reach", FAILED, f"{server.url} does not answer: {exc}", fix)


def _every_check(server: Rest, mount: str, roles: Sequence[str]) -> Iterator[Finding]:
    seen: set[tuple[str, str, str]] = set()
    for name in _listed(server, f"v1/{mount}/config"):
        for finding in _preflight(server, mount, "preflight-config", name, f"config/{name}"):
            seen.add((finding.check, finding.result, finding.detail))
            yield finding
    every = _listed(server, f"v1/{mount}/static-roles") if _EVERY in roles else roles
    for name in every:
        for finding in _preflight(server, mount, "preflight", name, f"role/{name}"):
            # What a connection was told already is not told again for each of its roles.
            if (finding.check, finding.result, finding.detail) not in seen:
                yield finding


def _every_password(server: Rest, mount: str) -> Iterator[Finding]:
    for name in _listed(server, f"v1/{mount}/static-roles"):
        yield _password(server, mount, name)
    hold = server.send("GET", f"v1/{mount}/hold")
    if hold.status == HTTPStatus.OK:
        fix = f"once nothing above fails: vault delete {mount}/hold"
        yield Finding("mount", "hold", "warning", str(hold.data.get("reason")), fix)
    elif hold.status == HTTPStatus.NOT_FOUND:
        yield Finding("mount", "hold", "ok", "nothing is held")
    else:
        fix = "use a token with the policy operator or break-glass"
        yield Finding("mount", "hold", "warning", f"{hold.status} {hold.sentences}".strip(), fix)


def _password(server: Rest, mount: str, name: str) -> Finding:
    """One role: what its status says is amiss, else what the org's record says, where somebody may look."""
    about, answer = f"role/{name}", server.send("GET", f"v1/{mount}/status/{name}")
    if answer.status != HTTPStatus.OK:
        detail = f"{answer.status} {answer.sentences}".strip()
        return Finding(about, "status", FAILED, detail, str(answer.body.get("remedy") or ""))
    state, version = str(answer.data["state"]), answer.data["version"]
    if state not in _AT_REST:
        detail = f"{state}, version {version}: {answer.data.get('reason', '')}"
        return Finding(about, "status", FAILED, detail, str(answer.data.get("next_step") or ""))
    rows = server.send("GET", f"v1/{mount}/preflight/{name}").data.get("checks") or ()
    row = next((row for row in rows if row["check"] == _UNCHANGED), None)
    if row is not None and row["result"] in ("ok", FAILED):
        return Finding(about, _UNCHANGED, str(row["result"]), f"version {version}: {row['detail']}", str(row["fix"]))
    detail = f"version {version}: nobody may look at the org's record; one login tells whether it is live"
    return Finding(about, _UNCHANGED, "not visible", detail, f"vault write {mount}/resync/{name} try=current")


def report(findings: Iterator[Finding], *, as_json: bool) -> bool:
    """Print the findings, as they come or as one JSON document. Returns: Whether nothing failed."""
    failed = 0
    told = []
    for finding in findings:
        failed += finding.result == FAILED
        told.append(finding)
        if not as_json:
            click.echo(f"{finding.result:<11}  {finding.about:<24}  {finding.check:<18}  {finding.detail}")
            if finding.fix:
                click.echo(f"{'':<11}  {'':<24}  {'':<18}  → {finding.fix}")
    if as_json:
        click.echo(json.dumps({"failed": failed, "checks": [vars(finding) for finding in told]}))
    else:
        click.echo(f"{len(told)} checks, {failed} failed")
    return not failed


class _Stopped(Exception):  # noqa: N818 - what happened
    """Nothing behind this can be asked."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.detail)
        self.finding = finding


def _server(server: Rest) -> Iterator[Finding]:
    """The server answers and is unsealed."""
    health = server.send("GET", "v1/sys/health?standbyok=true&perfstandbyok=true").body
    if health.get("sealed") is not False or health.get("initialized") is not True:
        raise _Stopped(Finding("vault", "seal", FAILED, f"{server.url} is sealed, or not set up", "unseal it"))
    yield Finding("vault", "reach", "ok", f"{server.url}, {health.get('version', 'no version told')}")


def _token(server: Rest) -> Iterator[Finding]:
    """The token is good, and for how long; its own name is no secret."""
    found = server.send("GET", "v1/auth/token/lookup-self")
    if found.status == HTTPStatus.FORBIDDEN:
        fix = "log in, with the policy that `vault-salesforce policy operator` prints"
        yield Finding("vault", "token", "warning", "the token is not good, or may not look itself up", fix)
        return
    data = found.data
    seconds, policies = int(data.get("ttl") or 0), ", ".join(data.get("policies") or ())
    if data.get("expire_time") and seconds < _TTL_WARNS:
        yield Finding("vault", "token", "warning", f"it ends in {seconds} s; policies: {policies}", "log in again")
    else:
        yield Finding("vault", "token", "ok", f"policies: {policies}")


def _mount(info: Answer, mount: str) -> Iterator[Finding]:
    if info.status != HTTPStatus.OK:
        fix = f"mount the engine at {mount}/ (docs/install.md), name its path by --mount, or use an operator's token"
        yield Finding("mount", "info", FAILED, f"{mount}/info: {info.status} {info.sentences}".strip(), fix)
        return
    data = info.data
    step = str(data.get("next_step") or "")
    detail = f"plugin {data.get('version')}, {data.get('published')} credentials, {data.get('due_count')} due"
    yield Finding("mount", "info", "warning" if step else "ok", detail, step)
    sidecars: Mapping[str, Any] = data.get("sidecars") or {}
    if not sidecars and not data.get("standby"):
        yield Finding("mount", "sidecars", FAILED, "no sidecar has registered", "start `vault-salesforce sidecar`")
    for name, sidecar in sidecars.items():
        yield _sidecar(name, sidecar)


def _sidecar(name: str, sidecar: Mapping[str, Any]) -> Finding:
    about, reason = f"sidecar/{name}", str(sidecar.get("reason") or "")
    heard = f"{sidecar.get('version')}, last heard {sidecar.get('last_heard_seconds')} s ago"
    if reason:
        return Finding(about, "heartbeat", FAILED, f"{heard}: {reason}", "mend what it says; its log says more")
    if sidecar.get("usable") is False:
        return Finding(about, "heartbeat", FAILED, heard, "see the fix of mount, info")
    if sidecar.get("reachable") is False:
        return Finding(
            about, "heartbeat", FAILED, f"{heard}, and not reached by the plugin", "see the fix of mount, info"
        )
    return Finding(about, "heartbeat", "ok", heard)


def _listed(server: Rest, path: str) -> list[str]:
    return [str(name) for name in server.send("LIST", path).data.get("keys") or ()]


def _preflight(server: Rest, mount: str, path: str, name: str, about: str) -> Iterator[Finding]:
    answer = server.send("GET", f"v1/{mount}/{path}/{name}")
    if answer.status != HTTPStatus.OK:
        detail = f"{answer.status} {answer.sentences}".strip()
        yield Finding(about, "preflight", FAILED, detail, str(answer.body.get("remedy") or ""))
    for row in answer.data.get("checks") or ():
        yield Finding(about, str(row["check"]), str(row["result"]), str(row["detail"]), str(row["fix"]))
