"""When is a role due? PURE: from its settings, its account's entry, and the time of day.

The next time is stored with the outcome of each rotation, and a change of schedule counts on from the last one: what
was not due does not become due by a restart, an upgrade, or a new setting.
"""

import difflib
import hashlib
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from cronsim import CronSim, CronSimError

from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.records.journal_entry import JournalEntry

LONGEST_EXPRESSION: Final = 200
MOST_SPREAD: Final = timedelta(hours=1)  # of a period; a schedule is spread within its window alone
SPREAD_OF_PERIOD: Final = 24  # and by no more than this part of it

# The org lets passwords expire: a rotation so long before spares the consumers a refused login.
EXPIRY_MARGIN: Final = timedelta(days=3)
EXPIRY_SPREAD: Final = timedelta(days=1)  # those that were set on one day expire on one day
MOST_OF_LIFETIME: Final = 4  # no earlier than with this part of the password's life left

FIRST_BACKOFF: Final = timedelta(minutes=10)
LONGEST_BACKOFF: Final = timedelta(hours=24)
LONGEST_PASSING: Final = timedelta(hours=1)
MOST_FAILURES: Final = 8  # in a row, over about two days; then only a person begins another
JITTER: Final = 0.25  # part of a pause by which accounts that failed together try apart

LIMITS: Final = frozenset({"REQUEST_LIMIT_EXCEEDED", "LIMIT_EXCEEDED"})  # counted by Salesforce over an hour, or a day
# Time mends these by itself: they are tried for ever, and park nothing.
PASSING: Final = LIMITS | {
    "SERVER_UNAVAILABLE",
    "ORG_IN_MAINTENANCE",
    "FUNCTIONALITY_TEMPORARILY_UNAVAILABLE",
    "REQUEST_RUNNING_TOO_LONG",
    "UNABLE_TO_LOCK_ROW",
    "SSO_SERVICE_DOWN",
    "unreachable",
    "no_answer",
}


@dataclass(frozen=True)
class Due:
    """When a rotation may begin.

    Attributes:
        at: From then on.
        until: Not after; None: whenever it can.
    """

    at: datetime
    until: datetime | None = None


def faults(role: StaticRole) -> list[str]:
    """What is wrong with a role's schedule, each as a sentence."""
    found = []
    if role.rotation_period is not None and role.rotation_schedule:
        found.append("give either rotation_period or rotation_schedule, not both")
    zone: zoneinfo.ZoneInfo | None = None
    try:
        zone = _zone(role.rotation_time_zone)
    except ValueError as exc:
        found.append(str(exc))
    if role.rotation_schedule:
        found += _faults_of_expression(role.rotation_schedule, zone or zoneinfo.ZoneInfo("UTC"))
    else:
        if role.rotation_window is not None:
            found.append("rotation_window needs a rotation_schedule")
        if role.rotation_time_zone != "UTC":
            found.append("rotation_time_zone needs a rotation_schedule")
    return found


def planned(record: JournalEntry, role: StaticRole, now: datetime) -> JournalEntry:
    """The record with the role's next scheduled time; as it is where it has that already.

    Args:
        record: The account's entry.
        role: The role as it is now.
        now: A schedule that changed since the last rotation counts on from that one, to a time after this.
    """
    last, by = record.last_rotation, _schedule_of(role)
    if last is None or (record.planned_from == last and record.planned_by == by):
        return record
    changed = record.planned_from == last
    try:
        due = _scheduled(role, last, max(last, now) if changed else last)
    except ValueError:  # this machine does not know the time zone: nothing is due before it does
        return replace(record, planned_from=None, planned_by="", next_rotation=None, next_rotation_until=None)
    return replace(
        record,
        planned_from=last,
        planned_by=by,
        next_rotation=due.at if due else None,
        next_rotation_until=due.until if due else None,
        password_expires=record.password_expires if changed else None,
    )


def is_replanned(record: JournalEntry, role: StaticRole) -> bool:
    """Whether the schedule changed since the next time was stored; until that is written again, nothing is due."""
    return record.last_rotation is not None and (
        record.planned_from == record.last_rotation and record.planned_by != _schedule_of(role)
    )


def next_due(role: StaticRole, record: JournalEntry, now: datetime) -> Due | None:
    """When the role is next rotated by itself, possibly in the past; None: never.

    A time whose window is over by `now` is passed over; the org's password expiry comes before any schedule.
    """
    last = record.last_rotation
    if last is None or not record.published_version or role.disable_automated_rotation or is_parked(record):
        return None
    plan = planned(record, role, now)
    due = Due(plan.next_rotation, plan.next_rotation_until) if plan.next_rotation else None
    if due and due.until is not None and due.until <= now:
        due = _next_window(role, last, now)
    deadline = _deadline(role.username, last, plan.password_expires)
    if deadline is not None and (due is None or deadline < due.at):
        due = Due(deadline)
    if due is not None and record.not_before is not None and record.not_before > due.at:
        due = replace(due, at=record.not_before)
    return due


def interval(role: StaticRole, last: datetime) -> timedelta | None:
    """The time from one scheduled rotation to the next; None where there is none."""
    if role.rotation_period:
        return timedelta(seconds=role.rotation_period)
    try:
        due = _scheduled(role, last, last)
    except ValueError:
        return None
    return due.at - last if due else None


