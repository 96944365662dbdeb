"""What a rotation asks of a Salesforce org, and the ways in which the org does not do it."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

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
    """

    id: SecretStr
    server_url: str
    username: str
    user_id: str
    organization_id: str
    password_expired: bool = False

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
        """Set another user's password, whatever it is now; never the session's own."""

    def find_user(self, session: Session, username: str) -> User | None:
        """The user of that name, or None. A user may always look at themself."""

    def admin_session(self) -> Session | None:
        """A session of the connection's own identity, kept and shared; None where the connection has none."""

    def forget_admin_session(self, session: Session) -> None:
        """The org refused this one (INVALID_SESSION_ID): the next `admin_session` opens another."""
