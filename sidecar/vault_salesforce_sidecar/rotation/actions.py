"""The outside calls of a rotation: one function per command, each answering how it went."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from vault_salesforce_sidecar.clock import Clock
from vault_salesforce_sidecar.mailbox.mail import MailboxUnavailable
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import findings
from vault_salesforce_sidecar.rotation.budget import may_log_in, unforgiven
from vault_salesforce_sidecar.rotation.credentials import Credentials
from vault_salesforce_sidecar.rotation.machine import CURRENT, Event, Fate, Secret, State
from vault_salesforce_sidecar.rotation.outcome import Charge, Outcome
from vault_salesforce_sidecar.rotation.parts import Account, Way
from vault_salesforce_sidecar.rotation.publishing import publish
from vault_salesforce_sidecar.rotation.renamed import gone, is_another, renamed_to
from vault_salesforce_sidecar.rotation.sessions import Sessions, shut
from vault_salesforce_sidecar.salesforce import login_history
from vault_salesforce_sidecar.salesforce.interface import (
    Fault,
    LoginRow,
    Lost,
    NotSent,
    OrgRefused,
    Session,
    User,
    Verdict,
)
from vault_salesforce_sidecar.salesforce.login_rows import visible_logins

RECORD_SECONDS: Final = 1.0  # the org's record of the last change counts whole seconds
CLOCKS_DIFFER: Final = timedelta(minutes=2)
# In place of a record that the session of an expired password does not show: it is no longer so after a change.
EXPIRED_MARK: Final = "expired"
_EVENTS = {
    Verdict.REFUSED: Event.REFUSED,
    Verdict.TOKEN_NEEDED: Event.TOKEN_NEEDED,
    Verdict.BLOCKED: Event.BLOCKED,
}


class Actions:
    """The calls of one rotation of one account; it keeps the user's session for as long as it lives.

    Every call may raise NotSent and Lost, and `publish` KvUnavailable: the runner decides what follows.

    Args:
        account: Whose.
        credentials: Where it is published.
        clock: Time.
        ready: Called before each call to the org: returns once the hold outlasts the call.
        counted: Told ("login", result).
    """

    def __init__(
        self,
        account: Account,
        credentials: Credentials,
        clock: Clock,
        ready: Callable[[], None],
        counted: Callable[[str, str], None],
    ) -> None:
        self._account, self._credentials, self._clock = account, credentials, clock
        self._ready, self._counted = ready, counted
        self._sessions = Sessions(account, clock, ready)

    @property
    def may_look(self) -> bool:
        """Whether CHECKING reads the record."""
        return self._sessions.may_look

    @property
    def own_session(self) -> Session | None:
        """The user's session, where a login with the password opened one."""
        return self._sessions.own

    def check(self, entry: JournalEntry) -> Outcome:
        """Read the org's record of the last change: to note it, or against what was noted."""
        by_admin = self._by_admin(entry)
        try:
            user = self._sessions.find_user(by_admin=by_admin)
            if user is not None and by_admin and not entry.marked:
                self._sessions.check_named(user.user_id)
        except OrgRefused as refused:
            return Outcome(Event.BLOCKED, refused.fault) if by_admin else self._unseen(entry, refused.fault)
        if user is None or (not entry.marked and is_another(user, entry.user_id)):
            return gone(self._renamed_to(entry), user)
        if not entry.marked:
            fault = shut(user) or self._no_password_login(user, by_admin=by_admin)
            if fault is None and self._is_spent(counted := unforgiven(user.failed_logins, entry.forgiven)):
                return Outcome(Event.NO_BUDGET, None, Charge.TAKE_BACK, counted=counted)  # before anything is changed
            return Outcome(Event.BLOCKED, fault) if fault else self._note_mark(entry, user)
        unmoved = bool(entry.mark) and user.last_password_change == entry.mark
        if unmoved and not self._waits_for_the_record(entry) and _marked_early(entry):
            self._sessions.own = None  # a login says more
            return Outcome(Event.LOST)
        return Outcome(Event.DONE if unmoved else Event.REFUSED)

    def reset(self, entry: JournalEntry) -> Outcome:
        """Have the org make a temporary password, as an administrator; the answer is what is live then."""
        org = self._account.org
        try:
            user = self.find_user()
            if user is None or is_another(user, entry.user_id):
                return gone(self._renamed_to(entry), user)
            if (fault := shut(user)) and fault is not findings.LOCKED:
                return Outcome(Event.BLOCKED, fault)
            user_id = user.user_id
            self._sessions.check_named(user_id)
            temporary = self._sessions.as_admin(lambda admin: org.reset_password(admin, user_id))
        except OrgRefused as refused:
            return Outcome(Event.BLOCKED, refused.fault)
        changes = {"user_id": user_id, "way": Way.ADMIN_RESET.value}
        return Outcome(Event.DONE, changes=changes, current=Secret(temporary))

    def log_in(self, entry: JournalEntry, secret: Secret) -> Outcome:
        """Open a session with this secret, and no second one. Its charge is durable already."""
        proving = entry.state == State.PROVING
        # Where nobody but the user could look, it would be a call for nothing: nobody looks for drift later either.
        seen = self._sessions.glance() if self._account.sees_record else None
        counted = unforgiven(seen.failed_logins, entry.forgiven) if seen else None
        if seen is not None and (fault := shut(seen)):
            return Outcome(Event.BLOCKED, fault, Charge.TAKE_BACK, counted=counted)
        another = seen is not None and entry.given_password is None and is_another(seen, entry.user_id)
        if (name := self._renamed_to(entry) if seen is None or another else "") or another:
            return replace(gone(name, seen), charge=Charge.TAKE_BACK)
        if self._is_spent(counted):
            return Outcome(Event.NO_BUDGET, None, Charge.TAKE_BACK, counted=counted)
        self._ready()
        sent = self._clock.now()
        try:
            session = self._account.org.log_in(self._account.username, secret.password, secret.token)
        except OrgRefused as refused:
            self._counted("login", refused.fault.code)
            fault = self._explained(refused.fault, entry, sent)
            event = _EVENTS[fault.verdict]
            if event is Event.BLOCKED and proving and (record := self._record_that_proves(entry, fault)):
                return Outcome(Event.DONE, None, Charge.TAKE_BACK, _by_record(record), counted)
            return Outcome(event, fault, Charge.KEEP if fault.counts else Charge.TAKE_BACK, counted=counted)
        self._counted("login", "done")
        told = {
            "organization_id": session.organization_id,
            "user_id": session.user_id,
            "instance_url": session.instance_url,
            "renamed_to": "",
        }
        self._sessions.own = session
        if not proving:
            return self._mark_after_login(entry, told)
        if entry.given_password is not None and self._has_expired(session):
            return Outcome(Event.REFUSED, findings.EXPIRED, Charge.CLEAR, told)
        record = seen.last_password_change or "" if seen else ""
        if entry.given_password is None and record == entry.mark:
            record = ""  # it has not caught up with the change that this login proves
        return Outcome(Event.DONE, None, Charge.CLEAR, told | {"evidence": "login", "proven_record": record})

    def weigh_record(self, entry: JournalEntry) -> Outcome:
        """In place of the proving login, for a user who has none: an acknowledged change whose record moved."""
        if record := self._record_that_proves(entry, None):
            # A change that was lost before it was charged, and its old password has been right since.
            charge = Charge.CLEAR if self._account.by_app else Charge.KEEP
            return Outcome(Event.DONE, None, charge, _by_record(record))
        return Outcome(Event.BLOCKED, findings.UNPROVABLE)

    def change(self, entry: JournalEntry, secret: Secret) -> Outcome:
        """Send the change, once. A session that the org no longer knows is opened anew: it has applied nothing."""
        by_admin = self._by_admin(entry)
        judges = self._account.by_app and not by_admin  # it is charged as a login is: see `machine.Event.OLD_REFUSED`
        try:
            way = self._set_password(entry, secret) if by_admin else self._change_own(entry, secret)
        except OrgRefused as refused:
            fault = refused.fault
            if fault.code == findings.DEAD_SESSION:
                self._sessions.own = None
            if fault.code == findings.NEW_PASSWORD:
                fault = findings.new_password_refused(fault, self._account.role.password_policy)
            if not judges:
                return Outcome(Event.REFUSED, fault, Charge.ADD if fault.counts else Charge.KEEP)
            event = Event.OLD_REFUSED if fault.code == findings.OLD_PASSWORD else Event.REFUSED
            return Outcome(event, fault, Charge.KEEP if fault.counts else Charge.TAKE_BACK)
        changes = {} if entry.way == Way.ADMIN_RESET else {"way": way}
        return Outcome(Event.DONE, None, Charge.TAKE_BACK if judges else Charge.KEEP, changes)

    def publish(self, entry: JournalEntry, base: int, secret: Secret) -> Outcome:
        """Write the proven pair as the next KV version. Raises: KvUnavailable."""
        return publish(self._credentials, self._account, entry, base, secret, now=self._clock.now())

    def failed_logins(self, forgiven: int = 0) -> int | None:
        """The org's own count of failed logins in a row, where somebody besides the password may read it.

        Args:
            forgiven: Of these, the ones that somebody has looked into.
        """
        if not self._account.sees_record:
            return None
        user = self._sessions.glance()
        return unforgiven(user.failed_logins, forgiven) if user else None

    def find_user(self) -> User | None:
        """The user as the connection's identity sees them. Raises: OrgRefused also where that is this very user."""
        return self._sessions.as_admin(self._find_beside_own)

    def look_at_user(self) -> Fault | None:
        """Why this user cannot be looked after, as far as the connection's identity can see; None: nothing is seen."""
        return self._look_at_user(to_set=not self._account.role.self_managed)

    def look_before_set(self) -> Fault | None:
        """The same for an administrator who is to set this user's password."""
        return self._look_at_user(to_set=True)

    def _look_at_user(self, *, to_set: bool) -> Fault | None:
        try:
            user = self.find_user()
            if user is not None and to_set:
                self._sessions.check_named(user.user_id)
        except OrgRefused as refused:
            return refused.fault
        except (Lost, NotSent):
            return findings.UNREACHABLE
        return findings.NO_USER if user is None else shut(user) or self._no_password_login(user, by_admin=True)

    def _no_password_login(self, user: User, *, by_admin: bool) -> Fault | None:
        """Why no login could prove a password of this user: then none is changed."""
        if self._account.role.verify == "record" or self._sessions.own is not None:
            return None
        return self._sessions.no_password_login(user.user_id, by_admin=by_admin)

    def _by_admin(self, entry: JournalEntry) -> bool:
        return entry.by_admin or not self._account.role.self_managed

    def _waits_for_the_record(self, entry: JournalEntry) -> bool:
        """Whether a change is sent only when the record must move with it: then it tells whether it landed."""
        return self._by_admin(entry) or self._account.by_app

    def _unseen(self, entry: JournalEntry, fault: Fault) -> Outcome:
        """The record could not be read in the user's own session."""
        if self._sessions.own is not None:  # then a login says more
            self._sessions.own = None
            return Outcome(Event.LOST)
        if fault.code == findings.EXPIRED_SESSION and not entry.marked:
            return self._note_mark(entry, None, EXPIRED_MARK)
        if fault.code == findings.EXPIRED_SESSION and entry.mark == EXPIRED_MARK:
            return Outcome(Event.DONE)
        unsure = entry.fate != Fate.UNSENT.name.lower() and CURRENT not in entry.refused
        if self._account.by_app and unsure and self._account.role.verify != "record":
            self._sessions.app_shut = True  # a change was sent, so a login is worth its attempt
            return Outcome(Event.LOST)
        return Outcome(Event.BLOCKED, fault)

    def _has_expired(self, session: Session) -> bool:
        """Whether what just logged in has expired; a session by OAuth shows it at its first call alone."""
        by_oauth = self._account.config.password_login == "oauth"  # noqa: S105 - the name of a way in
        if session.password_expired or not by_oauth:
            return session.password_expired
        try:
            self._sessions.find_user()
        except OrgRefused as refused:
            return refused.fault.code == findings.EXPIRED_SESSION
        except (Lost, NotSent):
            return False
        return False

    def _is_spent(self, counted: int | None) -> bool:
        """Whether one more failed login might lock the user, by the org's own count and limit."""
        if not counted or self._account.role.verify == "record":
            return False
        return not may_log_in(counted, self._sessions.lockout_limit())

    def _explained(self, fault: Fault, entry: JournalEntry, sent: datetime) -> Fault:
        """A refused login as the user's login history tells of it, where somebody may look; it is read once."""
        if fault.code not in login_history.AMBIGUOUS:
            return fault
        try:
            rows = self._logins_since(entry, sent - login_history.CLOCKS_DIFFER)
        except (OrgRefused, Lost, NotSent):
            rows = None
        return fault if rows is None else login_history.explained(fault, rows)

    def _logins_since(self, entry: JournalEntry, since: datetime) -> tuple[LoginRow, ...] | None:
        """The user's logins as they themself or an administrator see them; None where nobody may look."""
        org, own = self._account.org, self._sessions.may_look and self._account.role.self_managed
        if own and not self._account.administered:
            return self._sessions.as_user(
                lambda session: visible_logins(org, session, session.user_id, since), to_look=True
            )
        if not self._account.administered:
            return None
        user_id = entry.user_id or getattr(self._sessions.find_user(), "user_id", "")
        return self._sessions.as_admin(lambda admin: visible_logins(org, admin, user_id, since)) if user_id else None

    def _renamed_to(self, entry: JournalEntry) -> str:
        return renamed_to(self._account, entry.user_id, self._sessions.as_admin)

    def _change_own(self, entry: JournalEntry, secret: Secret) -> str:
        """The user changes their own password; by which way it was."""
        org, own, new = self._account.org, self._sessions.own, secret.password
        if own is None and not self._account.by_app:
            raise AssertionError("a self-managed change is only sent in the session of CHECKING")
        if own is None:
            self._let_the_record_move(entry)
        expired = own.password_expired if own else entry.mark == EXPIRED_MARK
        try:
            self._sessions.as_user(lambda session: org.change_own_password(session, entry.current_password, new))
        except OrgRefused as refused:
            if not expired or refused.fault.code not in findings.SET_WANTED:
                raise
        else:
            return Way.OWN_PASSWORD if own else Way.OWN_APP
        # The one session in which a user may set their own password, and only after it was refused to change it.
        self._sessions.as_user(
            lambda session: org.set_password(replace(session, password_expired=True), session.user_id, new)
        )
        return Way.OWN_EXPIRED

    def _set_password(self, entry: JournalEntry, secret: Secret) -> str:
        """An administrator sets the password; by which way it was."""
        self._let_the_record_move(entry)
        self._sessions.check_named(entry.user_id)

        def change(admin: Session) -> None:
            if admin.user_id[:15] == entry.user_id[:15]:
                raise OrgRefused(findings.OWN_USER)
            self._account.org.set_password(admin, entry.user_id, secret.password)

        self._sessions.as_admin(change)
        return Way.ADMIN_SET

    def _let_the_record_move(self, entry: JournalEntry) -> None:
        if _marked_early(entry):
            self._clock.wait(threading.Event(), RECORD_SECONDS)

    def _mark_after_login(self, entry: JournalEntry, told: Mapping[str, Any]) -> Outcome:
        """Note the mark in the new session; where that is lost, CHECKING goes on with the session in hand."""
        if entry.marked:
            return Outcome(Event.DONE, None, Charge.CLEAR, told)
        try:
            user = None if not self.may_look else self._sessions.find_user()
        except OrgRefused as refused:
            user, own = None, self._sessions.own
            if own is not None and refused.fault.code == findings.EXPIRED_SESSION:  # a session by OAuth says so late
                self._sessions.own = replace(own, password_expired=True)
        except (Lost, NotSent):
            return Outcome(Event.LOST, None, Charge.CLEAR, told)
        noted = self._note_mark(entry, user)
        return Outcome(noted.event, noted.fault, Charge.CLEAR, {**told, **noted.changes})

    def _note_mark(self, entry: JournalEntry, user: User | None, mark: str = "") -> Outcome:
        changes: dict[str, Any] = {"mark": (user.last_password_change if user else None) or mark}
        if user:
            changes["user_id"] = user.user_id
        # A token mail of an earlier round still counts, so the mailbox is marked once per rotation.
        if self._account.mailbox is not None and entry.mailbox_mark is None:
            self._ready()
            try:
                changes["mailbox_mark"] = self._account.mailbox.mark()
            except MailboxUnavailable as exc:
                return Outcome(Event.BLOCKED, findings.no_mailbox(str(exc)))
        return Outcome(Event.DONE, changes=changes)

    def _record_that_proves(self, entry: JournalEntry, fault: Fault | None) -> str:
        """The org's record, where this weaker evidence is there, and good enough for this role and this fault."""
        wanted = self._account.role.verify
        no_way_in = fault is not None and wanted == "auto" and fault.code in findings.NO_WAY_IN
        good_enough = no_way_in or (fault is None and wanted == "record")
        if not good_enough or entry.fate != Fate.DONE.name.lower() or not entry.mark or entry.given_password:
            return ""
        user = self._sessions.glance()
        record = user.last_password_change if user else None
        return record if record and record != entry.mark else ""

    def _find_beside_own(self, admin: Session) -> User | None:
        user = self._account.org.find_user(admin, self._account.username)
        if user is not None and user.user_id[:15] == admin.user_id[:15]:
            raise OrgRefused(findings.OWN_USER)
        return user


def _by_record(record: str) -> dict[str, str]:
    return {"evidence": "record", "proven_record": record}


def _marked_early(entry: JournalEntry) -> bool:
    """Whether the change may fall into the very second that the mark names: then the record does not move.

    That is so where the change before it was made about when this rotation began, by two clocks that may differ.
    """
    try:
        mark = datetime.fromisoformat(entry.mark)
        return entry.began is None or mark > entry.began - CLOCKS_DIFFER
    except (ValueError, TypeError):
        return False  # no time, or one without a zone: nothing that counts seconds