def backed_off(record: JournalEntry, now: datetime) -> JournalEntry:
    """The record of one more automatic rotation that came to nothing: triggers leave it alone for a while."""
    failures = record.failures + 1
    share = _share(f"{record.username}\n{failures}")
    if record.fault_code in LIMITS:
        pause = LONGEST_PASSING * (1 + JITTER * share)
    else:
        pause = backoff(failures) * (1 - JITTER * share)
    if record.fault_code in PASSING:
        failures = min(failures, MOST_FAILURES - 1)
        pause = min(pause, LONGEST_PASSING * (1 + JITTER * share))
    return replace(record, failures=failures, not_before=now + pause)


def backoff(failures: int) -> timedelta:
    """How long triggers leave a role alone, at most, after so many rotations in a row that came to nothing."""
    return min(FIRST_BACKOFF * (1 << min(failures - 1, 16)), LONGEST_BACKOFF)


def is_parked(record: JournalEntry) -> bool:
    """Whether so many automatic rotations came to nothing that only a person begins another."""
    return record.failures >= MOST_FAILURES


def _schedule_of(role: StaticRole) -> str:
    """The settings that a next time was reckoned from, as text: another text is another schedule."""
    if role.disable_automated_rotation:
        return ""
    first = f"from {role.initial_rotation_at.isoformat()}" if role.initial_rotation_at else ""
    if role.rotation_period:
        return " ".join(f"every {role.rotation_period} {first}".split())
    if not role.rotation_schedule:
        return first
    window = f"for {role.rotation_window}" if role.rotation_window else ""
    return " ".join(f"{role.rotation_schedule} {role.rotation_time_zone} {window} {first}".split())


def _scheduled(role: StaticRole, last: datetime, after: datetime) -> Due | None:
    """The first scheduled time after `after`, counted from the last rotation."""
    first = role.initial_rotation_at
    if first is not None and last < first:
        return Due(first)
    share = _share(role.username)
    if role.rotation_period:
        period = timedelta(seconds=role.rotation_period)
        turns = (after - last) // period + 1
        return Due(last + turns * period + share * min(period / SPREAD_OF_PERIOD, MOST_SPREAD))
    if not role.rotation_schedule:
        return None
    slots = _slots(role.rotation_schedule, _zone(role.rotation_time_zone), after)
    slot = next(slots, None)
    if slot is None or role.rotation_window is None:
        return Due(slot) if slot else None
    window = timedelta(seconds=role.rotation_window)
    # The other half is left for those that wait for a free slot, or for Vault.
    spread = min(window / 2, next(slots, slot + window) - slot)
    return Due(slot + share * spread, slot + window)


def _next_window(role: StaticRole, last: datetime, now: datetime) -> Due | None:
    """The first window that is not over by `now`."""
    try:
        return _scheduled(role, last, max(last, now - timedelta(seconds=role.rotation_window or 0)))
    except ValueError:
        return None


def _slots(expression: str, zone: zoneinfo.ZoneInfo, after: datetime) -> Iterator[datetime]:
    """The instants of a cron expression after one, each once.

    The expression is stepped on the clock on the wall, without a zone: a time that is shown twice counts the first
    time, one that is skipped when the clocks have jumped.
    """
    for wall in CronSim(expression, after.astimezone(zone).replace(tzinfo=None)):
        instant = _instant(wall, zone)
        if instant > after:
            after = instant
            yield instant


def _instant(wall: datetime, zone: zoneinfo.ZoneInfo) -> datetime:
    while True:
        instant = wall.replace(tzinfo=zone).astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None) == wall:
            return instant
        wall += timedelta(minutes=1)


def _deadline(username: str, last: datetime, expires: datetime | None) -> datetime | None:
    if expires is None:
        return None
    margin = EXPIRY_MARGIN + _share(username) * EXPIRY_SPREAD
    return expires - min(margin, max(expires - last, timedelta(0)) / MOST_OF_LIFETIME)


def _share(text: str) -> float:
    """A number from 0 to below 1 that is the same in every sidecar, and another one for each account."""
    return int.from_bytes(hashlib.sha256(text.lower().encode()).digest()[:6]) / (1 << 48)


def _zone(name: str) -> zoneinfo.ZoneInfo:
    """The time zone of that IANA name. Raises: ValueError, a sentence."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not there, a path, or a folder
        near = difflib.get_close_matches(name[:LONGEST_EXPRESSION], zoneinfo.available_timezones(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ", such as Europe/Berlin"
        raise ValueError(f"rotation_time_zone must be an IANA time zone{hint}") from None


def _faults_of_expression(expression: str, zone: zoneinfo.ZoneInfo) -> list[str]:
    if len(expression) > LONGEST_EXPRESSION or len(expression.split()) != len("mhdMw"):
        return ["rotation_schedule is not a cron expression of five fields: minute hour day month weekday"]
    try:
        if next(_slots(expression, zone, datetime(2000, 1, 1, tzinfo=UTC)), None) is not None:
            return []
    except CronSimError as exc:
        if not _is_shaped(expression):
            return [f"rotation_schedule is not a cron expression: {exc}"]
    return ["rotation_schedule never comes: no month has such a day"]


def _is_shaped(expression: str) -> bool:
    """Whether each field is right by itself, so that only their combination is not."""
    try:
        for at, part in enumerate(expression.split()):
            fields = ["*"] * 5
            fields[at] = part
            CronSim(" ".join(fields), datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError:
        return False
    return True
