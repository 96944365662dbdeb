"""What a tick does for schedules: it stores next times, and begins what is due, some at a time."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import Final
from zlib import crc32

import structlog

from vault_plugin_sdk.logical.errors import EngineError
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation.asking import Situation
from vault_salesforce_sidecar.rotation.beginning import Beginning
from vault_salesforce_sidecar.rotation.carrying import Carrier
from vault_salesforce_sidecar.rotation.machine import FREE, State
from vault_salesforce_sidecar.rotation.parts import open_account
from vault_salesforce_sidecar.rotation.roster import Seen
from vault_salesforce_sidecar.rotation.schedule import LIMITS, is_replanned, planned
from vault_salesforce_sidecar.rotation.triggers import SCHEDULE, TRIGGERS
from vault_salesforce_sidecar.store import KvUnavailable

log = structlog.get_logger(__name__)

BEGIN_AT_ONCE: Final = 5  # scheduled rotations per tick
FIRST_PAUSE_SECONDS: Final = 10.0  # before a schedule that could not begin is tried again, and then ever longer
LONGEST_PAUSE_SECONDS: Final = 640.0
LIMITED_SECONDS: Final = 900.0  # that a connection's schedules wait after the org said that a limit is used up

Offer = Callable[[JournalEntry, Callable[[], None]], bool]


class Scheduling:
    """The schedules of all roles.

    Args:
        carrier: What rotations share.
        beginning: Begins them.
        offer: Does work for an account beside the tick, unless the account has a job or rests; whether it does.
    """

    def __init__(self, carrier: Carrier, beginning: Beginning, offer: Offer) -> None:
        self._carrier, self._beginning, self._offer = carrier, beginning, offer
        self._roster, self._clock = carrier.roster, carrier.parts.clock
        self._limited_until: dict[str, float] = {}  # by connection, by the monotonic clock
        self._pauses: dict[str, float] = {}  # the last ones of accounts whose schedule could not begin, in seconds

    def tick(self) -> None:
        """Begin what is to be done now; returns at once. Costs as much as is due, however many roles there are."""
        for name in self._roster.replanned():
            seen = self._at_rest(name)
            if seen is not None:
                self._offer(seen.record, partial(self._plan, name))
        due = self._roster.due(self._clock.now())
        if due:
            self._begin_some(due)

    def replan(self, name: str) -> tuple[str, ...]:
        """Store the next time of a role whose schedule was changed just now, or leave that to a tick.

        Returns: A warning that tells it, where the schedule did change.
        """
        if name not in self._roster.replanned():
            return ()
        try:
            self._plan(name)
        except (EngineError, KvUnavailable) as exc:
            log.warning("the next time is stored later", role=name, reason=str(exc))
        due = self._roster.next_rotation(name)
        when = f"is due at {due.isoformat(timespec='seconds')}" if due else "is for somebody to ask for"
        return (f"the schedule changed, and nothing was rotated: the next rotation {when}",)

    def note_limit(self, connection: str, record: JournalEntry) -> None:
        """A rotation came to rest: where a limit of the org is used up, the connection's other roles wait too."""
        if record.state == State.WITHDRAWN and record.cause in TRIGGERS and record.fault_code in LIMITS:
            self._limited_until[connection] = self._clock.monotonic() + LIMITED_SECONDS

    def _begin_some(self, due: Sequence[str]) -> None:
        """Begin some of what is due: after an outage, or at the stroke of an hour, it may be thousands."""
        begun, now = 0, self._clock.monotonic()
        start = crc32(self._carrier.parts.instance.encode()) % len(due)  # sidecars begin at different places
        for name in chain(due[start:], due[:start]):
            role, seen = self._roster.role(name), self._at_rest(name)
            if role is None or seen is None or now < self._limited_until.get(role.config, now):
                continue
            begun += self._offer(seen.record, partial(self._begin, name, seen))
            if begun == BEGIN_AT_ONCE:
                return

    def _begin(self, name: str, seen: Seen) -> None:
        account = seen.record.username.lower()
        if self._beginning.trigger(name, SCHEDULE, seen.record.published_version, None):
            self._pauses.pop(account, None)
            return
        pause = min(self._pauses.get(account, FIRST_PAUSE_SECONDS / 2) * 2, LONGEST_PAUSE_SECONDS)
        self._pauses[account] = pause
        self._carrier.leave_alone(account, pause)

    def _plan(self, name: str) -> None:
        """Store the next time by a schedule that changed; the role is read anew: another sidecar may know better."""
        account = open_account(self._carrier.parts, name, checked=False)
        self._roster.know_role(name, account.role)

        def change(situation: Situation) -> JournalEntry | None:
            record = situation.record
            if situation.entry.state not in FREE or not is_replanned(record, account.role):
                return None
            plan = planned(record, account.role, self._clock.now())
            return plan if plan.planned_from is not None else None

        stored = self._carrier.desk.edit(account, change)
        if stored is not None:
            self._roster.note(stored)

    def _at_rest(self, name: str) -> Seen | None:
        role = self._roster.role(name)
        seen = self._roster.seen(role.username) if role else None
        return seen if seen is not None and State(seen.record.state) in FREE else None
