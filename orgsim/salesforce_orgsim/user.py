"""A user of the org: what an administrator set, the secrets, the lock, and what was counted."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from .password_policy import PasswordPolicy
from .user_settings import UserSettings

FOR_EVER = datetime.max.replace(tzinfo=UTC)

_DIGEST_KEY = secrets.token_bytes(32)  # what was proven is asked of this process alone


@dataclass
class ClientCount:
    """What one source address did."""

    logins: int = 0
    failed_logins: int = 0
    stale: bool = False


@dataclass
class Device:
    """An address from which a user's identity was asked for: LoginIp."""

    number: int
    source: str
    created: datetime
    challenged: datetime
    confirmed: bool = False


@dataclass
class Counters:
    """What happened to a user since the start; the names are those of the control port.

    Attributes:
        logins: Every call of login(), and every OAuth password grant, over the network, refused ones included.
        failed_logins: Those that were refused.
        grants: OAuth grants without a password (JWT bearer, client credentials), refused ones included.
        failed_grants: Those that were refused.
        logins_after_lock: Those that came while the user was locked.
        stale_logins: Logins tried by the stale consumer that lives in the simulator.
        stale_failed_logins: Those that were refused.
        lockouts: How often the user was locked by failures.
        stale_lockouts: How often the failure that locked was the stale consumer's.
        password_changes: Changes by any route.
        token_resets: How often the security token was ended or replaced.
        token_mails: How often a new one was mailed.
    """

    logins: int = 0
    failed_logins: int = 0
    grants: int = 0
    failed_grants: int = 0
    logins_after_lock: int = 0
    stale_logins: int = 0
    stale_failed_logins: int = 0
    lockouts: int = 0
    stale_lockouts: int = 0
    password_changes: int = 0
    token_resets: int = 0
    token_mails: int = 0


@dataclass
class User:
    """One user and everything that changes about it."""

    id: str
    number: int
    settings: UserSettings
    password: str = field(repr=False)
    security_token: str | None = field(repr=False)
    earlier_passwords: list[str] = field(repr=False)
    last_password_change: datetime
    temporary_password: bool = False
    expired_by_administrator: bool = False
    token_ended_by_reset: bool = False
    failed_count: int = 0
    locked_until: datetime | None = None
    last_login: datetime | None = None
    last_modified: datetime | None = None
    login_times: list[datetime] = field(default_factory=list)
    counters: Counters = field(default_factory=Counters)
    clients: dict[str, ClientCount] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    _proven: set[bytes] = field(default_factory=set, repr=False)

    @property
    def username(self) -> str:
        """The login name."""
        return self.settings.username

    @property
    def full_name(self) -> str:
        """First and last name."""
        return f"{self.settings.first_name} {self.settings.last_name}".strip()

    @property
    def may_set_passwords(self) -> bool:
        """Whether the user may set and reset the passwords of others."""
        return self.settings.manage_users or self.settings.reset_passwords

    @property
    def gets_token_by_mail(self) -> bool:
        """Whether a change of password makes Salesforce mail a new security token to this user."""
        return self.settings.ever_reset_token_manually and not self.settings.login_ranges and not self.settings.mfa_api

    def locked(self, now: datetime) -> bool:
        """Whether failures keep the user out at this moment."""
        return self.locked_until is not None and now < self.locked_until

    def lock(self, policy: PasswordPolicy, now: datetime) -> None:
        """Lock the user as long as the policy says; the lock itself puts the counter back to zero."""
        self.failed_count = 0
        minutes = policy.lockout_interval
        self.locked_until = now + timedelta(minutes=minutes) if minutes else FOR_EVER

    def unlock(self) -> None:
        """Take the lock away, and the failures with it."""
        self.locked_until = None
        self.failed_count = 0

    def prove(self, secret: str) -> None:
        """Remember that a login with this succeeded: password, with the security token behind it or not."""
        self._proven.add(_digest(secret))

    def has_proven(self, secret: str) -> bool:
        """Whether a login with exactly this ever succeeded."""
        return _digest(secret) in self._proven

    def expires(self, policy: PasswordPolicy) -> datetime | None:
        """When the password ends by its age, or None when it never does."""
        if self.settings.never_expires or not policy.password_expiration:
            return None
        return self.last_password_change + timedelta(days=policy.password_expiration)

    def password_expired(self, policy: PasswordPolicy, now: datetime) -> bool:
        """Whether the password must be changed before anything else can be done."""
        end = self.expires(policy)
        return self.temporary_password or self.expired_by_administrator or (end is not None and now >= end)


def _digest(secret: str) -> bytes:
    return hmac.digest(_DIGEST_KEY, secret.encode(), hashlib.sha256)
