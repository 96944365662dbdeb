"""What a rotation asks of a Salesforce org, and the ways in which the org does not do it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Protocol

from vault_plugin_sdk.framework.secretstr import SecretStr


class Verdict(Enum):
    """What a fault judges."""

    REFUSED = "refused"  # the credential, or the request itself
    TOKEN_NEEDED = "token_needed"  # noqa: S105 - the password is right, but no security token came with it
    BLOCKED = "blocked"  # neither: login hours, API off, login() retired, limits, maintenance


@dataclass(frozen=True)
class Fault:
    """What the org answered instead of doing it, by the one table of faults.

    Attributes:
        code: Salesforce's code, such as `INVALID_LOGIN`.
        cause: One sentence: what is the matter.
        remedy: One sentence: what to do about it.
        verdict: What it judges.
        counts: Whether it counts towards a lockout of the user.
        retry_is_safe: Whether the identical call may be sent again by itself.
    """

    code: str
    cause: str
    remedy: str
    verdict: Verdict
    counts: bool
    retry_is_safe: bool


class OrgRefused(Exception):  # noqa: N818 - an answer
    """The org answered with a fault: nothing of this call was applied, though an earlier copy of it may have been."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.code}: {fault.cause}")
        self.fault = fault


class Lost(Exception):  # noqa: N818 - an outcome
    """The call was sent and no readable answer came: it may have been applied, or may be yet."""


class NotSent(Exception):  # noqa: N818 - an outcome
    """No connection was made: the org has not heard of the call."""


@dataclass(frozen=True)
class Session:
    """A session at the org.

    Attributes:
        id: What authenticates its calls.
        server_url: Where SOAP calls of this session go.
        username: Whose it is.
        user_id: 18-character id of the user.
        organization_id: 18-character id of the org.
        password_expired: Good for setting the password and nothing else.
        is_sandbox: Whether the org is a sandbox; None: the answer did not say.
    """

    id: SecretStr
    server_url: str
    username: str
    user_id: str
    organization_id: str
    password_expired: bool = False
    is_sandbox: bool | None = None

    @property
    def instance_url(self) -> str:
        """Scheme and host of the org: where REST calls go."""
        scheme, _, rest = self.server_url.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"


@dataclass(frozen=True)
class User:
    """A user as somebody who may look sees them.

    Attributes:
        user_id: 18-character id.
        username: Login name.
        is_active: False: deactivated.
        last_password_change: Salesforce's text of the time of the last change, which counts whole seconds.
        failed_logins: Failed logins in a row; None where the org does not say.
        is_locked: Locked by failed logins; None where it cannot be seen.
        is_frozen: Frozen by an administrator; None where it cannot be seen.
    """

    user_id: str
    username: str
    is_active: bool
    last_password_change: str | None
    failed_logins: int | None = None
    is_locked: bool | None = None
    is_frozen: bool | None = None


@dataclass(frozen=True)
class LoginRow:
    """A row of the org's LoginHistory.

    Attributes:
        time: When, by the org's clock.
        status: `Success`, or Salesforce's words of why not, such as `Invalid Password`.
        source_ip: Address that the login came from.
        application: What the client calls itself.
        login_type: Such as `Other Apex API`.
        api_type: Such as `SOAP Partner`; empty where the login was not one by API.
    """

    time: datetime
    status: str
    source_ip: str
    application: str
    login_type: str
    api_type: str


class Org(Protocol):
    """One org, through one connection.

    Every call is sent at most once, takes at most `longest_call_seconds`, and raises `OrgRefused`, `Lost` or `NotSent`.
    """

    longest_call_seconds: float

    def log_in(self, username: str, password: SecretStr, security_token: SecretStr | None) -> Session:
        """Open a session of a user with their own password; None: without a token."""

    def change_own_password(self, session: Session, old: SecretStr, new: SecretStr) -> None:
        """Change the password of the session's own user."""

    def set_password(self, session: Session, user_id: str, new: SecretStr) -> None:
        """Set another user's password, whatever it is now; one's own only in the session of an expired password."""

    def log_in_as(self, username: str, *, fresh: bool = False) -> Session:
        """Open a session of a user by the connection's app, without their password (JWT bearer); kept and shared.

        A fresh one, opened within a minute, tells what one that lives on does not: that the user is locked, frozen or
        kept out by now.

        Raises OrgRefused also where the connection has no app that could.
        """

    def reset_password(self, session: Session, user_id: str) -> SecretStr:
        """Have the org give another user a random temporary password, which is returned; it also unlocks them."""

    def unlock(self, session: Session, user_id: str) -> None:
        """Clear the lock that failed logins put on another user."""

    def end_sessions(self, session: Session, user_id: str) -> int:
        """End every session of a user but the one given; how many there were."""

    def login_history(self, session: Session, user_id: str, since: datetime) -> tuple[LoginRow, ...]:
        """A user's logins since a time of the org's clock, newest first, at most 200. Rows may come minutes late."""

    def query(self, session: Session, soql: str) -> list[Mapping[str, Any]]:
        """The records of a query that changes nothing; values as JSON has them, without `attributes`."""

    def columns(self, session: Session, sobject: str) -> frozenset[str]:
        """The names of the fields of an object that this session sees; kept for a while. A query for others fails."""

    def password_policy(self, session: Session) -> Mapping[str, str]:
        """The org's password policy, as `policies` reads it; kept for a while. Empty where this session sees none."""

    def find_user(self, session: Session, username: str) -> User | None:
        """The user of that name, or None. A user may always look at themself."""

    def admin_session(self) -> Session | None:
        """A session of the connection's own identity, kept and shared; None where the connection has none."""

    def forget_admin_session(self, session: Session) -> None:
        """The org refused this one (INVALID_SESSION_ID): the next `admin_session` opens another."""
