"""What a tick looks after: schedules, lapsed holders, mailboxes, chores owed, drift. It decides; jobs do the work."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

import structlog

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import EngineError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_contract.registration import Held
from vault_salesforce_sidecar.mailbox.mail import MailboxUnavailable
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation.asking import Situation, with_token_tried
from vault_salesforce_sidecar.rotation.beginning import Beginning, check_token_fits
from vault_salesforce_sidecar.rotation.budget import logins_left
from vault_salesforce_sidecar.rotation.carrying import Carrier
from vault_salesforce_sidecar.rotation.journal import forgotten
from vault_salesforce_sidecar.rotation.machine import FREE, REST, Request, Secret, State
from vault_salesforce_sidecar.rotation.parts import Account, open_account
from vault_salesforce_sidecar.rotation.roster import FIRST_TOKEN, Seen, forgets
from vault_salesforce_sidecar.rotation.tokens import TOKEN, newest_token, old_token
from vault_salesforce_sidecar.rotation.triggers import SCHEDULE
from vault_salesforce_sidecar.store import Conflict, KvUnavailable, Stored

log = structlog.get_logger(__name__)

SWEEP_SECONDS: Final = 15.0  # at least, between two sweeps over all roles
SWEEP_AT_ONCE: Final = 20  # roles per tick
OWN_SECONDS: Final = 2.0  # an entry of ours without a job: it may be about to get one
OTHERS_SECONDS: Final = 2.0  # between two looks at an entry that another sidecar holds
MAIL_SECONDS: Final = ((60, 1.0), (600, 5.0), (3600, 15.0))  # waited less than so long: look so often
RARE_MAIL_SECONDS: Final = 60.0
SCHEDULE_SECONDS: Final = 10.0  # before a schedule that could not begin is tried again
_SWEEP = "\0sweep"


class Watching:
    """The duties of a tick."""

    def __init__(self, carrier: Carrier, beginning: Beginning) -> None:
        self._carrier, self._beginning = carrier, beginning
        self._parts, self._roster, self._jobs = carrier.parts, carrier.roster, carrier.jobs
        self._sweep: list[str] = []
        self._swept_at = float("-inf")

    def load(self) -> None:
        """Read every role and entry, once, at start. Raises: KvUnavailable."""
        for name in self._parts.roles.list():
            self._read_role(name)
        for username in self._carrier.journal.usernames():
            self._note(username)
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
        for seen in self._roster.busy():
            if seen.record.holder == self._parts.instance and State(seen.record.state) not in REST:
                self._offer(seen.record, partial(self._take_over, seen.record.username))

    def tick(self) -> None:
        """Begin whatever is to be done now; returns at once."""
        now = self._parts.clock.now()
        self._roster.pass_windows(now)
        for name in self._roster.due(now):
            seen = self._seen_of(name)
            if seen is not None and State(seen.record.state) in FREE:
                self._offer(seen.record, partial(self._scheduled, name, seen))
        for seen in self._roster.busy():
            work = self._care(seen)
            if work is not None:
                self._offer(seen.record, work)
        self._sweep_some()

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
        self._quietly(account.name, partial(self._beginning.queued, account, stored))
        if stored.record.state == State.AWAITING_TOKEN and account.mailbox is not None:
            self._quietly(account.name, partial(self._mail, stored.record))

    def _offer(self, record: JournalEntry, work: Callable[[], None]) -> None:
        account = record.username.lower()
        if not self._carrier.rests(account):
            self._jobs.offer(account, lambda: self._quietly(record.role, work))

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
        if record.owed:
            return partial(self._owed, username)
        if state is State.AWAITING_TOKEN or record.reason == FIRST_TOKEN:
            return partial(self._mail, record)
        if record.queued and state in FREE:
            return partial(self._queued, record)
        return None

    def _scheduled(self, name: str, seen: Seen) -> None:
        if not self._beginning.trigger(name, SCHEDULE, seen.record.published_version, None):
            self._carrier.leave_alone(seen.record.username.lower(), SCHEDULE_SECONDS)

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

    def _mail(self, record: JournalEntry) -> None:
        """Try the newest mailed token, or after a long time without mail the old one, each once."""
        self._carrier.leave_alone(record.username.lower(), self._mail_seconds(record))
        account = open_account(self._parts, record.role, checked=False)  # what has left is finished
        mailed = newest_token(account, record)
        if mailed is not None:
            self._hand_in(account, record, mailed.token, mailed=True)
            return
        old = old_token(record, self._parts.clock.now()) if record.state == State.AWAITING_TOKEN else None
        if old is not None:
            self._hand_in(account, record, old, mailed=False)

    def _hand_in(self, account: Account, known: JournalEntry, token: SecretStr, *, mailed: bool) -> None:
        def change(situation: Situation, record: JournalEntry) -> JournalEntry:
            if situation.entry.state in FREE:  # no rotation waits for it: it is one of its own
                record = self._beginning.anew(situation, record, Caller(display_name="mailbox"), TOKEN)
            return with_token_tried(record, token, mailed=mailed)

        def allow(situation: Situation) -> None:
            if situation.record.state != known.state or situation.record.rotation_id != known.rotation_id:
                raise Conflict(known.username)
            check_token_fits(situation, self._carrier.mount)
            self._beginning.check_budget(situation)

        run = self._carrier.desk.ask(account, Request.TOKEN, Secret(SecretStr(""), token), change, allow)
        self._carrier.carry(run)

    def _look_for_reset(self, known: JournalEntry) -> None:
        """Somebody may reset the token of a role at rest: the mail that says so makes a new version."""
        account = open_account(self._parts, known.role, checked=False)
        if account.mailbox is None or account.trusted:
            return
        if known.mailbox_mark is None:
            self._mark_mailbox(account, account.mailbox.mark())
            return
        mailed = newest_token(account, known)
        # Who sent it is not proven: the last login is left to those who ask for one.
        if mailed is not None and logins_left(known.charges) > 1:
            self._hand_in(account, known, mailed.token, mailed=True)

    def _mark_mailbox(self, account: Account, mark: str) -> None:
        def change(situation: Situation) -> JournalEntry | None:
            free = situation.entry.state in FREE and situation.record.mailbox_mark is None
            return replace(situation.record, mailbox_mark=mark) if free else None

        stored = self._carrier.desk.edit(account, change)
        if stored is not None:
            self._roster.note(stored)

    def _mail_seconds(self, record: JournalEntry) -> float:
        waited = (self._parts.clock.now() - record.since).total_seconds() if record.since else 0
        return next((pause for limit, pause in MAIL_SECONDS if waited < limit), RARE_MAIL_SECONDS)

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
            self._forget_in_time(stored.record)
            by_mail = role is not None and role.security_token_from == "mailbox"  # noqa: S105 - where tokens come from
            if by_mail and _is_published_at_rest(stored.record):
                self._offer(stored.record, partial(self._look_for_reset, stored.record))

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
