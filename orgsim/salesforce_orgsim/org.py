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
from .clock import OrgClock
from .faults import FaultError
from .password_policy import PasswordPolicy
from .reading import SettingsError, change
from .settings import Config, OrgSettings, UserSettings
from .user import User

BASE62 = string.ascii_letters + string.digits
TOKEN_LENGTHS = (24, 25, 25, 25)
LOGIN_ROWS_KEPT = 100_000
LOGIN_ROWS_KEPT_PER_USER = 10_000

_SESSION_ALPHABET = BASE62 + "._"
_SESSION_LENGTH = 96


@dataclass
class Session:
    """An open session: whose it is, and when it was last used."""

    id: str = field(repr=False)
    user: User
    last_used: datetime


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

    def reset(self) -> None:
        """Be the org as it was at the start."""
        with self.lock:
            self.clock.reset()
            self.id = ids.numbered(ids.ORGANIZATION, 1)
            self.settings: OrgSettings = self._config.org
            self.users: dict[str, User] = {}
            self.history: deque[LoginRow] = deque(maxlen=LOGIN_ROWS_KEPT)
            self.history_count = 0
            self._history_of: dict[str, deque[LoginRow]] = {}
            self.api_requests = 0
            self.failures_by_source: dict[str, int] = {}
            self.cursors: dict[str, list[dict[str, Any]]] = {}
            self._by_id: dict[str, User] = {}
            self._sessions: dict[str, Session] = {}
            self._profiles: dict[str, str] = {}
            for settings in self._config.users:
                self.add_user(settings)

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

    def user(self, username: str) -> User | None:
        """Find a user by login name, capitals or not."""
        return self.users.get(username.lower())

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

    def open_session(self, user: User) -> Session:
        """Open a session for a user."""
        with self.lock:
            now = self.clock.now()
            if self.settings.session_id_reuse:
                for session in self._sessions.values():
                    if session.user is user and self._alive(session, now):
                        session.last_used = now
                        return session
            text = "".join(secrets.choice(_SESSION_ALPHABET) for _ in range(_SESSION_LENGTH))
            session = Session(f"{ids.shorten(self.id)}!{text}", user, now)
            self._sessions[session.id] = session
            return session

    def session(self, session_id: str) -> Session | None:
        """Find an open session, without taking that for a use of it."""
        with self.lock:
            session = self._sessions.get(session_id)
            return session if session and self._alive(session, self.clock.now()) else None

    def use_session(self, session_id: str, *, for_password: bool = False) -> Session:
        """Let a request use a session, which counts towards the daily limit.

        Args:
            session_id: What the request brought.
            for_password: The request sets a password, which is all that an expired one still allows.

        Raises:
            FaultError: The session is over, the limit is reached, or the user's password has expired.
        """
        with self.lock:
            session = self.session(session_id)
            if session is None or not session.user.settings.active:
                raise FaultError("INVALID_SESSION_ID")
            if not session.user.settings.api_enabled:
                raise FaultError("API_CURRENTLY_DISABLED")
            self.api_requests += 1
            if self.api_requests > self.settings.daily_api_limit:
                raise FaultError("REQUEST_LIMIT_EXCEEDED")
            now = self.clock.now()
            if not for_password and session.user.password_expired(self.policy(session.user), now):
                raise FaultError("INVALID_OPERATION_WITH_EXPIRED_PASSWORD")
            session.last_used = now
            return session

    def end_session(self, session_id: str) -> None:
        """End a session for everybody who holds its id."""
        with self.lock:
            self._sessions.pop(session_id, None)

    def end_sessions_of(self, user: User) -> None:
        """End every session of a user."""
        with self.lock:
            for session in [session for session in self._sessions.values() if session.user is user]:
                del self._sessions[session.id]

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

    def _alive(self, session: Session, now: datetime) -> bool:
        return now < session.last_used + timedelta(seconds=self.settings.session_timeout)
