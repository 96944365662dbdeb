"""Carries a rotation on: persist, then act, until it rests."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

import structlog

from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import findings, machine
from vault_salesforce_sidecar.rotation.actions import Actions
from vault_salesforce_sidecar.rotation.budget import known_charges, may_log_in
from vault_salesforce_sidecar.rotation.credentials import Credentials
from vault_salesforce_sidecar.rotation.holds import Held, is_stoppable
from vault_salesforce_sidecar.rotation.journal import (
    Journal,
    Now,
    machine_entry,
    with_entry,
    with_fault,
    with_notes,
    without_notes,
)
from vault_salesforce_sidecar.rotation.machine import REST, Change, Entry, Event, LogIn, Put, ReadRecord, Reset, State
from vault_salesforce_sidecar.rotation.outcome import Charge, Outcome
from vault_salesforce_sidecar.rotation.parts import BY_APP, Account, Parts
from vault_salesforce_sidecar.rotation.roster import FIRST_TOKEN
from vault_salesforce_sidecar.rotation.schedule import backed_off, planned
from vault_salesforce_sidecar.rotation.token_life import with_token_proven
from vault_salesforce_sidecar.rotation.tokens import TOKEN
from vault_salesforce_sidecar.rotation.triggers import TRIGGERS
from vault_salesforce_sidecar.salesforce.interface import Fault, Lost, NotSent, Session
from vault_salesforce_sidecar.store import Conflict, KvUnavailable, Stored

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")

SETTLING_SECONDS: Final = 5.0  # after a change of unknown fate: it may still land
MOST_LOST: Final = 3  # answers lost in a row before the door counts as shut
MOST_LOGINS: Final = 3  # in one go: what the lost answers of more would have been is for people to find out
MOST_UNSENT: Final = 5  # connections not made in a row, likewise
FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 5.0
KV_CALL_SECONDS: Final = 5.0
MARGIN_SECONDS: Final = 5


class Deposed(Exception):  # noqa: N818 - an outcome
    """Somebody else wrote the entry: it is theirs now, and nothing more is done here."""


class Stopped(Exception):  # noqa: N818 - an outcome
    """This sidecar is stopping; the rotation rests at a durable state and goes on elsewhere, or later."""


@dataclass(frozen=True)
class Run:
    """A rotation to be carried on.

    Attributes:
        account: Whose.
        stored: Its entry as we wrote it last: we hold it.
        written_at: When that write began, by our own monotonic clock.
        charged: The login that comes next is charged in it already.
        doubtful: A change of unknown fate may still land: wait before looking.
    """

    account: Account
    stored: Stored[JournalEntry]
    written_at: float
    charged: bool = False
    doubtful: bool = False


def hold_seconds(account: Account, least: int) -> int:
    """How long a write to this account's entry is good for: longer than the longest call."""
    return max(least, int(account.org.longest_call_seconds) + MARGIN_SECONDS)


def charged_ahead(entry: Entry, role: StaticRole, *, may_look: bool) -> tuple[Entry, bool]:
    """The entry with the login that it stands for charged, so that one write does for both; and whether it was."""
    if entry.state in REST or not may_log_in(entry.charges):
        return entry, False
    command = machine.command(entry, role.self_managed, may_look)
    if not judges(command, role) and (not isinstance(command, LogIn) or role.verify == "record"):
        return entry, False
    return entry._replace(charges=entry.charges + 1), True


def judges(command: machine.Command, role: StaticRole) -> bool:
    """Whether this change is the first to tell if `current` is live: then it may fail as a login does."""
    return role.self_login == BY_APP and isinstance(command, Change) and command.old is not None


