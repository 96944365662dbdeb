"""An org in memory, with lockout, tokens that come by mail, and whatever a test scripts to go wrong."""

import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fakes import Accidents

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.mailbox.mail import Mail
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

Script = dict[str, deque[str | Fault | Callable[[], Any]]]


def fault(code: str, verdict: Verdict = Verdict.REFUSED, *, counts: bool = False) -> Fault:
    return Fault(code, f"{code} is the cause.", f"Mend {code}.", verdict, counts, retry_is_safe=False)


INVALID_LOGIN = fault("INVALID_LOGIN", counts=True)
NEEDS_TOKEN = fault("LOGIN_MUST_USE_SECURITY_TOKEN", Verdict.TOKEN_NEEDED, counts=True)
OLD_PASSWORD = fault("INVALID_OLD_PASSWORD", counts=True)
NEW_PASSWORD = fault("INVALID_NEW_PASSWORD")
NOT_APPROVED = fault("invalid_grant/user_hasn't_approved_this_consumer", Verdict.BLOCKED)
GRANT_LOCKED = fault("invalid_grant/user_is_locked", Verdict.BLOCKED)
EXPIRED = fault("INVALID_OPERATION_WITH_EXPIRED_PASSWORD", Verdict.BLOCKED)
API_OFF = fault("API_CURRENTLY_DISABLED", Verdict.BLOCKED)
DEAD_SESSION = fault("INVALID_SESSION_ID")
RIGHTS = frozenset(
    f"Permissions{name}" for name in ("ModifyAllData", "ManageUsers", "AuthorApex", "TwoFactorApi", "IsSsoEnabled")
)


@dataclass
class Person:
    """A user of the org."""

    username: str
    password: str
    token: str = "Token0000Reset0000Abcdef"
    untrusted: bool = True
    limit: int = 5
    used: set[str] = field(default_factory=set)
    changes: int = 0
    resets: int = 0
    fails: int = 0
    logins: int = 0
    lockouts: int = 0
    active: bool = True
    frozen: bool = False
    expired: bool = False
    expires: str | None = None  # the org's text of when the password does
    rights: set[str] = field(default_factory=set)  # columns of PermissionSet
    ended: int = 0  # sessions that were ended
    mails: bool = True  # whether a change of password mails a new token

    @property
    def locked(self) -> bool:
        return self.fails >= self.limit

    first_name: str = ""  # that a renamed user had

    @property
    def user_id(self) -> str:
        return f"005{abs(hash(self.first_name or self.username)) % 10**12:012d}AAA"


