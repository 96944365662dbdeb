"""The org: its settings, users, sessions and login history, and what is asked of them from several places."""

import secrets
import string
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import RLock
from typing import Any

from . import ids
from .addresses import inside
from .app_settings import AppSettings
from .apps import App, Credentials, new_app
from .clock import OrgClock
from .faults import FaultError
from .password_policy import PasswordPolicy
from .reading import SettingsError, change
from .sessions import Origin, Session, check, check_password, new_session_id
from .settings import Config
from .user import Device, User
from .user_settings import UserSettings

BASE62 = string.ascii_letters + string.digits
TOKEN_LENGTHS = (24, 25, 25, 25)
LOGIN_ROWS_KEPT = 100_000
LOGIN_ROWS_KEPT_PER_USER = 10_000

_WITHOUT_ORIGIN = Origin()


@dataclass(frozen=True)
class LoginRow:
    """One row of LoginHistory."""

    number: int
    user: User
    time: datetime
    status: str
    source: str
    login_url: str
    login_type: str
    api_type: str
    api_version: str
    application: str


@dataclass(frozen=True)
class ChangeSeen:
    """A password change that has just been applied, with the credential that it ended."""

    user: User
    password: str = field(repr=False)
    security_token: str = field(repr=False)


def new_security_token() -> str:
    """Make a security token of the lengths that Salesforce uses."""
    return "".join(secrets.choice(BASE62) for _ in range(secrets.choice(TOKEN_LENGTHS)))


