"""Open sessions: how one came about, and what it is still good for."""

import secrets
import string
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from . import ids
from .addresses import inside
from .app_settings import AppSettings
from .faults import FaultError
from .org_settings import OrgSettings
from .password_policy import PasswordPolicy
from .user import User

API, OAUTH = "API", "Oauth2"
SOAP_LOGIN_TYPE = "Other Apex API"
OAUTH_LOGIN_TYPE = "Remote Access 2.0"

_ALPHABET = string.ascii_letters + string.digits + "._"
_LENGTH = 96
_TRANSACTION_SECURITY = {
    "no_access": "TXN_SECURITY_NO_ACCESS",
    "two_fa_required": "TXN_SECURITY_TWO_FA_REQUIRED",
    "end_a_session": "TXN_SECURITY_END_A_SESSION",
}
_NOT_FOR_REST = "This session is not valid for use with the REST API"


@dataclass(frozen=True)
class Origin:
    """How a session came about.

    Attributes:
        source: Address of the client; empty when a test opened the session.
        kind: `API` or `Oauth2`.
        login_type: As LoginHistory has it.
        login_row: Number of its row of LoginHistory; 0 is none.
        app: The app that it was granted to.
        scope: Scopes of the grant.
    """

    source: str = ""
    kind: str = API
    login_type: str = SOAP_LOGIN_TYPE
    login_row: int = 0
    app: AppSettings | None = None
    scope: str = ""


@dataclass
class Session:
    """An open session: whose it is, how it came about, and when it was last used."""

    id: str = field(repr=False)
    number: int
    user: User
    origin: Origin
    created: datetime
    last_used: datetime
    uses: int = 0

    @property
    def delete_token(self) -> str:
        """What OauthToken shows of an access token: enough to revoke it, and nothing else."""
        return f"d{self.id[:15]}{self.number:08d}"

    def alive(self, timeout_seconds: int, now: datetime) -> bool:
        """Whether it was used recently enough."""
        return now < self.last_used + timedelta(seconds=timeout_seconds)


def new_session_id(org_id: str) -> str:
    """Make a session id of the form that Salesforce uses."""
    return f"{ids.shorten(org_id)}!{''.join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))}"


def check(session: Session, settings: OrgSettings, source: str) -> None:
    """Refuse a session that the org's or the user's settings have made useless.

    Args:
        session: The session.
        settings: The org's.
        source: Address of the client that brings it; empty is not looked at.

    Raises:
        FaultError: It is of no use.
    """
    user = session.user.settings
    if not user.active:
        raise FaultError("INVALID_SESSION_ID")
    if source and settings.lock_sessions_to_ip and session.origin.source not in {"", source}:
        raise FaultError("INVALID_SESSION_ID", _NOT_FOR_REST)
    ranges = user.login_ranges if settings.enforce_ip_ranges_every_request else ()
    if source and ranges and not inside(source, ranges):
        raise FaultError("INVALID_SESSION_ID", _NOT_FOR_REST)
    if user.high_assurance:
        raise FaultError("INVALID_SESSION_ID", _NOT_FOR_REST)
    if not user.api_enabled:
        raise FaultError("API_CURRENTLY_DISABLED")
    if settings.transaction_security != "off":
        raise FaultError(_TRANSACTION_SECURITY[settings.transaction_security])


def check_password(session: Session, policy: PasswordPolicy, now: datetime) -> None:
    """Refuse a session of an expired password, which is good for setting the password and nothing else.

    Raises:
        FaultError: INVALID_OPERATION_WITH_EXPIRED_PASSWORD.
    """
    if session.user.password_expired(policy, now):
        raise FaultError("INVALID_OPERATION_WITH_EXPIRED_PASSWORD")