class Runner:
    """One rotation of one account, in one thread.

    Args:
        parts: The world.
        journal: Where the entry is.
        credentials: Where the result is published.
        run: What to carry on.
        least_hold_seconds: See `hold_seconds`.
        stopping: Set when this sidecar stops.
        noted: Told of every entry that was written.
        announcement: Number under which the plugin hears that this is in hand.
    """

    def __init__(
        self,
        parts: Parts,
        journal: Journal,
        credentials: Credentials,
        run: Run,
        *,
        least_hold_seconds: int,
        stopping: threading.Event,
        noted: Callable[[Stored[JournalEntry]], None],
        announcement: int,
    ) -> None:
        self._parts, self._journal, self._account = parts, journal, run.account
        self._stored, self._charged, self._doubtful = run.stored, run.charged, run.doubtful
        self._hold_seconds = hold_seconds(run.account, least_hold_seconds)
        self._held_until = run.written_at + self._hold_seconds
        self._stopping, self._noted, self._announcement = stopping, noted, announcement
        self._lost = self._unsent = self._logins = 0
        self._actions = Actions(run.account, credentials, parts.clock, self._hold_for_a_call, parts.counted)

    @property
    def record(self) -> JournalEntry:
        """The entry as it was written last."""
        return self._stored.record

    @property
    def own_session(self) -> Session | None:
        """The user's session, where a login with the password opened one."""
        return self._actions.own_session

    def run(self) -> Stored[JournalEntry]:
        """Carry the rotation on until it rests; the entry then.

        Raises:
            Deposed: Somebody else has it now.
            Stopped: This sidecar is stopping, or a hold stops what is under way.
            KvUnavailable: Its state could not be written for as long as we held it.
        """
        while State(self.record.state) not in REST:
            if self._stopping.is_set() or self._parts.holds.stops(machine_entry(self.record)):
                self._let_go()
            if self._doubtful:
                self._doubtful = False
                self._pause(SETTLING_SECONDS)
                continue
            self._advance()
        return self._stored

    def _advance(self) -> None:
        entry = machine_entry(self.record)
        if entry.state is State.CHECKING and (held := self._brake(entry, self._parts.holds.on)):
            self._take(entry, Outcome(Event.BLOCKED, held, Charge.TAKE_BACK if self._charged else Charge.KEEP))
            return
        command = machine.command(entry, self._account.role.self_managed, self._actions.may_look)
        try:
            outcome = self._call(command)
        except NotSent:
            self._logins -= isinstance(command, LogIn)
            self._unsent += 1
            if self._unsent < MOST_UNSENT:
                self._pause(_pause_seconds(self._unsent))
                return
            outcome = self._not_made(entry)
        except Lost:
            self._charged = False  # it stays in the entry: the login may have failed
            outcome = Outcome(Event.LOST)
        except KvUnavailable:
            self._unsent += 1
            if not isinstance(command, Put) or not self._time_for(_pause_seconds(self._unsent) + KV_CALL_SECONDS):
                raise
            self._pause(_pause_seconds(self._unsent))
            return
        else:
            self._unsent = 0
        self._lost = self._lost + 1 if outcome.event is Event.LOST else 0
        if self._lost == MOST_LOST and not isinstance(command, Change):
            outcome = replace(outcome, event=Event.BLOCKED, fault=findings.NO_ANSWER)
        self._take(entry, outcome)
        if self._lost and not self._doubtful:
            self._pause(_pause_seconds(self._lost))

    def _call(self, command: machine.Command) -> Outcome:
        match command:
            case ReadRecord():
                return self._actions.check(self.record)
            case LogIn() if self._account.role.verify == "record":
                return self._actions.weigh_record(self.record)
            case LogIn(secret):
                if self._logins == MOST_LOGINS:
                    back = Charge.TAKE_BACK if self._charged else Charge.KEEP
                    return Outcome(Event.BLOCKED, findings.ENOUGH_LOGINS, back)
                if not self._charge():
                    return Outcome(Event.NO_BUDGET)
                self._logins += 1
                outcome = self._actions.log_in(self.record, secret)
                self._charged = False
                return outcome
            case Reset():
                return self._actions.reset(self.record)
            case Change(_, _):
                if judges(command, self._account.role) and not self._charge():
                    return Outcome(Event.NO_BUDGET)
                # Whose session ends with the change asks before the next login, and must be told to wait.
                self._parts.announced(self._announcement)
                outcome = self._actions.change(self.record, self._candidate())
                self._charged = False
                return outcome
            case Put(base, secret):
                self._hold_for(2 * KV_CALL_SECONDS)
                return self._actions.publish(self.record, base, secret)

    def _charge(self) -> bool:
        """Make the login's charge durable; False: no attempt is left."""
        if self._charged:
            return True
        charges = self.record.charges
        if not may_log_in(charges):
            charges = known_charges(charges, self._actions.failed_logins(self.record.forgiven))
            if not may_log_in(charges):
                return False
        self._persist(replace(self.record, charges=charges + 1))
        self._charged = True
        return True

    def _take(self, entry: Entry, outcome: Outcome) -> None:
        """Step, and make it durable: the outcome, the charges and the next state in one write."""
        charged = self.record.charges  # `entry` may have been read before its login was charged
        if outcome.counted is not None:
            charged = outcome.counted + 1
        charges = {
            Charge.KEEP: charged,
            Charge.CLEAR: 0,
            Charge.TAKE_BACK: max(0, charged - 1),
            Charge.ADD: charged + 1,
        }[outcome.charge]
        entry = entry._replace(current=outcome.current or entry.current)
        after = machine.step(entry._replace(charges=charges), outcome.event)
        if after.state is State.APPLYING and (held := self._brake(after, self._parts.holds.check)):
            # The last moment at which nothing has left: asked of KV itself.
            outcome = replace(outcome, event=Event.BLOCKED, fault=held)
            after = machine.step(entry._replace(charges=charges), outcome.event)
        if outcome.fault is not None and outcome.fault.code == findings.HELD:
            after = after._replace(reason=findings.HELD)
        if outcome.fault is findings.EXPIRED and entry.given and after.state is State.WITHDRAWN:
            # It is right, and the next rotation needs it; it is only not fit to be published.
            after = after._replace(current=entry.given)
        after, self._charged = charged_ahead(after, self._account.role, may_look=self._actions.may_look)
        sent = entry.state is State.APPLYING or entry.resets
        self._doubtful = sent and outcome.event is Event.LOST
        record = replace(self.record, **outcome.changes)
        if outcome.charge is Charge.CLEAR:
            record = replace(record, forgiven=0)  # the org counts from zero too
        # What was wrong with a change is told until a login proves that it was not.
        if outcome.fault is not None or (entry.state is State.PROVING and outcome.event is Event.DONE):
            record = with_fault(record, outcome.fault)
        log.info(
            "rotation step",
            role=self._account.name,
            rotation_id=record.rotation_id,
            state=entry.state.value,
            answer=outcome.event.value,
            next=after.state.value,
            code=outcome.fault.code if outcome.fault else "",
        )
        self._persist(self._written(record, after))

    def _brake(self, entry: Entry, look: Callable[[str], Held | None]) -> Fault | None:
        """Why this rotation does not go on, where a hold is on and nothing was sent yet."""
        # Asked again where Vault does not say: who gives up here has spent a login for nothing.
        held = self._while_held(partial(look, self._account.role.config)) if is_stoppable(entry) else None
        return findings.held(held.sentence) if held else None

    def _written(self, record: JournalEntry, after: Entry) -> JournalEntry:
        now = self._now()
        record = with_entry(record, after, now)
        if after.state not in REST:
            return record
        if after.state is State.SETTLED:
            record = with_token_proven(self.record, record, now.time)
        return planned(at_rest(record, now), self._account.role, now.time)

    def _not_made(self, entry: Entry) -> Outcome:
        """The org could not be reached, time after time: the call counts as refused, and its charge is taken back."""
        charge = Charge.TAKE_BACK if self._charged else Charge.KEEP
        self._charged, self._unsent = False, 0
        event = Event.REFUSED if entry.state is State.APPLYING else Event.BLOCKED
        return Outcome(event, findings.UNREACHABLE, charge)

    def _candidate(self) -> machine.Secret:
        candidate = machine_entry(self.record).candidate
        if candidate is None:
            raise AssertionError(self.record.state)
        return candidate

    def _persist(self, record: JournalEntry) -> None:
        """Write the entry on top of the version that we know, again and again while we hold it.

        Raises: Deposed, KvUnavailable.
        """
        while True:
            at = self._parts.clock.monotonic()
            put = partial(self._journal.put, self._account.username, record, self._stored.version)
            try:
                self._stored = self._while_held(put)
                break
            except Conflict:
                found = self._journal.get(self._account.username)
                if found is None:
                    raise Deposed from None
                if found.record == record:  # an earlier try of ours, of which we had not heard
                    self._stored = found
                    break
                if without_notes(found.record) != without_notes(self.record):
                    raise Deposed from None
                record = with_notes(record, found.record)
                self._stored = found
        self._held_until = at + self._hold_seconds
        self._noted(self._stored)

    def _while_held(self, call: Callable[[], Answer]) -> Answer:
        """Ask Vault again and again while we hold the entry. Raises: KvUnavailable."""
        failed = 0
        while True:
            try:
                return call()
            except KvUnavailable:
                failed += 1
                if self._stopping.is_set() or not self._time_for(_pause_seconds(failed) + KV_CALL_SECONDS):
                    raise
                self._parts.clock.wait(self._stopping, _pause_seconds(failed))

    def _hold_for_a_call(self) -> None:
        self._hold_for(self._account.org.longest_call_seconds)

    def _hold_for(self, seconds: float) -> None:
        """Return once the hold outlasts a call that takes so long; else it is renewed by a write first."""
        if not self._time_for(seconds):
            self._persist(replace(self.record, holder=self._parts.instance, hold_seconds=self._hold_seconds))

    def _time_for(self, seconds: float) -> bool:
        return self._parts.clock.monotonic() + seconds < self._held_until

    def _pause(self, seconds: float) -> None:
        if self._parts.clock.wait(self._stopping, seconds):
            self._let_go()

    def _let_go(self) -> None:
        """Give up the hold, and an attempt that was not made, so that others may go on at once. Raises: Stopped."""
        charges = self.record.charges - 1 if self._charged else self.record.charges
        self._persist(replace(self.record, holder="", charges=charges))
        raise Stopped

    def _now(self) -> Now:
        return self._parts.moment(self._hold_seconds)


