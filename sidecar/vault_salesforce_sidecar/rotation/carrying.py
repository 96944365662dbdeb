"""Rotations as jobs: begun, carried on, taken over, and followed by the chores that they owe."""

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import structlog

from vault_plugin_sdk.logical.errors import EngineError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_sidecar.log import asked_by
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import machine, tokens
from vault_salesforce_sidecar.rotation.asking import Desk, Situation
from vault_salesforce_sidecar.rotation.chores import EMPTY, HISTORY, PUSH, SESSIONS, Chores
from vault_salesforce_sidecar.rotation.credentials import Credentials, just_published
from vault_salesforce_sidecar.rotation.jobs import Jobs
from vault_salesforce_sidecar.rotation.journal import machine_entry, position, with_entry
from vault_salesforce_sidecar.rotation.machine import FREE, REST, Event, Fate, State
from vault_salesforce_sidecar.rotation.parts import Account, Parts, open_account
from vault_salesforce_sidecar.rotation.recalling import RecallingJournal
from vault_salesforce_sidecar.rotation.roster import Roster
from vault_salesforce_sidecar.rotation.runner import Deposed, Run, Runner, Stopped, at_rest, charged_ahead, hold_seconds
from vault_salesforce_sidecar.rotation.slots import Pool
from vault_salesforce_sidecar.salesforce.interface import Session
from vault_salesforce_sidecar.store import Conflict, KvUnavailable, Stored

log = structlog.get_logger(__name__)

_TRIES = 3  # of chores whose entry somebody else writes to at the same time

ABANDONED = "its role is gone"
CHORE_PAUSE_SECONDS = 5.0
LONGEST_CHORE_PAUSE_SECONDS = 60.0


AfterRest = Callable[[Account, Stored[JournalEntry]], None]


