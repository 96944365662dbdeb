"""What the rows of Salesforce's LoginHistory say: why a login was refused, and who else fails to log in. PURE."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from vault_salesforce_sidecar.salesforce.interface import Fault, LoginRow, Verdict

SUCCESS: Final = "Success"
INVALID_LOGIN: Final = "INVALID_LOGIN"
# Codes behind which Salesforce hides a dozen causes.
AMBIGUOUS: Final = frozenset({INVALID_LOGIN, "invalid_grant/authentication_failure"})
# How far two clocks may be apart, for a row to be of the login that was just made.
CLOCKS_DIFFER: Final = timedelta(seconds=10)
MOST_CONSUMERS: Final = 10
RESTRICTED_DOMAIN: Final = "restricted domain"
MOST_SHOWN: Final = 80  # characters of what a stranger calls itself


def _judged(words: str, cause: str, remedy: str, *, counts: bool = True) -> tuple[str, Fault]:
    """A status that judges what was sent: the verdict over INVALID_LOGIN stays."""
    return words, Fault(INVALID_LOGIN, cause, remedy, Verdict.REFUSED, counts=counts, retry_is_safe=False)


def _shut(words: str, cause: str, remedy: str, *, counts: bool = False) -> tuple[str, Fault]:
    """A status that judges neither password nor token: no other secret would have fared better."""
    return words, Fault(INVALID_LOGIN, cause, remedy, Verdict.BLOCKED, counts=counts, retry_is_safe=False)


_TRUST = "Add that address to the org's trusted IP ranges (Setup, Security, Network Access)"

# By words that the status holds, in lower case; the first that fits. Wordings vary with `Failed:` before them.
STATUSES: Final[tuple[tuple[str, Fault], ...]] = (
    _judged(
        "invalid password",
        "the password, or the security token behind it, is not the user's.",
        "Find out who changed it; resync the role with the password of now, and its token.",
    ),
    _shut(
        "password lockout",
        "the user is locked after too many failed logins; what was sent may be right.",
        "Unlock the user (unlock/<role>, or Setup, Users, Unlock), and end the consumer that logs in with an old "
        "password.",
        counts=True,  # so that nothing more is tried until somebody unlocks
    ),
    _shut("user is inactive", "the user is deactivated.", "Activate the user (Setup, Users, Edit, Active)."),
    _shut("user is frozen", "the user is frozen.", "Unfreeze the user (Setup, Users, Unfreeze)."),
    _judged(
        "api security token required",
        "the password is right, and the security token behind it is missing or is not the user's.",
        f"Hand in the user's security token, or: {_TRUST}.",
    ),
    _shut(
        "restricted ip",
        "the Login IP Ranges of the user's profile do not include the address that it came from.",
        "Add that address to the profile's Login IP Ranges (Setup, Profiles).",
    ),
    _shut(
        RESTRICTED_DOMAIN,
        "the org lets its users log in at its My Domain alone.",
        "Set the connection's login_url to https://<MyDomain>.my.salesforce.com (Setup, My Domain, Policies: Prevent "
        "login from https://login.salesforce.com).",
    ),
    _shut(
        "restricted time",
        "the login hours of the user's profile do not include this hour.",
        "Wait for the login hours, or widen them on the profile (Setup, Profiles, Login Hours).",
    ),
    _shut(
        "login rate exceeded",
        "the user logged in more than 3,600 times within an hour.",
        "Find the consumer that logs in for each call (Setup, Login History), and wait an hour.",
    ),
    _shut(
        "username-password flow disabled",
        "the org has OAuth's username-password flow switched off.",
        "Use another auth_method; or Setup, OAuth and OpenID Connect Settings, Allow OAuth Username-Password Flows.",
    ),
    _shut(
        "computer activation required",
        "Salesforce does not know this address, and wants the user to verify their identity.",
        f"{_TRUST}.",
    ),
    _shut(
        "single sign-on",
        "the user logs in by single sign-on alone: no password is a way in.",
        "Take the permission Is Single Sign-On Enabled from the user, or rotate with verify=record.",
    ),
    _shut(
        "multi-factor",
        "the user has the permission Multi-Factor Authentication for API Logins: no token is a way in.",
        "Take that permission from the integration user (Setup, Permission Sets, System Permissions).",
        counts=True,
    ),
    _shut(
        "source address blocked",
        "Salesforce blocks the address for a while, after many failed logins from it.",
        "Find what else logs in from that address with an old password, and wait.",
    ),
    _shut(
        "api disabled",
        "the user has no API Enabled permission.",
        "Give the user API Enabled (Setup, Permission Sets, System Permissions).",
    ),
    _shut("org lockout", "Salesforce has locked the org.", "Ask Salesforce's support."),
    _shut("org suspended", "Salesforce has suspended the org.", "Ask Salesforce's support."),
    _shut("trial expired", "the org's trial is over.", "Ask Salesforce's support."),
)

NO_ROW: Final = (
    "The user's Login History has no row of this login: it comes some minutes late, or Salesforce did not attribute "
    "the login to this user: another org or host, an unknown user name, or a fault of its own."
)
NO_ROW_REMEDY: Final = (
    "Compare the role's username and the connection's login_url with Salesforce's; then look at the user's Login "
    "History again (Setup, Users, the user)."
)
_ELSE = Fault(
    INVALID_LOGIN,
    "this is a status that is not known here.",
    "Look it up in the user's Login History (Setup, Users, the user), and ask the org's administrator.",
    Verdict.REFUSED,
    counts=True,
    retry_is_safe=False,
)


@dataclass(frozen=True)
class Consumer:
    """Somebody who goes on logging in with a password that is no longer the user's.

    Attributes:
        source_address: Where from.
        application: What it calls itself.
        failed_logins: How many failed, of those that were looked at.
        last: When the last one did.
        status: What Salesforce says of that one.
    """

    source_address: str
    application: str
    failed_logins: int
    last: datetime
    status: str


def fault_of(status: str) -> Fault:
    """The fault behind a status, told so that it follows on the status; its code is INVALID_LOGIN."""
    lowered = status.lower()
    return next((fault for words, fault in STATUSES if words in lowered), _ELSE)


def explained(fault: Fault, rows: Sequence[LoginRow]) -> Fault:
    """A refused login as the user's Login History tells of it.

    Args:
        fault: What the org answered.
        rows: The rows since the login was sent, as far as they have come.

    Returns: The same code. The verdict is another one only where the status judges no credential: then none is out,
        and none is tried instead.
    """
    row = _telling(rows)
    if row is None:
        return replace(fault, cause=NO_ROW, remedy=NO_ROW_REMEDY)
    found = fault_of(row.status)
    told = replace(
        fault, cause=f"The user's Login History says {shown(row.status)!r}: {found.cause}", remedy=found.remedy
    )
    if found.verdict is not Verdict.BLOCKED:
        return told
    alone = all(one.status in (SUCCESS, row.status) for one in rows)  # else ours may be another one, and have counted
    return replace(told, verdict=Verdict.BLOCKED, counts=found.counts or not alone)


def stale_consumers(rows: Iterable[LoginRow], since: datetime, quiet_since: datetime) -> tuple[Consumer, ...]:
    """Who goes on failing to log in since a change, by address and application; the latest first, at most ten.

    Args:
        rows: Logins of the user.
        since: When the change was proven: no failed login after it is ours.
        quiet_since: Who has not failed after this has stopped.
    """
    found: dict[tuple[str, str], Consumer] = {}
    failed = (row for row in rows if row.status != SUCCESS and row.time > since)
    for row in sorted(failed, key=lambda row: row.time):
        key = (shown(row.source_ip), shown(row.application))
        known = found.get(key)
        found[key] = Consumer(*key, known.failed_logins + 1 if known else 1, row.time, shown(row.status))
    still = [one for one in found.values() if one.last > quiet_since]
    return tuple(sorted(still, key=lambda one: one.last, reverse=True)[:MOST_CONSUMERS])


def newest_success(rows: Iterable[LoginRow]) -> LoginRow | None:
    """The newest login that succeeded; None: none did."""
    return max((row for row in rows if row.status == SUCCESS), key=lambda row: row.time, default=None)


def shown(text: str) -> str:
    """A stranger's text, as it may stand in a log or a status."""
    return "".join(one if one.isprintable() else "?" for one in text[:MOST_SHOWN])


def _telling(rows: Sequence[LoginRow]) -> LoginRow | None:
    """The row that says most of a login that was just refused: a lock, whoever made it; else the newest failed one."""
    failed = sorted((row for row in rows if row.status != SUCCESS), key=lambda row: row.time, reverse=True)
    locked = next((row for row in failed if "lockout" in row.status.lower()), None)
    return locked or next(iter(failed), None)
