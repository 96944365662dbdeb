"""What a tick looks after: schedules, lapsed holders, mailboxes, chores owed, drift. It decides; jobs do the work."""

from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from vault_plugin_sdk.logical.errors import EngineError
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_contract.registration import Held
from vault_salesforce_sidecar.mailbox.mail import MailboxUnavailable
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation.beginning import Beginning
from vault_salesforce_sidecar.rotation.carrying import Carrier
from vault_salesforce_sidecar.rotation.hands import each
from vault_salesforce_sidecar.rotation.index import Index, Indexing
from vault_salesforce_sidecar.rotation.journal import forgotten
from vault_salesforce_sidecar.rotation.machine import FREE, REST, State
from vault_salesforce_sidecar.rotation.mailed import Mailed
from vault_salesforce_sidecar.rotation.moving import Moving
from vault_salesforce_sidecar.rotation.parts import Account, open_account
from vault_salesforce_sidecar.rotation.roster import FIRST_TOKEN, Seen, forgets
from vault_salesforce_sidecar.rotation.scheduling import Scheduling
from vault_salesforce_sidecar.store import Conflict, KvUnavailable, Stored

log = structlog.get_logger(__name__)

MOVE_SECONDS: Final = 60.0  # a move of a role to another account that takes longer has broken off
SWEEP_SECONDS: Final = 15.0  # at least, between two sweeps over all roles
SWEEP_AT_ONCE: Final = 20  # roles per tick
OWN_SECONDS: Final = 2.0  # an entry of ours without a job: it may be about to get one
OTHERS_SECONDS: Final = 2.0  # between two looks at an entry that another sidecar holds
_SWEEP = "\0sweep"


