"""What a preflight is made of: a row per check, and what several checks have in common. PURE."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final

from vault_plugin_sdk.framework.coerce import jsonable
from vault_salesforce_sidecar.diagnosis.facts import (
    MANAGE_USERS,
    NEVER_EXPIRES,
    RESET_PASSWORDS,
    Broken,
    Hidden,
    Unasked,
    Unseen,
)
from vault_salesforce_sidecar.salesforce import ways_in
from vault_salesforce_sidecar.salesforce.interface import LoginRow
from vault_salesforce_sidecar.salesforce.login_history import SUCCESS, newest_success, shown

WAY_ENDS_SOON: Final = timedelta(days=365)
PASSWORD_ENDS_SOON: Final = timedelta(days=14)

TRUST_PAGE: Final = "Setup, Security, Network Access, New: Trusted IP Range"
USERS_SET: Final = "Setup, Users, Permission Sets, <the user's set>, System Permissions"
_IDENTITYS_SET: Final = "Setup, Users, Permission Sets, <the identity's set>, System Permissions"
API_PAGE: Final = f"{USERS_SET}: API Enabled; where that does not help, the org's edition has no API"
NEVER_EXPIRES_PAGE: Final = f"{USERS_SET}: Password Never Expires"


class Result(Enum):
    """How a check ended, the worst last."""

    SKIPPED = "skipped"
    OK = "ok"
    NOT_VISIBLE = "not visible"
    WARNING = "warning"
    FAILED = "failed"

    @property
    def rank(self) -> int:
        """The greater, the worse."""
        return list(Result).index(self)


@dataclass(frozen=True)
class Row:
    """One check.

    Attributes:
        check: Its name.
        result: How it ended.
        detail: One sentence: what was seen; of `not visible`, what that needs.
        fix: One sentence: what to do; empty where nothing is to be done.
    """

    check: str
    result: Result
    detail: str
    fix: str = ""

    def to_json(self) -> dict[str, str]:
        """The row as an answer has it."""
        return {"check": self.check, "result": self.result.value, "detail": self.detail, "fix": self.fix}


def worst(rows: Iterable[Row]) -> Result:
    """How all of it ended; what was skipped or may not be seen is no fault."""
    results = [row.result for row in rows if row.result in (Result.WARNING, Result.FAILED)]
    return max(results, key=lambda result: result.rank, default=Result.OK)


def unseen(check: str, fact: Unseen) -> Row:
    """The row of a check that could not be made."""
    if isinstance(fact, Unasked):
        return Row(check, Result.SKIPPED, "there was no answer in time", "read it again")
    if isinstance(fact, Hidden):
        return Row(check, Result.NOT_VISIBLE, f"needs {fact.needs}")
    return Row(check, Result.WARNING, *told(fact))


def told(broken: Broken) -> tuple[str, str]:
    """What went wrong, and what to do."""
    return f"{broken.fault.code}: {broken.fault.cause}", broken.fault.remedy


def permission_row(check: str, held: frozenset[str] | Unseen, wanted: str, page: str) -> Row:
    """A permission that must be there."""
    if isinstance(held, Unseen):
        return unseen(check, held)
    if wanted in held:
        return Row(check, Result.OK, "the permission is there")
    return Row(check, Result.FAILED, "the permission is missing", page)


def set_password_row(check: str, held: frozenset[str] | Unseen, whose: str) -> Row:
    """The identity may set passwords of others; `whose` is the sentence where it may."""
    if isinstance(held, Unseen):
        return unseen(check, held)
    if held & {RESET_PASSWORDS, MANAGE_USERS}:
        return Row(check, Result.OK, whose)
    fix = f"{_IDENTITYS_SET}: Reset User Passwords and Unlock Users"
    return Row(check, Result.FAILED, "the connection's identity may set nobody's password", fix)


def way_row(way: str, now: datetime, instead: str) -> Row:
    """Until when a way in is open."""
    ends, name = ways_in.ENDS.get(way), ways_in.NAMES[way]
    if ends is None:
        return Row("way_in", Result.OK, name)
    if ends <= now:
        return Row("way_in", Result.FAILED, f"Salesforce has ended {name} ({ends:%Y-%m-%d})", f"use {instead}")
    soon = ends - now < WAY_ENDS_SOON
    detail = f"{name}, which Salesforce ends on {ends:%Y-%m-%d}"
    return Row("way_in", Result.WARNING if soon else Result.OK, detail, f"before that, use {instead}" if soon else "")


def address_row(logins: tuple[LoginRow, ...] | Unseen, then: datetime, when: str) -> Row:
    """Whether our own logins come from where they came from at some time before."""
    check = "egress_address"
    if isinstance(logins, Unseen):
        return unseen(check, logins)
    now_at = newest_success(logins)
    if now_at is None:
        return Row(check, Result.SKIPPED, "no login of ours is on record yet")
    oldest = min((row for row in logins if row.status == SUCCESS), key=lambda row: row.time)
    was_at = newest_success(row for row in logins if row.time <= then) or oldest
    if was_at.source_ip != now_at.source_ip:
        detail = f"{shown(now_at.source_ip)}, where it was {shown(was_at.source_ip)} {when}"
        return Row(check, Result.WARNING, detail, f"{TRUST_PAGE}: {shown(now_at.source_ip)}, if it is to be trusted")
    return Row(check, Result.OK, shown(now_at.source_ip))


def age_row(check: str, held: frozenset[str] | Unseen, ends: datetime | None, now: datetime) -> Row:
    """When a password expires."""
    if not isinstance(held, Unseen) and NEVER_EXPIRES in held:
        return Row(check, Result.OK, "it never expires")
    if ends is not None:
        result = Result.FAILED if ends <= now else Result.WARNING if ends - now < PASSWORD_ENDS_SOON else Result.OK
        detail = f"it {'expired' if ends <= now else 'expires'} {moment(ends)}"
        return Row(check, result, detail, "" if result is Result.OK else f"rotate it; {NEVER_EXPIRES_PAGE}")
    if isinstance(held, Unseen):
        return unseen(check, held)
    return Row(check, Result.OK, "the org names no time at which it expires")


def expiry(details: Mapping[str, Any] | Unseen) -> datetime | None:
    """When the org lets a user's password expire, as far as it says."""
    if isinstance(details, Unseen):
        return None
    return time_of(details.get("PasswordExpirationDate"))


def source_of(logins: tuple[LoginRow, ...] | Unseen) -> str:
    """Where the newest login that succeeded came from."""
    if isinstance(logins, Unseen):
        return ""
    newest = newest_success(logins)
    return shown(newest.source_ip) if newest else ""


def time_of(text: Any) -> datetime | None:
    """A time of Salesforce's, such as 2030-01-31T03:00:00.000+0000; None where it is none."""
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo else None


def moment(time: datetime) -> str:
    """A time as people read it."""
    return str(jsonable(time.replace(microsecond=0)))
