"""The outside calls of a rotation: one function per command, each answering how it went."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final, TypeVar

from vault_salesforce_sidecar.clock import Clock
from vault_salesforce_sidecar.mailbox.mail import MailboxUnavailable
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import findings
from vault_salesforce_sidecar.rotation.credentials import Credentials
from vault_salesforce_sidecar.rotation.machine import Event, Fate, Secret, State
from vault_salesforce_sidecar.rotation.parts import Account
from vault_salesforce_sidecar.salesforce.interface import Fault, Lost, NotSent, OrgRefused, Session, User, Verdict
from vault_salesforce_sidecar.store import Conflict

RECORD_SECONDS: Final = 1.0  # the org's record of the last change counts whole seconds
CLOCKS_DIFFER: Final = timedelta(minutes=2)

Answer = TypeVar("Answer")
_EVENTS = {
    Verdict.REFUSED: Event.REFUSED,
    Verdict.TOKEN_NEEDED: Event.TOKEN_NEEDED,
    Verdict.BLOCKED: Event.BLOCKED,
}


class Charge(Enum):
    """What becomes of the account's charges."""

    KEEP = "keep"
    CLEAR = "clear"  # a login succeeded
    TAKE_BACK = "take back"  # the one written ahead did not count, or was not made
    ADD = "add"  # a fault of a change counts as a failed login