class Carrier:
    """Everything that one sidecar's rotations share.

    Args:
        parts: The world.
        pool: Where jobs run.
        least_hold_seconds: See `runner.hold_seconds`.
    """

    def __init__(self, parts: Parts, pool: Pool, least_hold_seconds: int) -> None:
        self.parts = parts
        self.journal = RecallingJournal(parts.engine_kv, parts.clock, parts.holds, parts.kept_for)
        self.credentials = Credentials(parts.creds_kv)
        self.desk = Desk(parts, self.journal, self.credentials, least_hold_seconds)
        self.chores = Chores(parts, self.journal, self.credentials)
        self.roster = Roster(parts.clock.now, parts.clock.monotonic)
        self.jobs = Jobs(pool)
        self.stopping = threading.Event()
        self.mount = "sf"
        self.after_rest: AfterRest = lambda _account, _stored: None
        self.pool = pool
        self._least_hold_seconds = least_hold_seconds
        self._lock = threading.Lock()
        self._rests_until: dict[str, float] = {}  # accounts that are left alone for a while, by the monotonic clock
        self._chores_failed: dict[str, int] = {}

    def carry(self, run: Run) -> None:
        """Carry a rotation on that is held by us, after what the account's present job still does."""
        self.roster.note(run.stored)
        record = run.stored.record
        whose = Caller(display_name=record.display_name, entity_id=record.entity_id, accessor=record.accessor).identity
        self.jobs.follow(run.account.username.lower(), lambda: self._carry(run), whose)

    def take_over(self, username: str, known: Stored[JournalEntry]) -> None:
        """Take an entry in hand over from a holder that crashed or sleeps, and carry it on; to be called in a job."""
        record = known.record
        try:
            account = open_account(self.parts, record.role, checked=False)  # what has left is finished
        except EngineError as exc:
            log.warning("rotation cannot go on", role=record.role, rotation_id=record.rotation_id, reason=exc.sentence)
            self._abandon(known)
            return
        before = machine_entry(record)
        resumed = machine.step(before, Event.RESUMED)
        resumed, charged = charged_ahead(resumed, account.role, may_look=account.reads_record)
        hold = hold_seconds(account, self._least_hold_seconds)
        now = self.parts.moment(hold)
        taken = with_entry(record, resumed, now)
        if resumed.state in REST:
            taken = at_rest(taken, now)
        at = self.parts.clock.monotonic()
        try:
            stored = self.journal.put(username, taken, known.version)
        except Conflict:
            return  # somebody else took it, or its holder woke
        log.info("rotation taken over", role=record.role, rotation_id=record.rotation_id, state=record.state)
        self.roster.note(stored)
        doubtful = before.state is State.APPLYING or (before.state is State.CHECKING and before.fate is Fate.UNKNOWN)
        self._carry(Run(account, stored, at, charged, doubtful))

    def end_sessions_of(self, account: Account, *, wanted: bool) -> None:
        """The user's other sessions end, if that is wanted: after what is in hand; of what has settled, at once."""

        def change(situation: Situation) -> JournalEntry | None:
            record = situation.record
            if situation.entry.state not in FREE:
                return None if record.end_sessions else replace(record, end_sessions=True)
            return replace(record, owed=tuple(sorted({*record.owed, SESSIONS}))) if record.published_version else None

        if not wanted:
            return
        stored = self.desk.edit(account, change)
        if stored is not None:
            self.roster.note(stored)
            if SESSIONS in stored.record.owed and State(stored.record.state) in FREE:
                self.do_chores(stored)

    def do_chores(
        self, stored: Stored[JournalEntry], own: Session | None = None, *, pushed: bool | None = None
    ) -> Stored[JournalEntry]:
        """Do what the entry owes, as far as it can be done now; the entry then. `own`, `pushed`: see `Chores.do`."""
        account = stored.record.username.lower()
        try:
            stored = self.chores.do(stored, own, pushed=pushed)
        except Conflict:
            seen = self.roster.seen(account)
            if seen is None or position(seen.stored) <= position(stored):
                log.warning("chores are left", role=stored.record.role, reason="somebody else writes there")
                self._leave_chores(account)
            return stored
        except (KvUnavailable, EngineError) as exc:
            log.warning("chores are left", role=stored.record.role, reason=str(exc))
            self._leave_chores(account)
            return stored
        self.roster.note(stored)
        if stored.record.owed:
            self._leave_chores(account)
        else:
            with self._lock:
                self._chores_failed.pop(account, None)
                self._rests_until.pop(account, None)
        return stored

    def emptied(self, stored: Stored[JournalEntry]) -> bool:
        """Whether a deleted role's KV path holds nothing any more, by us or by whoever wrote to the entry meanwhile."""
        for _ in range(_TRIES):
            if EMPTY not in self.do_chores(stored).record.owed:
                return True
            again = self.reread(stored.record.username)
            if again is None or EMPTY not in again.record.owed:
                return True
            stored = again
        return False

    def reread(self, username: str) -> Stored[JournalEntry] | None:
        """The account's entry as KV has it now. Raises: KvUnavailable."""
        stored = self.journal.get(username)
        if stored is not None:
            self.roster.note(stored)
        return stored

    def rests(self, account: str) -> bool:
        """Whether the account is left alone for now, after something did not work."""
        with self._lock:
            return self._rests_until.get(account, 0.0) > self.parts.clock.monotonic()

    def leave_alone(self, account: str, seconds: float) -> None:
        """Do nothing for this account by ourselves for so long, at least."""
        until = self.parts.clock.monotonic() + seconds
        with self._lock:
            self._rests_until[account] = max(until, self._rests_until.get(account, until))

    def _carry(self, run: Run) -> None:
        account = run.account
        announcement = self.parts.changed()
        runner = Runner(
            self.parts,
            self.journal,
            self.credentials,
            run,
            least_hold_seconds=self._least_hold_seconds,
            stopping=self.stopping,
            noted=self.roster.note,
            announcement=announcement,
        )
        left: Callable[[], None] | None = None
        try:
            stored = runner.run()
        except Deposed:
            log.info("rotation is somebody else's now", role=account.name)
            self._reread_quietly(account.username)
        except Stopped:
            log.info("rotation left at a durable state", role=account.name)
        except KvUnavailable as exc:
            log.warning("rotation waits for Vault", role=account.name, reason=exc.sentence)
        except Exception:
            log.exception("rotation failed", role=account.name)
            self.leave_alone(account.username.lower(), self._least_hold_seconds)
        else:
            left = self._came_to_rest(account, stored, runner.own_session)
        finally:
            self.parts.changed()
        # Who waits for the rotation need not wait for these.
        self.jobs.announce(account.username.lower())
        if left is not None:
            left()
        if runner.record.state == State.SETTLED:
            tokens.tidy(account, runner.record)

    def _came_to_rest(
        self, account: Account, stored: Stored[JournalEntry], own: Session | None
    ) -> Callable[[], None] | None:
        """Do what whoever waits for the rotation counts on. Returns: what is left to do, if anything; it is owed."""
        record = stored.record
        self.parts.counted("rotation", record.state)
        log.info(
            "rotation rests",
            role=account.name,
            rotation_id=record.rotation_id,
            state=record.state,
            reason=record.reason,
            cause=record.cause,
            version=record.published_version,
            **asked_by(record),
        )

        def follow_up(pushed: bool | None) -> None:  # noqa: FBT001 - see `Chores.do`
            self.after_rest(account, self.do_chores(stored, own, pushed=pushed))

        pushed = self._push_first(account, record)
        if pushed:
            return partial(follow_up, pushed)
        follow_up(pushed)
        return None

    def _push_first(self, account: Account, record: JournalEntry) -> bool | None:
        """Hand over the version that was just published, where nothing but its row in the history is owed besides.

        Returns: Whether the plugin has it; None: it was not tried.
        """
        if record.state != State.SETTLED or set(record.owed) != {HISTORY, PUSH}:
            return None
        try:
            return self.chores.pushed(record, just_published(account, record))
        except (KvUnavailable, EngineError):
            return None

    def _abandon(self, known: Stored[JournalEntry]) -> None:
        """A creation that was interrupted before its role was stored comes to nothing; anything else waits."""
        record, entry = known.record, machine_entry(known.record)
        if entry.candidate is not None or self.parts.roles.get(record.role) is not None:
            self.leave_alone(record.username.lower(), self._least_hold_seconds)
            return
        now = self.parts.moment()
        given_up = with_entry(record, machine.withdrawn(entry, ABANDONED), now)
        given_up = replace(given_up, owed=(), refused_digest="", refused_at=None)
        try:
            self.roster.note(self.journal.put(record.username, given_up, known.version))
        except Conflict:
            return

    def _leave_chores(self, account: str) -> None:
        with self._lock:
            failed = self._chores_failed.get(account, 0) + 1
            self._chores_failed[account] = failed
        pause = min(CHORE_PAUSE_SECONDS * 2 ** min(failed - 1, 8), LONGEST_CHORE_PAUSE_SECONDS)
        self.leave_alone(account, pause)

    def _reread_quietly(self, username: str) -> None:
        try:
            self.reread(username)
        except (KvUnavailable, EngineError) as exc:
            log.warning("entry could not be read", reason=str(exc))