def at_rest(record: JournalEntry, now: Now) -> JournalEntry:
    """The record of a rotation that came to rest, with the chores that it owes and what it means for triggers."""
    state = State(record.state)
    owed = {*record.owed, "history"} | ({"push"} if state is State.SETTLED else set())
    if state is State.SETTLED and record.end_sessions:
        owed |= {"sessions"}
        record = replace(record, end_sessions=False)
    record = replace(record, owed=tuple(sorted(owed)))
    if record.reason not in (machine.GIVEN_REFUSED, machine.GIVEN_USELESS):
        record = replace(record, refused_digest="", refused_at=None)
    if state is State.SETTLED:
        seen = record.token_seen or record.token_mailed
        return replace(record, failures=0, not_before=None, token_seen=seen)
    if state is State.WITHDRAWN and record.reason == findings.HELD:
        return record  # it did not fail, and begins again after the hold
    if state is State.WITHDRAWN and record.cause in TRIGGERS:
        return backed_off(record, now.time)
    if state is State.WITHDRAWN and _waited_for_a_token(record):
        return replace(record, reason=FIRST_TOKEN)  # this was not it; the next mail may bring it
    return record


def _waited_for_a_token(record: JournalEntry) -> bool:
    given = record.cause in (TOKEN, "resync") and record.fault_code != findings.EXPIRED.code
    return given and not record.published_version and record.mailbox_mark is not None


def _pause_seconds(failed: int) -> float:
    return min(FIRST_PAUSE_SECONDS * 2.0 ** (failed - 1), LONGEST_PAUSE_SECONDS)
