"""The world in memory: KV with check-and-set, an org with lockout and tokens, a mailbox, time, and accidents."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from vault_plugin_sdk.framework.fields import from_stored, to_stored
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_contract.api.config import Config
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.mailbox.mail import Mail
from vault_salesforce_sidecar.rotation.handed_in import HandedIn
from vault_salesforce_sidecar.rotation.parts import Parts, PushFailed
from vault_salesforce_sidecar.rotation.start import Rotations
from vault_salesforce_sidecar.salesforce.interface import Fault, Lost, NotSent, OrgRefused, Session, User, Verdict
from vault_salesforce_sidecar.store import Conflict, KvUnavailable, KvVersion, Store

START = datetime(2030, 1, 1, tzinfo=UTC)
CALLER = Caller(request_id="req-1", display_name="operator", entity_id="ent-1", accessor="acc-1")
CRM = "integration@acme.example"
JOURNAL = "journal/integration%40acme.example"


class Killed(BaseException):
    """The process dies here."""


class ManualClock:
    """Time that only a test, or somebody who waits, moves on."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if not event.is_set():
            self.seconds += seconds
        return event.is_set()


class InlinePool:
    """Does everything at once, in the thread that asks."""

    def submit(self, work: Callable[[], None]) -> None:
        work()

    def stop(self, timeout_seconds: float) -> None:
        """Nothing runs by itself."""


@dataclass
class Accidents:
    """Counts the calls that leave the process, and kills it at one of them."""

    calls: int = 0
    kill_at: int | None = None
    after: bool = False  # the call takes effect, and nobody hears of it
    names: list[str] = field(default_factory=list)

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        self.calls += 1
        self.names.append(name)
        fatal = self.calls == self.kill_at
        if fatal and not self.after:
            raise Killed(name)
        result = call()
        if fatal:
            raise Killed(name)
        return result


class MemoryKv:
    """A KV v2 mount."""

    def __init__(self, name: str, accidents: Accidents, clock: ManualClock) -> None:
        self.name, self._accidents, self._clock = name, accidents, clock
        self.versions: dict[str, list[dict[str, Any] | None]] = {}
        self.metadata: dict[str, dict[str, Any]] = {}
        self.sealed = False
        self.lost_writes = 0  # so many writes happen and are answered with an error
        self.written_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def read(self, path: str) -> KvVersion | None:
        return self._call(f"read {path}", lambda: self._newest(path))

    def write(self, path: str, data: Mapping[str, Any], cas: int) -> int:
        def write() -> int:
            with self._lock:
                if cas != len(self.versions.get(path, ())):
                    raise Conflict(path)
                kept = self.versions.setdefault(path, [])
                limit = self.metadata.get(path, {}).get("max_versions")
                if limit:
                    kept[: len(kept) + 1 - limit] = [None] * (len(kept) + 1 - limit)
                kept.append(dict(data))
                self.written_at[path] = self._clock.seconds
                return len(kept)

        version = self._call(f"write {path}", write)
        if self.lost_writes:
            self.lost_writes -= 1
            raise KvUnavailable("no answer")
        return version

    def set_metadata(
        self, path: str, *, max_versions: int | None = None, custom_metadata: Mapping[str, str] | None = None
    ) -> None:
        def change() -> None:
            known = self.metadata.setdefault(path, {})
            if max_versions is not None:
                known["max_versions"] = max_versions
            if custom_metadata is not None:
                known["custom_metadata"] = dict(custom_metadata)

        self._call(f"metadata {path}", change)

    def list(self, prefix: str) -> list[str]:
        def names() -> list[str]:
            rests = {path.removeprefix(prefix).partition("/") for path in self.versions if path.startswith(prefix)}
            return sorted({head + slash for head, slash, _ in rests})

        return self._call(f"list {prefix}", names)

    def newest(self, path: str) -> dict[str, Any]:
        """What a person would read there."""
        return self.versions[path][-1] or {}

    def _newest(self, path: str) -> KvVersion | None:
        with self._lock:
            versions = self.versions.get(path)
            if not versions:
                return None
            return KvVersion(versions[-1], len(versions), self.metadata.get(path, {}).get("custom_metadata", {}))

    def _call(self, name: str, call: Callable[[], Any]) -> Any:
        if self.sealed:
            raise KvUnavailable("Vault is sealed", "unseal it")
        return self._accidents.around(f"{self.name}: {name}", call)


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
        self.script: dict[str, deque[str | Fault | Callable[[], None]]] = {}
        self.late: list[Callable[[], None]] = []
        self.admin: Session | None = None
        self.shows_locks = True
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
                last_password_change=f"change-{person.changes}",
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

    def log_out(self, session: Session) -> None:
        self.sessions.pop(session.id.reveal(), None)

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


