"""An org in memory, with lockout, tokens that come by mail, and whatever a test scripts to go wrong."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fakes import Accidents

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.mailbox.mail import Mail
from vault_salesforce_sidecar.salesforce.interface import Fault, Lost, NotSent, OrgRefused, Session, User, Verdict

Script = dict[str, deque[str | Fault | Callable[[], Any]]]


def fault(code: str, verdict: Verdict = Verdict.REFUSED, *, counts: bool = False) -> Fault:
    return Fault(code, f"{code} is the cause.", f"Mend {code}.", verdict, counts, retry_is_safe=False)


INVALID_LOGIN = fault("INVALID_LOGIN", counts=True)
NEEDS_TOKEN = fault("LOGIN_MUST_USE_SECURITY_TOKEN", Verdict.TOKEN_NEEDED, counts=True)
OLD_PASSWORD = fault("INVALID_OLD_PASSWORD", counts=True)
NEW_PASSWORD = fault("INVALID_NEW_PASSWORD")
API_OFF = fault("API_CURRENTLY_DISABLED", Verdict.BLOCKED)
DEAD_SESSION = fault("INVALID_SESSION_ID")


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
    mails: bool = True  # whether a change of password mails a new token

    @property
    def locked(self) -> bool:
        return self.fails >= self.limit

    @property
    def user_id(self) -> str:
        return f"005{abs(hash(self.username)) % 10**12:012d}AAA"


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
        self._lock = threading.RLock()

    def add(self, username: str, password: str, **settings: Any) -> Person:
        person = self.people[username] = Person(username, password, **settings)
        person.used.add(password)
        return person

    def log_in(self, username: str, password: SecretStr, security_token: SecretStr | None) -> Session:
        def log_in() -> Session:
            person = self.people[username]
            person.logins += 1
            if not person.locked and password.reveal() == person.password:
                if not person.untrusted or (security_token and security_token.reveal() == person.token):
                    person.fails = 0
                    return self._session(person)
                self._fail(person)
                raise OrgRefused(NEEDS_TOKEN if security_token is None else INVALID_LOGIN)
            self._fail(person)
            raise OrgRefused(INVALID_LOGIN)

        return self._call("log_in", log_in)

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
            self._set(next(one for one in self.people.values() if one.user_id == user_id), new.reveal())

        self._call("change", change)

    def find_user(self, session: Session, username: str) -> User | None:
        def find() -> User | None:
            self._of(session)
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

    def _fail(self, person: Person) -> None:
        if person.locked:
            return
        person.fails += 1
        person.lockouts += person.locked

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


def token_of(changes: int, resets: int = 0) -> str:
    """A token that looks like one, and is another one after each change."""
    return f"Token{changes:04d}Reset{resets:04d}Abcdef"
