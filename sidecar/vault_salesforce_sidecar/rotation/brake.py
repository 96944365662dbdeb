"""When does the engine hold a connection by itself? Three of its accounts, refused for one reason, not long ago. PURE.

The journal is what all sidecars share, so the accounts are counted in it: each sidecar counts the entries that it has
seen, its own at once and the others' within a sweep.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.records.hold import SAME_FAULT, Hold
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import findings
from vault_salesforce_sidecar.rotation.machine import State
from vault_salesforce_sidecar.rotation.schedule import PASSING

ACCOUNTS: Final = 3
WITHIN: Final = timedelta(minutes=15)
_NAMED: Final = 10  # roles, in the reason

# Causes of entries behind which somebody handed in what may just have been wrong.
_BY_HAND: Final = frozenset({"create", "resync", "token", "rename"})
# What is the matter with one user, with one password, or with us.
_OF_ONE_ACCOUNT: Final = frozenset(
    {
        "INACTIVE_OWNER_OR_USER",
        "INVALID_NEW_PASSWORD",
        "INVALID_OPERATION_WITH_EXPIRED_PASSWORD",
        "LOGIN_DURING_RESTRICTED_TIME",
        "not_for_xml",
        findings.ANOTHER_ORG,
        findings.ANOTHER_USER.code,
        findings.EXPIRED.code,
        findings.FROZEN.code,
        findings.HELD,
        findings.INACTIVE.code,
        findings.MAILBOX.code,
        findings.NO_USER.code,
        findings.OWN_USER.code,
        findings.RENAMED,
    }
)


def tells(record: JournalEntry, now: datetime) -> bool:
    """Whether an entry counts: a rotation was refused not long ago, for a reason that time alone does not mend."""
    code = record.fault_code
    if not code or code in PASSING or code in _OF_ONE_ACCOUNT or record.cause in _BY_HAND:
        return False
    if record.state not in (State.WITHDRAWN, State.STUCK) or record.since is None:
        return False
    return timedelta(0) <= now - record.since < WITHIN


def same_fault(
    record: JournalEntry,
    entries: Iterable[JournalEntry],
    roles: Mapping[str, StaticRole],
    *,
    now: datetime,
    after: datetime | None,
) -> Hold | None:
    """The hold that an entry makes due, with others of its connection; None: it does not.

    Args:
        record: The entry that came to rest.
        entries: All that are known.
        roles: All roles, by name: they say whose connection an entry is.
        now: The time of day.
        after: When the last hold of the connection ended: what was refused before is mended, a person said.
    """
    role = roles.get(record.role)
    if role is None or not tells(record, now):
        return None
    alike = {
        one.username.lower(): one
        for one in entries
        if one.fault_code == record.fault_code
        and tells(one, now)
        and (known := roles.get(one.role)) is not None
        and known.config == role.config
        and known.username.lower() == one.username.lower()
        and (after is None or (one.since or now) > after)
    }
    if len(alike) < ACCOUNTS:
        return None
    names = sorted(one.role for one in alike.values())
    told = ", ".join(names[:_NAMED]) + (" and others" if len(names) > _NAMED else "")
    reason = (
        f"{len(names)} accounts were refused with {record.fault_code} within 15 minutes ({told}): {record.fault_cause}"
    )
    return Hold(reason=reason.rstrip(" .:"), cause=SAME_FAULT, code=record.fault_code, roles=tuple(names))