class Stage:
    """One deployment: KV, org, plugin, and as many sidecars as a test starts."""

    def __init__(self, *, self_managed: bool = True, token_from: str = "none", untrusted: bool = False) -> None:
        self.accidents = Accidents()
        self.clock = ManualClock()
        self.engine_kv = MemoryKv("engine", self.accidents, self.clock)
        self.creds_kv = MemoryKv("creds", self.accidents, self.clock)
        self.mailbox = MemoryMailbox()
        self.org = ScriptedOrg(self.accidents, self.mailbox)
        self.person = self.org.add(CRM, "Old-password-1", untrusted=untrusted)
        self.pushed: dict[str, Any] = {}
        self.plugin_away = False
        self.config = Config(
            login_url="https://acme.my.salesforce.example",
            allowed_roles=("*",),
            mailbox="maildir:acme" if token_from == "mailbox" else "",
            sidecar_address="untrusted",
        )
        if not self_managed:
            self.org.become_admin()
            self.config = from_stored(
                Config,
                to_stored(self.config)
                | {"auth_method": "password", "username": "admin@acme.example", "admin_may_rotate": ["*@acme.example"]},
            )
        self.role = StaticRole(
            config="demo", username=CRM, self_managed=self_managed, security_token_from=token_from, rotation_period=3600
        )
        self.roles = Store(
            self.engine_kv, "static-roles", dump=to_stored, load=lambda data: from_stored(StaticRole, data)
        )
        self.connections = Store(self.engine_kv, "config", dump=to_stored, load=lambda data: from_stored(Config, data))
        self.connections.put("demo", self.config)

    def sidecar(self, instance: str = "one", **settings: Any) -> Rotations:
        """A sidecar that has started."""
        parts = Parts(
            engine_kv=self.engine_kv,
            creds_kv=self.creds_kv,
            roles=self.roles,
            connections=self.connections,
            open_org=lambda _: self.org,
            open_mailbox=lambda config: self.mailbox if config.mailbox else None,
            password_from_policy=lambda _: SecretStr("From-policy-1"),
            push=self._push,
            changed=lambda: None,
            clock=self.clock,
            instance=instance,
        )
        rotations = Rotations(parts, **({"pool": InlinePool()} | settings))
        rotations.start()
        return rotations

    def enrolled(self, **settings: Any) -> Rotations:
        """A sidecar with the role `crm`, whose version 1 is published."""
        rotations = self.sidecar(**settings)
        token = SecretStr(self.person.token) if self.role.security_token_from != "none" else None
        HandedIn(rotations).enrol("crm", self.role, SecretStr(self.person.password), token, CALLER)
        self.person.logins = 0
        self.accidents.calls = 0
        self.accidents.names.clear()
        return rotations

    @property
    def entry(self) -> dict[str, Any]:
        """The account's journal entry as it is stored."""
        return self.engine_kv.newest(JOURNAL)

    @property
    def published(self) -> dict[str, Any]:
        """What apps read."""
        return self.creds_kv.newest("creds/crm")

    @property
    def is_live(self) -> bool:
        """Whether what apps read logs in."""
        password, token = self.published["password"], self.published["security_token"]
        return password == self.person.password and token == (self.person.token if self.person.untrusted else "")

    def _push(self, role: str, credential: Any) -> None:
        if self.plugin_away:
            raise PushFailed("the plugin is away")
        self.accidents.around("push", lambda: self.pushed.__setitem__(role, credential))