class Org:
    """One Salesforce org.

    Every method holds `lock` while it looks or changes, and never while it waits for anything; callers that need
    several looks at one moment take it too.
    """

    def __init__(self, config: Config, clock: OrgClock) -> None:
        self._config = config
        self.clock = clock
        self.lock = RLock()
        self._listeners: list[Callable[[ChangeSeen], None]] = []
        self.reset()

    @property
    def id(self) -> str:
        """The organization's id."""
        return ids.numbered(ids.ORGANIZATION, self.settings.organization_number)

    def reset(self) -> None:
        """Be the org as it was at the start."""
        with self.lock:
            self.clock.reset()
            self.settings = self._config.org
            self.users: dict[str, User] = {}
            self.history: deque[LoginRow] = deque(maxlen=LOGIN_ROWS_KEPT)
            self.history_count = 0
            self._history_of: dict[str, deque[LoginRow]] = {}
            self.api_requests = 0
            self.failures_by_source: dict[str, int] = {}
            self.cursors: dict[str, list[dict[str, Any]]] = {}
            self.apps: list[App] = []
            self._by_id: dict[str, User] = {}
            self._session_count = 0
            self._device_count = 0
            self._sessions: dict[str, Session] = {}
            self._sessions_of: dict[str, dict[str, Session]] = {}
            self._profiles: dict[str, str] = {}
            for settings in self._config.users:
                self.add_user(settings)
            for app in self._config.apps:
                self.add_app(app)

    def add_user(self, settings: UserSettings) -> User:
        """Create a user.

        Raises:
            SettingsError: The user name is taken.
        """
        with self.lock:
            if self.user(settings.username):
                raise SettingsError([f"There is a user {settings.username} already."])
            number = len(self.users) + 1
            user = User(
                id=ids.numbered(ids.USER, number),
                number=number,
                settings=settings,
                password=settings.password,
                security_token=settings.security_token,
                earlier_passwords=[settings.password],
                last_password_change=self.clock.now() - timedelta(days=settings.password_age_days),
                temporary_password=settings.temporary_password,
            )
            self.users[settings.username.lower()] = user
            self._by_id[ids.shorten(user.id)] = user
            return user

    def add_app(self, settings: AppSettings) -> App:
        """Create an app.

        Raises:
            SettingsError: The client id is taken.
        """
        with self.lock:
            if self.app(settings.client_id):
                raise SettingsError([f"There is an app {settings.client_id} already."])
            app = new_app(len(self.apps) + 1, settings, self.clock.now())
            self.apps.append(app)
            return app

    def app(self, key: str) -> tuple[App, Credentials] | None:
        """Find an app by a consumer key that works, with the credentials that the key belongs to."""
        now = self.clock.now()
        found = ((app, app.with_key(key, now)) for app in self.apps if app.known(now))
        return next(((app, credentials) for app, credentials in found if credentials), None)

    def user(self, username: str) -> User | None:
        """Find a user by login name, capitals or not."""
        return self.users.get(username.lower())

    def rename(self, user: User, username: str) -> None:
        """Give a user another login name, as an administrator does; it stays the same user.

        Raises:
            SettingsError: The name is taken.
        """
        with self.lock:
            if self.user(username) not in (None, user):
                raise SettingsError([f"There is a user {username} already."])
            del self.users[user.username.lower()]
            user.settings = replace(user.settings, username=username)
            user.last_modified = self.clock.now()
            self.users[username.lower()] = user

    def user_by_id(self, record_id: str) -> User | None:
        """Find a user by an id of either length."""
        return self._by_id.get(ids.shorten(record_id))

    def profile_id(self, profile: str) -> str:
        """Return the id of a profile, which is made when it is first asked for."""
        with self.lock:
            return self._profiles.setdefault(profile, ids.numbered(ids.PROFILE, len(self._profiles) + 1))

    def change_settings(self, document: Any) -> None:
        """Lay a JSON object over the org's settings.

        Raises:
            SettingsError: With every fault found; nothing is changed then.
        """
        with self.lock:
            self.settings = change(self.settings, document, "org")

    def policy(self, user: User) -> PasswordPolicy:
        """Return the password rules that hold for a user."""
        return self.settings.policy_for(user.settings.profile)

    def trusts(self, user: User, source: str) -> bool:
        """Say whether a login from this address needs no security token."""
        return inside(source, self.settings.trusted_ranges) or inside(source, user.settings.login_ranges)

    def freeze(self, user: User, *, frozen: bool) -> None:
        """Freeze a user, or end that."""
        with self.lock:
            user.settings = replace(user.settings, frozen=frozen)
            user.last_modified = self.clock.now()

    def device(self, user: User, source: str) -> Device:
        """Find or make the record of an address from which a user's identity is asked for."""
        with self.lock:
            now = self.clock.now()
            if source not in user.devices:
                self._device_count += 1
                user.devices[source] = Device(self._device_count, source, now, now)
            return user.devices[source]

    def open_session(self, user: User, origin: Origin = _WITHOUT_ORIGIN, *, reuse: bool | None = None) -> Session:
        """Open a session for a user.

        Args:
            user: Whose.
            origin: How it comes about.
            reuse: Give back one that the user has already; None follows `session_id_reuse`.
        """
        with self.lock:
            now = self.clock.now()
            if self.settings.session_id_reuse if reuse is None else reuse:
                for session in self.sessions_of(user):
                    if session.origin.kind == origin.kind and session.origin.app == origin.app:
                        session.last_used, session.origin = now, origin
                        return session
            self._session_count += 1
            session = Session(new_session_id(self.id), self._session_count, user, origin, now, now)
            self._sessions[session.id] = session
            self._sessions_of.setdefault(user.id, {})[session.id] = session
            return session

    def session(self, session_id: str) -> Session | None:
        """Find an open session, without taking that for a use of it."""
        with self.lock:
            session = self._sessions.get(session_id)
            alive = session and session.alive(self.settings.session_timeout, self.clock.now())
            return session if alive else None

    def sessions(self) -> list[Session]:
        """Return every open session, the oldest first."""
        with self.lock:
            now, timeout = self.clock.now(), self.settings.session_timeout
            return [session for session in self._sessions.values() if session.alive(timeout, now)]

    def sessions_of(self, user: User) -> list[Session]:
        """Return the open sessions of one user, the oldest first."""
        with self.lock:
            now, timeout = self.clock.now(), self.settings.session_timeout
            return [one for one in self._sessions_of.get(user.id, {}).values() if one.alive(timeout, now)]

    def use_session(self, session_id: str, *, for_password: bool = False, source: str = "") -> Session:
        """Let a request use a session, which counts towards the daily limit.

        Args:
            session_id: What the request brought.
            for_password: The request sets a password, which is all that an expired one still allows.
            source: Address of the client.

        Raises:
            FaultError: The session is over or of no use here, the limit is reached, or the user's password has expired.
        """
        with self.lock:
            session = self.session(session_id)
            if session is None:
                raise FaultError("INVALID_SESSION_ID")
            check(session, self.settings, source)
            self.api_requests += 1
            if self.api_requests > self.settings.daily_api_limit:
                raise FaultError("REQUEST_LIMIT_EXCEEDED")
            if not for_password:
                check_password(session, self.policy(session.user), self.clock.now())
            session.last_used = self.clock.now()
            session.uses += 1
            return session

    def end_session(self, session_id: str) -> None:
        """End a session for everybody who holds its id."""
        with self.lock:
            session = self._sessions.pop(session_id, None)
            if session:
                del self._sessions_of[session.user.id][session_id]

    def end_sessions_of(self, user: User) -> None:
        """End every session of a user."""
        with self.lock:
            for session_id in self._sessions_of.pop(user.id, {}):
                del self._sessions[session_id]

    def write_history(self, row: LoginRow) -> None:
        """Add a row to the login history."""
        with self.lock:
            self.history_count += 1
            self.history.append(row)
            self._history_of.setdefault(row.user.id, deque(maxlen=LOGIN_ROWS_KEPT_PER_USER)).append(row)

    def logins_of(self, user: User) -> Sequence[LoginRow]:
        """Return the rows of one user, oldest first."""
        with self.lock:
            return tuple(self._history_of.get(user.id, ()))

    def on_change(self, listener: Callable[[ChangeSeen], None]) -> None:
        """Have a function called after each password change, while the org's lock is held."""
        self._listeners.append(listener)

    def tell(self, seen: ChangeSeen) -> None:
        """Tell the listeners of a password change."""
        for listener in self._listeners:
            listener(seen)
