"""The combinations: settings of an org × the way in × the way to change × who needs a security token."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from deployment import ADMIN, ADMIN_PASSWORD, PASSWORD, TOKEN, USERNAME

LOOPBACK = "127.0.0.0/8"


@dataclass(frozen=True)
class Way:
    """A way in and a way to change.

    Attributes:
        name: For people.
        config: Of the connection.
        role: Of the role.
        by_password: The user's own password opens the session of the change: what shuts login() shuts this way.
        by_admin: An administrator changes it.
    """

    name: str
    config: Mapping[str, Any] = field(default_factory=dict)
    role: Mapping[str, Any] = field(default_factory=dict)
    by_password: bool = False
    by_admin: bool = False


_ADMIN_PASSWORD = {
    "auth_method": "password",
    "username": ADMIN,
    "password": ADMIN_PASSWORD,
    "admin_may_rotate": [USERNAME],
}

_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_APP = {"client_id": "the-app", "client_secret": "app-secret"}
_JWT = {
    "client_id": _APP["client_id"],
    "private_key": _KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode(),
}
APP = _APP | {
    "kind": "connected_app",
    "flows": ["jwt_bearer", "client_credentials", "password"],
    "certificate": _KEY.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode(),
    "preauthorized_users": [USERNAME, ADMIN],
    "run_as": ADMIN,
}
_BY_ADMIN = {"self_managed": False}

WAYS = (
    Way("SOAP, Partner", by_password=True),
    Way("SOAP, Enterprise", {"soap_endpoint": "enterprise"}, by_password=True),
    Way("OAuth password", {"password_login": "oauth", **_APP}, by_password=True),
    Way("JWT as the user", _JWT, {"self_login": "jwt_bearer"}),
    Way("admin by password, REST", _ADMIN_PASSWORD, _BY_ADMIN, by_admin=True),
    Way(
        "admin by JWT, SOAP",
        {"auth_method": "jwt_bearer", "username": ADMIN, "set_password_by": "soap", "admin_may_rotate": [USERNAME]} | _JWT,
        _BY_ADMIN,
        by_admin=True,
    ),
    Way(
        "admin by client credentials, REST",
        {"auth_method": "client_credentials", "admin_may_rotate": [USERNAME]} | _APP,
        _BY_ADMIN,
        by_admin=True,
    ),
)


@dataclass(frozen=True)
class Tokens:
    """Who needs a security token, and what the operator said of it.

    Attributes:
        name: For people.
        org: Which addresses the org trusts.
        config: What the connection says of the sidecar's address.
        source: `security_token_from` of the role.
        needed: A login from the sidecar's address needs the token.
    """

    name: str
    org: Mapping[str, Any]
    config: Mapping[str, Any]
    source: str
    needed: bool


TRUSTED, UNTRUSTED = {"trusted_ranges": [LOOPBACK]}, {"trusted_ranges": []}
TOKENS = (
    Tokens("nobody needs one", TRUSTED, {"sidecar_address": "trusted"}, "none", needed=False),
    Tokens("consumers alone", TRUSTED, {"sidecar_address": "trusted"}, "mailbox", needed=False),
    Tokens("both, by mail", UNTRUSTED, {}, "mailbox", needed=True),
    Tokens("both, by hand", UNTRUSTED, {}, "manual", needed=True),
    Tokens("trusted, but nobody said so", TRUSTED, {}, "mailbox", needed=False),
    Tokens("needed, but nobody said so", UNTRUSTED, {}, "none", needed=True),
)


@dataclass(frozen=True)
class Setting:
    """What is peculiar about an org, from the moment of the rotation on.

    Attributes:
        name: For people.
        org: Settings of the org.
        user: Settings of the user.
        shuts: Which logins it keeps out: `password` (the user's own), `user` (any of the user's), `admin` (any of the
            administrator's), `change` (the change itself).
        age_days: Age of the password when the role is created.
    """

    name: str
    org: Mapping[str, Any] = field(default_factory=dict)
    user: Mapping[str, Any] = field(default_factory=dict)
    app: Mapping[str, Any] = field(default_factory=dict)
    shuts: frozenset[str] = frozenset()
    age_days: float = 2


def _shuts(*what: str) -> frozenset[str]:
    return frozenset(what)


_EVERY_POLICY = {
    "password_complexity": 4,
    "minimum_password_length": 20,
    "password_history": 24,
}

SETTINGS = (
    Setting("as it comes"),
    Setting("bare fault codes", {"faultcode_style": "bare"}),
    Setting("sessions shared between logins", {"session_id_reuse": True}),
    Setting("an administrator's change ends sessions", {"terminate_user_sessions_when_admin_resets_password": True}),
    Setting("the strictest password policy", {"password_policy": _EVERY_POLICY}),
    Setting("locked after three failures", {"password_policy": {"max_login_attempts": 3}}),
    Setting("tokens survive", {"token_reset": {"set": False, "reset": False, "change_own": False, "ui": False}}),
    Setting("an expired password", {"password_policy": {"password_expiration": 30}}, age_days=31),
    Setting("one change a day", {"password_policy": {"minimum_password_lifetime": True}}, shuts=_shuts("change"), age_days=0),
    Setting("SOAP login off", {"soap_login_enabled": False}, shuts=_shuts("password")),
    Setting("SOAP login retired", {"retire_mode": "retired"}, shuts=_shuts("password")),
    Setting("without Use Any API Auth", {}, {"use_any_api_auth": False}, shuts=_shuts("password")),
    Setting("OAuth password flow off", {"username_password_flow_blocked": True}, shuts=_shuts("oauth password")),
    Setting("an app that nobody may use", app={"preauthorized_users": [], "run_as": ""}, shuts=_shuts("app")),
    Setting("API disabled", {}, {"api_enabled": False}, shuts=_shuts("password", "user")),
    Setting("login ranges elsewhere", {}, {"login_ranges": ["203.0.113.0/24"]}, shuts=_shuts("password", "user")),
    Setting("login ranges that include us", {}, {"login_ranges": [LOOPBACK]}),
    Setting("outside of login hours", {}, {"login_hours": [22, 23]}, shuts=_shuts("password", "user")),
    Setting("a locked user", {}, {"locked": True}, shuts=_shuts("password", "user")),
    Setting("a frozen user", {}, {"frozen": True}, shuts=_shuts("password", "user")),
    Setting("a deactivated user", {}, {"active": False}, shuts=_shuts("password", "user")),
    Setting("MFA for API logins", {}, {"mfa_api": True}, shuts=_shuts("password")),
    Setting("single sign-on only", {}, {"sso_enabled": True}, shuts=_shuts("password")),
    Setting("no API requests left", {"daily_api_limit": 1}, shuts=_shuts("change")),
    Setting("under maintenance", {"maintenance": True}, shuts=_shuts("password", "user", "admin", "change")),
)

ORG = {"username_password_flow_blocked": False}
USER = {
    "username": USERNAME,
    "password": PASSWORD,
    "security_token": TOKEN,
    "ever_reset_token_manually": True,
}
ADMINISTRATOR = {
    "username": ADMIN,
    "password": ADMIN_PASSWORD,
    "security_token": None,
    "manage_users": True,
    "login_ranges": [LOOPBACK],
}
