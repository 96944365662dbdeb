"""Which way in a password has, and until when Salesforce keeps it open. PURE."""

from datetime import UTC, datetime
from typing import Final

from vault_salesforce_contract.api.config import Config
from vault_salesforce_contract.api.static_roles import StaticRole

SOAP_LOGIN: Final = "soap_login"
OAUTH_PASSWORD: Final = "oauth_password"  # noqa: S105 - a flow
JWT_BEARER: Final = "jwt_bearer"
CLIENT_CREDENTIALS: Final = "client_credentials"
RECORD: Final = "record"

# Source: Salesforce's release updates "SOAP API login() retirement" (Summer '27; the day is the first production
# window's) and "OAuth 2.0 username-password flow retirement" of connected apps.
ENDS: Final = {
    SOAP_LOGIN: datetime(2027, 6, 1, tzinfo=UTC),
    OAUTH_PASSWORD: datetime(2027, 2, 20, tzinfo=UTC),
}
NAMES: Final = {
    SOAP_LOGIN: "SOAP login()",
    OAUTH_PASSWORD: "OAuth's username-password flow",
    JWT_BEARER: "OAuth's JWT bearer flow",
    CLIENT_CREDENTIALS: "OAuth's client credentials flow",
    RECORD: "none: the org's record is the proof",
}


def of_role(role: StaticRole, config: Config) -> str:
    """How a role's password is proven, and its consumers most likely log in."""
    if role.verify == "record":
        return RECORD
    return OAUTH_PASSWORD if config.password_login == "oauth" else SOAP_LOGIN  # noqa: S105 - a flow


def of_connection(config: Config) -> str | None:
    """How the connection's own identity logs in; None: it has none."""
    return {"none": None, "password": SOAP_LOGIN}.get(config.auth_method, config.auth_method)
