"""`docs/reference/faults.md`, made from the faults: `python -m vault_salesforce.faults_reference` writes it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from vault_salesforce_sidecar.rotation import findings
from vault_salesforce_sidecar.salesforce import faults, faults_oauth, login_history
from vault_salesforce_sidecar.salesforce.interface import Fault, Verdict

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "faults.md"
_HEAD = """\
# Faults

Made by `python -m vault_salesforce.faults_reference` from the table that the sidecar goes by.

A fault stands as `code` in an error, with its cause and its remedy, and as `reason` in `status/<role>`. What it judges
decides what a rotation does next: one that refuses *the credential* or *the request* lets it look elsewhere for what is
live; one that *wants a token* waits for it; one that judges *nothing* (login hours, limits, a door that is shut) stops
it at once, for no other password would fare better. A fault that *counts* is charged to the account's budget of failed
logins, after which no login is made before somebody looks.
"""
_SOAP = """
## Codes of SOAP and REST

Those with several meanings stand several times: the message tells them apart.

"""
_OAUTH = """
## Errors of OAuth

The error, and behind the slash the words of its description that it was known by.

"""
_STATUSES = """
## INVALID_LOGIN, as the user's Login History tells of it

Where the connection's identity, or the user's own session, may look, a refused login is explained by the Status of its
row: read once, never by trying again.

"""
_OWN = """
## What the sidecar finds by itself

"""
_JUDGES: Final = {
    Verdict.REFUSED: "the credential, or the request",
    Verdict.TOKEN_NEEDED: "wants a token",
    Verdict.BLOCKED: "nothing",
}


def document() -> str:
    """The whole document."""
    return "".join((_HEAD, *_sections()))


def _sections() -> Iterator[str]:
    yield _SOAP
    yield from _table((fault.code, fault) for fault in _by_code())
    yield _OAUTH
    yield from _table((row.fault.code, row.fault) for row in faults_oauth.ROWS)
    yield _STATUSES
    yield from _table(login_history.STATUSES, first="status")
    yield f"\nNo row: {login_history.NO_ROW} {login_history.NO_ROW_REMEDY}\n"
    yield _OWN
    yield from _table((fault.code, fault) for fault in _own())


def _by_code() -> list[Fault]:
    return sorted((*faults.TABLE.values(), *(fault for _, fault in faults.BY_MESSAGE)), key=lambda fault: fault.code)


def _own() -> list[Fault]:
    """The named ones that are in no table."""
    tabled = {fault.code for fault in (*faults.TABLE.values(), *(row.fault for row in faults_oauth.ROWS))}
    modules = (faults, faults_oauth, findings)
    named = {one for module in modules for one in vars(module).values() if isinstance(one, Fault)}
    return sorted((one for one in named if one.code not in tabled), key=lambda fault: (fault.code, fault.cause))


def _table(rows: Iterable[tuple[str, Fault]], first: str = "code") -> Iterator[str]:
    yield f"| {first} | cause | remedy | judges | retry safe | counts |\n|---|---|---|---|---|---|\n"
    for name, fault in rows:
        judges = _JUDGES[fault.verdict]
        cause = f"{fault.cause[:1].upper()}{fault.cause[1:]}"
        cells = (f"`{name}`", cause, fault.remedy, judges, _said(fault.retry_is_safe), _said(fault.counts))
        yield f"| {' | '.join(_shown(cell) for cell in cells)} |\n"


def _said(value: bool) -> str:  # noqa: FBT001 - it is what is told
    return "yes" if value else "no"


def _shown(text: str) -> str:
    """Text in which nothing is taken for HTML, or ends a cell."""
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(document())
