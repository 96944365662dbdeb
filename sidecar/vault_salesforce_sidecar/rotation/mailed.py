"""Mailed security tokens: when a mailbox is looked into for a role, and what is done with what is found."""

import threading
from dataclasses import replace
from typing import Final

import structlog

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_sidecar.mailbox.mail import Mail, Mailbox, MailboxUnavailable, MarkOfAnother
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation.asking import Situation, with_token_tried
from vault_salesforce_sidecar.rotation.beginning import Beginning, check_token_fits
from vault_salesforce_sidecar.rotation.budget import logins_left
from vault_salesforce_sidecar.rotation.carrying import Carrier
from vault_salesforce_sidecar.rotation.machine import FREE, Request, Secret, State
from vault_salesforce_sidecar.rotation.parts import Account, open_account
from vault_salesforce_sidecar.rotation.tokens import TOKEN, MailedToken, newest_token, old_token
from vault_salesforce_sidecar.store import Conflict

log = structlog.get_logger(__name__)

MAIL_SECONDS: Final = ((60, 1.0), (600, 5.0), (3600, 15.0))  # waited less than so long: look so often
RARE_MAIL_SECONDS: Final = 60.0
UNAVAILABLE_SECONDS: Final = 5.0  # before a mailbox that could not be read is asked again
MOST_TOLD: Final = 10_000  # refused mails of which the log has been told


class Mailed:
    """Looks for mailed tokens of the roles that wait for one, and of those whose token somebody may have reset."""

    def __init__(self, carrier: Carrier, beginning: Beginning) -> None:
        self._carrier, self._beginning, self._parts = carrier, beginning, carrier.parts
        self._lock = threading.Lock()
        self._look_at: dict[str, float] = {}  # by account, by the monotonic clock
        self._looked: dict[str, tuple[str, str]] = {}  # by account at rest: its mark, and how far it was looked
        self._faults: dict[str, str] = {}
        self._told: set[tuple[str, str]] = set()

    def arrived(self) -> None:
        """A mail came, to whomever: whoever waits for one looks at the next tick."""
        with self._lock:
            self._look_at.clear()

    def is_due(self, record: JournalEntry) -> bool:
        """Whether to look for this account's mail now."""
        with self._lock:
            return self._look_at.get(record.username.lower(), float("-inf")) <= self._parts.clock.monotonic()

    def fault(self, username: str) -> str | None:
        """Why the last look into this account's mailbox failed; None: it did not."""
        with self._lock:
            return self._faults.get(username.lower())

    def look(self, record: JournalEntry) -> None:
        """Try the newest mailed token, or after a long time without mail the old one, each once."""
        self._look_again_in(record, self._seconds(record))
        account = open_account(self._parts, record.role, checked=False)  # what has left is finished
        try:
            mailed = newest_token(account, record, self._refused)
        except MailboxUnavailable as exc:
            self._note_fault(account, str(exc))
            self._look_again_in(record, UNAVAILABLE_SECONDS)
            mailed = None
        else:
            self._note_fault(account, None)
        if mailed is not None:
            self._take(account, record, mailed)
            return
        old = old_token(record, self._parts.clock.now()) if record.state == State.AWAITING_TOKEN else None
        if old is not None:
            log.info("no mail came: the old token is tried once", role=account.name, username=account.username)
            self._hand_in(account, record, old, mailed=False)

    def look_for_reset(self, known: JournalEntry) -> None:
        """Somebody may reset the token of a role at rest: the mail that says so makes a new version."""
        account = open_account(self._parts, known.role, checked=False)
        if account.mailbox is None or account.trusted:
            return
        try:
            self._look_at_rest(account, account.mailbox, known)
        except MailboxUnavailable as exc:
            self._note_fault(account, str(exc))
        else:
            self._note_fault(account, None)

    def _look_at_rest(self, account: Account, mailbox: Mailbox, known: JournalEntry) -> None:
        username, mark = known.username.lower(), known.mailbox_mark
        if mark is None:
            self._mark(account, mailbox.mark(), None)
            return
        latest = mailbox.latest()
        with self._lock:
            before, looked = self._looked.get(username, ("", ""))
        if before == mark and looked == latest:
            return
        try:
            mailed = newest_token(account, known, self._refused)
        except MarkOfAnother:
            self._mark(account, mailbox.mark(), mark)
            return
        if mailed is None:
            with self._lock:
                self._looked[username] = (mark, latest or "")
        # Who sent it is not proven: the last login is left to those who ask for one.
        elif logins_left(known.charges) > 1:
            self._take(account, known, mailed)

    def _take(self, account: Account, known: JournalEntry, mailed: MailedToken) -> None:
        log.info("mail taken", role=account.name, username=account.username, key=mailed.key)
        self._hand_in(account, known, mailed.token, mailed=True)

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

    def _mark(self, account: Account, mark: str, known: str | None) -> None:
        def change(situation: Situation) -> JournalEntry | None:
            free = situation.entry.state in FREE and situation.record.mailbox_mark == known
            return replace(situation.record, mailbox_mark=mark) if free else None

        stored = self._carrier.desk.edit(account, change)
        if stored is not None:
            self._carrier.roster.note(stored)

    def _refused(self, account: Account, mail: Mail, why: str) -> None:
        """Say once that a mail that names the user is not taken."""
        with self._lock:
            told = (account.username.lower(), mail.key)
            if told in self._told:
                return
            if len(self._told) >= MOST_TOLD:
                self._told.clear()
            self._told.add(told)
        log.info("mail refused", role=account.name, username=account.username, key=mail.key, reason=why)

    def _note_fault(self, account: Account, fault: str | None) -> None:
        username = account.username.lower()
        with self._lock:
            before = self._faults.get(username)
            if fault is None:
                self._faults.pop(username, None)
            else:
                self._faults[username] = fault
        if fault is not None and fault != before:
            log.warning("mailbox cannot be read", role=account.name, username=account.username, reason=fault)

    def _look_again_in(self, record: JournalEntry, seconds: float) -> None:
        with self._lock:
            self._look_at[record.username.lower()] = self._parts.clock.monotonic() + seconds

    def _seconds(self, record: JournalEntry) -> float:
        waited = (self._parts.clock.now() - record.since).total_seconds() if record.since else 0
        return next((pause for limit, pause in MAIL_SECONDS if waited < limit), RARE_MAIL_SECONDS)