class Watching:
    """The duties of a tick."""

    def __init__(self, carrier: Carrier, beginning: Beginning) -> None:
        self._carrier, self._beginning = carrier, beginning
        self._parts, self._roster, self._jobs = carrier.parts, carrier.roster, carrier.jobs
        self._sweep: list[str] = []
        self._swept_at = float("-inf")
        self._moving = Moving(carrier)
        self._indexing = Indexing(Index(carrier.parts.engine_kv), carrier, self._hear)
        self.mailed = Mailed(carrier, beginning)
        self.saw: Callable[[JournalEntry], None] = lambda _: None  # told of every entry that a sweep reads
        self.scheduling = Scheduling(carrier, beginning, self._offer)

    def load(self) -> None:
        """Read every role and entry, once, at start. Raises: KvUnavailable."""
        each(self._read_role, self._parts.roles.list())
        each(self._note, self._carrier.journal.usernames())
        self._load_former()
        self._swept_at = self._parts.clock.monotonic()

    def meet(self) -> None:
        """Read the roles that another sidecar made since the last sweep. Raises: KvUnavailable."""
        for name in self._roster.unknown(self._parts.roles.list()):
            role = self._read_role(name)
            if role is not None:
                self._note(role.username)

    def resume(self) -> None:
        """Take over at once what a process of our own name left in hand."""
        if self._parts.holds.stopping() is not None:
            return
        for seen in self._roster.busy():
            if seen.record.holder == self._parts.instance and State(seen.record.state) not in REST:
                self._offer(seen.record, partial(self._take_over, seen.record.username))

    def tick(self) -> None:
        """Begin whatever is to be done now; returns at once. Under a hold that stops everything it only reads."""
        if self._parts.holds.stopping() is None:
            self.scheduling.tick()
            for seen in self._roster.busy():
                work = self._care(seen)
                if work is not None:
                    self._offer(seen.record, work)
        self._sweep_some()
        self._indexing.tick()

    def _load_former(self) -> None:
        """Deleted roles go on counting, and the plugin holds their last version too."""
        known = self._roster.held()
        for name in self._carrier.credentials.names():
            found = self._carrier.credentials.read(name) if name not in known else None
            if found is not None and found.version and found.rotation_id:
                self._roster.remember_former(name, Held(found.version, found.rotation_id))

    def after_rest(self, account: Account, stored: Stored[JournalEntry]) -> None:
        """What need not wait for a tick: the rotation queued behind this one, and a mail that was faster than we were.

        Each moment with a new password and no proof is one in which somebody who still has the old one may lock the
        user.
        """
        self.scheduling.note_limit(account.role.config, stored.record)
        self._quietly(account.name, partial(self._beginning.queued, account, stored))
        is_stopped = self._parts.holds.stopping() is not None
        if stored.record.state == State.AWAITING_TOKEN and account.mailbox is not None and not is_stopped:
            self._quietly(account.name, partial(self.mailed.look, stored.record))

    def _offer(self, record: JournalEntry, work: Callable[[], None]) -> bool:
        account = record.username.lower()
        if self._carrier.rests(account):
            return False
        return self._jobs.offer(account, lambda: self._quietly(record.role, work))

    def _quietly(self, role: str, work: Callable[[], None]) -> None:
        try:
            work()
        except (EngineError, KvUnavailable, Conflict, MailboxUnavailable) as exc:
            log.warning("a duty is left for later", role=role, reason=str(exc))
            account = self._seen_of(role)
            if account is not None:
                self._carrier.leave_alone(account.record.username.lower(), OTHERS_SECONDS)

    def _care(self, seen: Seen) -> Callable[[], None] | None:
        """What an entry needs now."""
        record = seen.record
        state = State(record.state)
        username = record.username
        if state not in REST:
            age = self._parts.clock.monotonic() - seen.since
            ours = record.holder in ("", self._parts.instance)
            if age >= (OWN_SECONDS if ours else record.hold_seconds):
                return partial(self._take_over, username)
            return None if ours else partial(self._look_again, username)
        if record.moving_to or record.moved_from:
            lasts = self._parts.clock.monotonic() - seen.since
            return partial(self._moving.mend, username) if lasts >= MOVE_SECONDS else None
        if record.owed:
            return partial(self._owed, username)
        if state is State.AWAITING_TOKEN or record.reason == FIRST_TOKEN:
            return partial(self.mailed.look, record) if self.mailed.is_due(record) else None
        if record.queued and state in FREE:
            return partial(self._queued, record)
        return None

    def _take_over(self, username: str) -> None:
        """Take over, if the entry has not moved since it was seen to be as it is."""
        before = self._roster.seen(username)
        stored = self._carrier.reread(username)
        if stored is None or before is None or stored.version != before.stored.version:
            return
        if State(stored.record.state) not in REST:
            self._carrier.take_over(username, stored)

    def _look_again(self, username: str) -> None:
        self._carrier.leave_alone(username.lower(), OTHERS_SECONDS)
        self._carrier.reread(username)

    def _owed(self, username: str) -> None:
        stored = self._carrier.reread(username)
        if stored is not None and stored.record.owed and State(stored.record.state) in REST:
            self._carrier.do_chores(stored)

    def _queued(self, record: JournalEntry) -> None:
        stored = self._carrier.reread(record.username)
        if stored is not None:
            self._beginning.queued(open_account(self._parts, record.role), stored)

    def _sweep_some(self) -> None:
        """See what other sidecars did: some roles per tick, all of them in turn."""
        now = self._parts.clock.monotonic()
        if not self._sweep and now - self._swept_at < SWEEP_SECONDS:
            return
        self._jobs.offer(_SWEEP, lambda: self._quietly("", self._sweep_next))

    def _sweep_next(self) -> None:
        if not self._sweep:
            self._swept_at = self._parts.clock.monotonic()
            self._sweep = self._parts.roles.list()
            for name in set(self._roster.roles()) - set(self._sweep):
                self._roster.forget_role(name)
            for seen in self._roster.entries():
                if seen.record.state == State.DELETED:
                    self._forget_in_time(seen.record)
        names, self._sweep = self._sweep[:SWEEP_AT_ONCE], self._sweep[SWEEP_AT_ONCE:]
        for name in names:
            role = self._read_role(name)
            stored = self._note(role.username) if role else None
            if stored is None:
                continue
            self.saw(stored.record)
            self._forget_in_time(stored.record)
            by_mail = role is not None and role.security_token_from == "mailbox"  # noqa: S105 - where tokens come from
            if by_mail and _is_published_at_rest(stored.record) and self._parts.holds.stopping() is None:
                self._offer(stored.record, partial(self.mailed.look_for_reset, stored.record))

    def _hear(self, account: str, role: str) -> None:
        """Another sidecar wrote this account's entry."""
        if self._roster.role(role) is None:
            self._read_role(role)
        self._note(account)

    def _forget_in_time(self, record: JournalEntry) -> None:
        if forgets(record, self._parts.clock.now()):
            self._offer(record, partial(self._forget, record.username))

    def _forget(self, username: str) -> None:
        stored = self._carrier.reread(username)
        if stored is not None:
            record = forgotten(stored.record, self._parts.clock.now())
            self._roster.note(self._carrier.journal.put(username, record, stored.version))

    def _read_role(self, name: str) -> StaticRole | None:
        try:
            stored = self._parts.roles.get(name)
        except (EngineError, ValueError) as exc:
            log.warning("a role is left alone", role=name, reason=str(exc))
            return None
        if stored is None:
            self._roster.forget_role(name)
            return None
        self._roster.know_role(name, stored.record)
        return stored.record

    def _note(self, username: str) -> Stored[JournalEntry] | None:
        try:
            return self._carrier.reread(username)
        except EngineError as exc:
            log.warning("a journal entry is left alone", account=username, reason=str(exc))
            return None

    def _seen_of(self, name: str) -> Seen | None:
        role = self._roster.role(name)
        return self._roster.seen(role.username) if role else None


def _is_published_at_rest(record: JournalEntry) -> bool:
    return State(record.state) in FREE and record.published_version > 0
