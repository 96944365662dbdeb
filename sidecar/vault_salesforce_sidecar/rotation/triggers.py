"""May a trigger (a lease's end, a schedule) begin a rotation now? PURE."""

from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation.machine import FREE, REST, State
from vault_salesforce_sidecar.rotation.schedule import is_parked, next_due

LEASE: Final = "lease"
SCHEDULE: Final = "schedule"
TRIGGERS: Final = frozenset({LEASE, SCHEDULE})  # causes behind which nobody waits


class Verdict(Enum):
    """What becomes of a trigger."""

    BEGIN = "begin"
    VOID = "void"  # there is nothing to do, or it is being done
    LATER = "later"  # whoever keeps the trigger asks again


def judge(
    role: StaticRole,
    record: JournalEntry,
    cause: str,
    *,
    version: int | None,
    rotation_id: str | None,
    now: datetime,
) -> Verdict:
    """What becomes of a trigger that found this version due. A trigger only begins: it never leaves STUCK.

    Args:
        role: The role.
        record: Its account's entry.
        cause: `LEASE` or `SCHEDULE`.
        version: The version that is due; None: the one of now.
        rotation_id: The rotation that made it; None: whichever.
        now: The time of day.
    """
    state = State(record.state)
    published = record.published_version
    if not published or role.disable_automated_rotation or state is State.DELETED:
        return Verdict.VOID
    if version is not None and version != published:
        return Verdict.VOID if version < published else Verdict.LATER
    if rotation_id and rotation_id != record.published_id:
        return Verdict.VOID
    if cause == SCHEDULE and not _is_due(role, record, now):  # somebody changed it since it was seen to be due
        return Verdict.VOID
    if state not in REST:
        return Verdict.VOID
    if state not in FREE:
        return Verdict.LATER
    if cause == LEASE and role.rotate_on_lease_end == "never":
        return Verdict.VOID
    apart = timedelta(seconds=role.lease_rotation_interval)
    if is_parked(record):
        return Verdict.LATER
    too_soon = cause == LEASE and record.last_lease_rotation and now - record.last_lease_rotation < apart
    if too_soon or (record.not_before and now < record.not_before):
        return Verdict.LATER
    return Verdict.BEGIN


def _is_due(role: StaticRole, record: JournalEntry, now: datetime) -> bool:
    due = next_due(role, record, now)
    return due is not None and due.at <= now