@dataclass(frozen=True)
class Outcome:
    """How a call went.

    Attributes:
        event: For the table.
        fault: What the org, or we, found wrong.
        charge: What becomes of the charges.
        changes: Fields of the journal entry to be written with the next state.
    """

    event: Event
    fault: Fault | None = None
    charge: Charge = Charge.KEEP
    changes: Mapping[str, Any] = field(default_factory=dict)


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
        self._session: Session | None = None

    @property
    def may_look(self) -> bool:
        """Whether CHECKING reads the record: an admin's session for admin rotation, else the user's own in hand."""
        if not self._account.role.self_managed:
            return True
        return self._session is not None and not self._session.password_expired

    def check(self, entry: JournalEntry) -> Outcome:
        """Read the org's record of the last change: to note it, or against what was noted."""
        try:
            user = self._find_user()
        except OrgRefused as refused:
            if self._session is not None:  # then a login says more
                self._session = None
                return Outcome(Event.LOST)
            return Outcome(Event.BLOCKED, refused.fault)
        if user is None:
            return Outcome(Event.BLOCKED, findings.NO_USER)
        if not entry.marked:
            fault = _shut(user)
            return Outcome(Event.BLOCKED, fault) if fault else self._note_mark(entry, user)
        unmoved = bool(entry.mark) and user.last_password_change == entry.mark
        if unmoved and self._account.role.self_managed and _marked_early(entry):
            self._session = None  # a login says more
            return Outcome(Event.LOST)
        return Outcome(Event.DONE if unmoved else Event.REFUSED)

    def log_in(self, entry: JournalEntry, secret: Secret) -> Outcome:
        """Open a session with this secret, and no second one. Its charge is durable already."""
        proving = entry.state == State.PROVING
        # Only an administrator's identity looks for drift later; without one the look would be a call for nothing.
        seen = self._glance() if proving and self._account.administered else None
        if seen is not None and (fault := _shut(seen)):
            return Outcome(Event.BLOCKED, fault, Charge.TAKE_BACK)
        self._ready()
        try:
            session = self._account.org.log_in(self._account.username, secret.password, secret.token)
        except OrgRefused as refused:
            self._counted("login", refused.fault.code)
            event, counts = _EVENTS[refused.fault.verdict], refused.fault.counts
            if event is Event.BLOCKED and proving and self._is_proven_by_record(entry, refused.fault):
                return Outcome(Event.DONE, None, Charge.TAKE_BACK, {"evidence": "record"})
            return Outcome(event, refused.fault, Charge.KEEP if counts else Charge.TAKE_BACK)
        self._counted("login", "done")
        told = {
            "organization_id": session.organization_id,
            "user_id": session.user_id,
            "instance_url": session.instance_url,
        }
        self._session = session
        if not proving:
            return self._mark_after_login(entry, told)
        if entry.given_password is not None and session.password_expired:
            return Outcome(Event.REFUSED, findings.EXPIRED, Charge.CLEAR, told)
        record = seen.last_password_change or "" if seen else ""
        if entry.given_password is None and record == entry.mark:
            record = ""  # it has not caught up with the change that this login proves
        return Outcome(Event.DONE, None, Charge.CLEAR, told | {"evidence": "login", "proven_record": record})

    def weigh_record(self, entry: JournalEntry) -> Outcome:
        """In place of the proving login, for a user who has none: an acknowledged change whose record moved."""
        if self._is_proven_by_record(entry, None):
            return Outcome(Event.DONE, None, Charge.KEEP, {"evidence": "record"})
        return Outcome(Event.BLOCKED, findings.UNPROVABLE)

    def change(self, entry: JournalEntry, secret: Secret) -> Outcome:
        """Send the change, once. A session that the org no longer knows is opened anew: it has applied nothing."""
        try:
            if self._account.role.self_managed:
                self._change_own(entry, secret)
            else:
                self._set_password(entry, secret)
        except OrgRefused as refused:
            if refused.fault.code == findings.DEAD_SESSION:
                self._session = None
            return Outcome(Event.REFUSED, refused.fault, Charge.ADD if refused.fault.counts else Charge.KEEP)
        return Outcome(Event.DONE)

    def publish(self, entry: JournalEntry, base: int, secret: Secret) -> Outcome:
        """Write the proven pair as the next KV version. Raises: KvUnavailable."""
        now = self._clock.now()
        # Something that was handed in may be what KV holds already; a candidate of ours is new, and seldom there.
        found = self._credentials.read(self._account.name) if entry.given_password is not None else None
        if found is None or found.secret != secret:
            try:
                version = self._credentials.publish(self._account, entry, secret, base, now)
                return _published(entry.rotation_id, version, now)
            except Conflict:
                found = self._credentials.read(self._account.name)
        if found.secret != secret:
            return Outcome(Event.REFUSED)
        if found.version == entry.published_version:
            return Outcome(Event.DONE)  # that rotation's still: a version with another id would be another one
        rotated = found.last_rotation or now
        if not entry.published_version and found.rotation_id:  # the journal was lost: it is what the label says
            return _published(found.rotation_id, found.version, rotated)
        self._credentials.label(self._account.name, entry.rotation_id, rotated)
        return _published(entry.rotation_id, found.version, rotated)

    def failed_logins(self) -> int | None:
        """The org's own count of failed logins in a row, where an administrator's session can read it."""
        if not self._account.administered:
            return None
        user = self._glance()
        return user.failed_logins if user else None

    def last_change(self) -> str | None:
        """When the password last changed, by the org's record; None where that cannot be had."""
        user = self._glance()
        return user.last_password_change if user else None

    def look_at_user(self) -> Fault | None:
        """Why this user cannot be looked after, as far as the connection's identity can see; None: nothing is seen."""
        try:
            user = self._as_admin(self._find_beside_own)
        except OrgRefused as refused:
            return refused.fault
        except (Lost, NotSent):
            return findings.UNREACHABLE
        return findings.NO_USER if user is None else _shut(user)

    def _change_own(self, entry: JournalEntry, secret: Secret) -> None:
        if self._session is None:
            raise AssertionError("a self-managed change is only sent in the session of CHECKING")
        self._ready()
        self._account.org.change_own_password(self._session, entry.current_password, secret.password)

    def _set_password(self, entry: JournalEntry, secret: Secret) -> None:
        if _marked_early(entry):
            self._clock.wait(threading.Event(), RECORD_SECONDS)  # so that the record moves

        def change(admin: Session) -> None:
            if admin.user_id[:15] == entry.user_id[:15]:
                raise OrgRefused(findings.OWN_USER)
            self._account.org.set_password(admin, entry.user_id, secret.password)

        self._as_admin(change)

    def _mark_after_login(self, entry: JournalEntry, told: Mapping[str, Any]) -> Outcome:
        """Note the mark in the new session; where that is lost, CHECKING goes on with the session in hand."""
        if entry.marked:
            return Outcome(Event.DONE, None, Charge.CLEAR, told)
        try:
            user = None if not self.may_look else self._find_user()
        except OrgRefused:
            user = None
        except (Lost, NotSent):
            return Outcome(Event.LOST, None, Charge.CLEAR, told)
        noted = self._note_mark(entry, user)
        return Outcome(noted.event, noted.fault, Charge.CLEAR, {**told, **noted.changes})

    def _note_mark(self, entry: JournalEntry, user: User | None) -> Outcome:
        changes: dict[str, Any] = {"mark": (user.last_password_change if user else None) or ""}
        if user:
            changes["user_id"] = user.user_id
        # A token mail of an earlier round still counts, so the mailbox is marked once per rotation.
        if self._account.mailbox is not None and entry.mailbox_mark is None:
            try:
                changes["mailbox_mark"] = self._account.mailbox.mark()
            except MailboxUnavailable:
                return Outcome(Event.BLOCKED, findings.MAILBOX)
        return Outcome(Event.DONE, changes=changes)

    def _is_proven_by_record(self, entry: JournalEntry, fault: Fault | None) -> bool:
        """Whether the weaker evidence is there, and good enough for this role and this fault."""
        wanted = self._account.role.verify
        no_way_in = fault is not None and wanted == "auto" and fault.code in findings.NO_WAY_IN
        good_enough = no_way_in or (fault is None and wanted == "record")
        if not good_enough or entry.fate != Fate.DONE.name.lower() or not entry.mark or entry.given_password:
            return False
        user = self._glance()
        return user is not None and bool(user.last_password_change) and user.last_password_change != entry.mark

    def _glance(self) -> User | None:
        """The user as an administrator or they themself see them now; None where that cannot be had."""
        if not self._account.administered and not self.may_look:
            return None
        try:
            return self._find_user()
        except (OrgRefused, Lost, NotSent):
            return None

    def _find_user(self) -> User | None:
        own = self._session
        if own is not None and not own.password_expired:
            self._ready()
            return self._account.org.find_user(own, self._account.username)
        return self._as_admin(lambda admin: self._account.org.find_user(admin, self._account.username))

    def _find_beside_own(self, admin: Session) -> User | None:
        user = self._account.org.find_user(admin, self._account.username)
        if user is not None and user.user_id[:15] == admin.user_id[:15]:
            raise OrgRefused(findings.OWN_USER)
        return user

    def _as_admin(self, call: Callable[[Session], Answer]) -> Answer:
        """Call with the connection's session; one that the org no longer knows has applied nothing: once more."""
        for last in (False, True):
            self._ready()
            admin = self._account.org.admin_session()
            if admin is None:
                break
            self._ready()
            try:
                return call(admin)
            except OrgRefused as refused:
                if last or refused.fault.code != findings.DEAD_SESSION:
                    raise
                self._account.org.forget_admin_session(admin)
        raise OrgRefused(findings.NO_IDENTITY)


def _marked_early(entry: JournalEntry) -> bool:
    """Whether the change may fall into the very second that the mark names: then the record does not move.

    That is so where the change before it was made about when this rotation began, by two clocks that may differ.
    """
    try:
        mark = datetime.fromisoformat(entry.mark)
        return entry.began is None or mark > entry.began - CLOCKS_DIFFER
    except (ValueError, TypeError):
        return False  # no time, or one without a zone: nothing that counts seconds


def _shut(user: User) -> Fault | None:
    """Why no login of this user can succeed now, if somebody who may look can tell."""
    if not user.is_active:
        return findings.INACTIVE
    if user.is_frozen:
        return findings.FROZEN
    return findings.LOCKED if user.is_locked else None


def _published(rotation_id: str, version: int, rotated: datetime) -> Outcome:
    changes = {"published_version": version, "published_id": rotation_id, "last_rotation": rotated}
    return Outcome(Event.DONE, changes=changes)