class ScriptedOrg:
    """An org with Salesforce's rules. `script` holds, by operation, what happens at its next calls."""

    longest_call_seconds = 15.0

    def __init__(self, accidents: Accidents, mailbox: "MemoryMailbox") -> None:
        self._accidents, self._mailbox = accidents, mailbox
        self.people: dict[str, Person] = {}
        self.script: Script = {}
        self.late: list[Callable[[], None]] = []
        self.admin: Session | None = None
        self.shows_locks = True
        self.record_of: Callable[[Person], str] = lambda person: f"change-{person.changes}"
        self.sessions: dict[str, str] = {}
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.queries: list[str] = []
        self.expiry_column = "PasswordExpirationDate"
        self.rows: list[tuple[str, LoginRow]] = []  # of the login history, by user id
        self.shows_history = True  # to an administrator; everybody sees their own
        self.shows_rights = True
        self.policy: dict[str, str] = {}  # as an administrator sees it
        self.apps: set[str] = set()  # the users for whom the connection's app is approved
        self.app_sessions: dict[str, Session] = {}
        self.app_grants = 0
        self.granted_at: dict[str, datetime] = {}
        self._lock = threading.RLock()

    def add(self, username: str, password: str, **settings: Any) -> Person:
        person = self.people[username] = Person(username, password, **settings)
        person.used.add(password)
        return person

    def log_in(self, username: str, password: SecretStr, security_token: SecretStr | None) -> Session:
        def log_in() -> Session:
            if username not in self.people:
                raise OrgRefused(INVALID_LOGIN)
            person = self.people[username]
            person.logins += 1
            if not person.locked and password.reveal() == person.password:
                if not person.untrusted or (security_token and security_token.reveal() == person.token):
                    person.fails = 0
                    self.note_login(person, "Success")
                    return self._session(person)
                self._fail(person, "Failed: API security token required")
                raise OrgRefused(NEEDS_TOKEN if security_token is None else INVALID_LOGIN)
            self._fail(person, "Password Lockout" if person.locked else "Invalid Password")
            raise OrgRefused(INVALID_LOGIN)

        return self._call("log_in", log_in)

    def login_history(self, session: Session, user_id: str, since: datetime) -> tuple[LoginRow, ...]:
        def find() -> tuple[LoginRow, ...]:
            own = self._of(session).user_id
            shown = self.shows_history or own == user_id
            found = [row for whose, row in self.rows if whose == user_id and row.time >= since and shown]
            return tuple(sorted(found, key=lambda row: row.time, reverse=True))

        return self._call("login_history", find)

    def password_policy(self, session: Session) -> Mapping[str, str]:
        self._of(session)
        return self.policy

    def columns(self, session: Session, sobject: str) -> frozenset[str]:
        if sobject == "User":
            return frozenset({"Username", "LastPasswordChangeDate", self.expiry_column})
        return RIGHTS

    def query(self, session: Session, soql: str) -> list[Mapping[str, Any]]:
        if " FROM User WHERE Id IN (" in soql:
            self._of(session)
            return [
                {"Id": one.user_id, "Username": one.username} for one in self.people.values() if one.user_id in soql
            ]
        if " FROM User WHERE Username IN (" in soql:
            return self._call("query", lambda: self._rows(session, soql))
        self._of(session)
        if not self.shows_rights:
            return []
        person = next(one for one in self.people.values() if one.user_id in soql)
        granted = person.rights | (
            {"PermissionsManageUsers"} if self.is_admin(person) and self.shows_history else set()
        )
        return [{"PermissionSet": {name: name in granted for name in RIGHTS}}]

    def _rows(self, session: Session, soql: str) -> list[Mapping[str, Any]]:
        """The users that a query names, as far as they are there."""
        self._of(session)
        self.queries.append(soql)
        wanted = {name.replace("\\'", "'") for name in re.findall(r"'((?:[^'\\]|\\.)*)'", soql)}
        return [
            {"Username": one.username, "LastPasswordChangeDate": self.record_of(one)}
            | ({"PasswordExpirationDate": one.expires} if self.expiry_column in soql else {})
            for one in self.people.values()
            if one.username in wanted
        ]

    def note_login(self, person: Person, status: str, source: str = "198.51.100.7", application: str = "N/A") -> None:
        """A row of the login history, of ours unless it says otherwise."""
        row = LoginRow(self.now(), status, source, application, "Other Apex API", "SOAP Partner")
        self.rows.append((person.user_id, row))

    def log_in_as(self, username: str, *, fresh: bool = False) -> Session:
        def log_in() -> Session:
            person = self.people[username]
            known = self.app_sessions.get(username)
            if known and not (fresh and self.now() - self.granted_at[username] > timedelta(minutes=1)):
                return known
            if username not in self.apps:
                raise OrgRefused(NOT_APPROVED)
            if person.locked or person.frozen or not person.active:
                raise OrgRefused(GRANT_LOCKED)
            self.app_grants += 1
            self.granted_at[username] = self.now()
            self.app_sessions[username] = replace(self._session(person), password_expired=False)
            return self.app_sessions[username]

        return self._call("log_in_as", log_in)

    def reset_password(self, session: Session, user_id: str) -> SecretStr:
        def reset() -> SecretStr:
            self._of(session)
            person = self._by_id(user_id)
            self._set(person, f"Temp-{person.changes}-x9")
            person.fails, person.expired = 0, True
            return SecretStr(person.password)

        return self._call("reset", reset)

    def unlock(self, session: Session, user_id: str) -> None:
        def unlock() -> None:
            self._of(session)
            self._by_id(user_id).fails = 0

        self._call("unlock", unlock)

    def end_sessions(self, session: Session, user_id: str) -> int:
        def end() -> int:
            self._of(session)
            person, own = self._by_id(user_id), session.id.reveal()
            ended = [name for name, whose in self.sessions.items() if whose == person.username and name != own]
            for name in ended:
                del self.sessions[name]
            person.ended += len(ended)
            return len(ended)

        return self._call("end_sessions", end)

    def change_own_password(self, session: Session, old: SecretStr, new: SecretStr) -> None:
        def change() -> None:
            person = self._of(session)
            if old.reveal() != person.password:
                self._fail(person)
                raise OrgRefused(OLD_PASSWORD)
            self._set(person, new.reveal())

        self._call("change", change)

    def set_password(self, session: Session, user_id: str, new: SecretStr) -> None:
        def change() -> None:
            self._of(session)
            self._set(self._by_id(user_id), new.reveal())

        self._call("change", change)

    def find_user(self, session: Session, username: str) -> User | None:
        def find() -> User | None:
            if self._of(session).expired:
                raise OrgRefused(EXPIRED)
            person = self.people.get(username)
            if person is None:
                return None
            sees = self.shows_locks and session == self.admin
            return User(
                user_id=person.user_id,
                username=username,
                is_active=person.active,
                last_password_change=self.record_of(person),
                failed_logins=person.fails if sees else None,
                is_locked=person.locked if sees else None,
                is_frozen=person.frozen if sees else None,
            )

        return self._call("find_user", find)

    def admin_session(self) -> Session | None:
        return self._call("admin_session", lambda: self.admin)

    def forget_admin_session(self, session: Session) -> None:
        self.app_sessions = {name: one for name, one in self.app_sessions.items() if one != session}
        if self.admin == session:
            self.become_admin()

    def land(self) -> None:
        """What was late arrives now."""
        while self.late:
            self.late.pop()()

    def become_admin(self) -> None:
        """Give the connection an identity, with a new session."""
        person = self.people.get("admin@acme.example") or self.add("admin@acme.example", "admin-password")
        self.admin = self._session(person)

    def rename(self, username: str, renamed_to: str) -> None:
        """Somebody gives a user another login name."""
        person = self.people.pop(username)
        person.first_name = person.first_name or username
        person.username = renamed_to
        self.people[renamed_to] = person
        self.sessions = {name: renamed_to if whose == username else whose for name, whose in self.sessions.items()}

    def change_by_hand(self, username: str, password: str) -> None:
        """Somebody sets another password."""
        self._set(self.people[username], password)

    def reset_token(self, username: str) -> None:
        """What the user does in personal settings."""
        person = self.people[username]
        person.resets += 1
        person.token = token_of(person.changes, person.resets)
        self._mailbox.bring(username, person.token)

    def _set(self, person: Person, password: str) -> None:
        if password in person.used:
            raise OrgRefused(NEW_PASSWORD)
        person.password = password
        person.used.add(password)
        person.changes += 1
        person.expired = False
        person.token = token_of(person.changes)
        if person.mails:
            self._mailbox.bring(person.username, person.token)

    def _fail(self, person: Person, status: str = "") -> None:
        if status:
            self.note_login(person, status)
        if person.locked:
            return
        person.fails += 1
        person.lockouts += person.locked

    def is_admin(self, person: Person) -> bool:
        return self.admin is not None and self.admin.username == person.username

    def _by_id(self, user_id: str) -> Person:
        return next(one for one in self.people.values() if one.user_id == user_id)

    def _session(self, person: Person) -> Session:
        name = f"session-{len(self.sessions)}-{person.username}"
        self.sessions[name] = person.username
        url = "https://acme.my.salesforce.example/services/Soap/u/64.0"
        return Session(SecretStr(name), url, person.username, person.user_id, "00D000000000001AAA", person.expired)

    def _of(self, session: Session) -> Person:
        username = self.sessions.get(session.id.reveal())
        if username is None:
            raise OrgRefused(DEAD_SESSION)
        return self.people[username]

    def _call(self, operation: str, call: Callable[[], Any]) -> Any:
        with self._lock:
            waiting = self.script.get(operation)
            step = waiting.popleft() if waiting else None
        if isinstance(step, Fault):
            raise OrgRefused(step)
        if step == "not sent":
            raise NotSent
        if step == "lost":
            raise Lost
        if step == "late":
            self.late.append(call)
            raise Lost
        if callable(step):
            step()
        with self._lock:
            result = self._accidents.around(f"org: {operation}", call)
        if step == "then lost":
            raise Lost
        return result


class MemoryMailbox:
    """A mailbox that holds mails in Salesforce's form."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.deleted: set[str] = set()

    def bring(self, username: str, token: str) -> None:
        key = f"mail-{len(self.mails)}"
        body = f"Username: {username}\r\n\r\nSecurity token (case-sensitive): {token}\r\n"
        head = "From: support@salesforce.com\r\nSubject: Your new Salesforce security token\r\n"
        kind = "Content-Type: text/plain; charset=utf-8\r\n\r\n"
        self.mails.append(Mail(key, (head + kind + body).encode()))

    def mark(self) -> str:
        return str(len(self.mails))

    def above(self, mark: str) -> list[Mail]:
        return [mail for mail in self.mails[int(mark) :] if mail.key not in self.deleted]

    def delete(self, key: str) -> None:
        self.deleted.add(key)

    def latest(self) -> str | None:
        return self.mark()


def token_of(changes: int, resets: int = 0) -> str:
    """A token that looks like one, and is another one after each change."""
    return f"Token{changes:04d}Reset{resets:04d}Abcdef"
