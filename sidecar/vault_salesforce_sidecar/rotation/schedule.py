"""When is a role due? PURE."""

from datetime import UTC, datetime, timedelta
from typing import Final

from cronsim import CronSim

from vault_salesforce_contract.api.static_roles import StaticRole

FIRST_BACKOFF: Final = timedelta(minutes=10)
LONGEST_BACKOFF: Final = timedelta(hours=24)


def next_rotation(role: StaticRole, last: datetime | None, now: datetime) -> datetime | None:
    """When the role's next scheduled rotation is due, possibly in the past; None: never by itself.

    Args:
        role: Its schedule.
        last: When the current version was made; None: there is none, and the first one is for an operator to ask for.
        now: A scheduled time whose window is over by now is passed over.
    """
    if last is None or role.disable_automated_rotation:
        return None
    first = role.initial_rotation_at
    if first is not None and last < first:
        return first
    if role.rotation_period:
        return last + timedelta(seconds=role.rotation_period)
    if not role.rotation_schedule:
        return None
    due = _next_time(role.rotation_schedule, last)
    if due is None or role.rotation_window is None or now <= due + timedelta(seconds=role.rotation_window):
        return due
    # The latest time whose window may still be open, or the first after it.
    return _next_time(role.rotation_schedule, now - timedelta(seconds=role.rotation_window))


def backoff(failures: int) -> timedelta:
    """How long triggers leave a role alone after so many rotations in a row that came to nothing."""
    return min(FIRST_BACKOFF * (1 << min(failures - 1, 16)), LONGEST_BACKOFF)


def _next_time(expression: str, after: datetime) -> datetime | None:
    return next(CronSim(expression, after.astimezone(UTC)), None)
