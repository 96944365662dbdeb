"""The combinations: settings of an org, by the way in and to change, by who needs a security token."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from deployment import ADMIN, ADMIN_PASSWORD, PASSWORD, TOKEN, USERNAME

LOOPBACK: Final = "127.0.0.0/8"

# How a combination ends.
ROTATED: Final = "rotated and proven"
UNCHANGED: Final = "refused before anything changed"
PARKED: Final = "parked with all secrets kept"

# What the session of a change is opened with.
SOAP, OAUTH, JWT, IDENTITY = "soap", "oauth", "jwt", "identity"


@dataclass(frozen=True)
class Way:
    """A way in and a way to change.

    Attributes:
        name: For people.
        kind: What the session of the change is opened with.
        config: Of the connection.
        role: Of the role.
        thorough: It meets every token situation; one that differs little from another meets two.
    """

    name: str
    kind: str
    config: Mapping[str, Any] = field(default_factory=dict)
    role: Mapping[str, Any] = field(default_factory=dict)
    thorough: bool = True


_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_APP = {"client_id": "the-app", "client_secret": "app-secret"}
_JWT = {
    "client_id": _APP["client_id"],
    "private_key": _KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode(),
}
_BY_ADMIN = {"self_managed": False}
_MAY = {"admin_may_rotate": [USERNAME]}
_ADMIN_PASSWORD = {"auth_method": "password", "username": ADMIN, "password": ADMIN_PASSWORD}

WAYS: Final = (
    Way("SOAP, Partner", SOAP),
    Way("SOAP, Enterprise", SOAP, {"soap_endpoint": "enterprise"}, thorough=False),
    Way("OAuth password", OAUTH, {"password_login": "oauth", **_APP}),
    Way("JWT as the user", JWT, _JWT, {"self_login": "jwt_bearer"}),
    Way("admin by password, REST", IDENTITY, _ADMIN_PASSWORD | _MAY, _BY_ADMIN),
    Way(
        "admin by JWT, SOAP",
        IDENTITY,
        {"auth_method": "jwt_bearer", "username": ADMIN, "set_password_by": "soap"} | _JWT | _MAY,
        _BY_ADMIN,
    ),
    Way(
        "admin by client credentials",
        IDENTITY,
        {"auth_method": "client_credentials"} | _APP | _MAY,
        _BY_ADMIN,
        thorough=False,
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
        arrives: A new token comes to whoever waits for it.
        waits: A change is followed by waiting for a token.
        first: In the first two, which every way meets.
    """

    name: str
    org: Mapping[str, Any]
    config: Mapping[str, Any]
    source: str
    arrives: bool = True
    waits: bool = True
    first: bool = False


TRUSTED, UNTRUSTED = {"trusted_ranges": [LOOPBACK]}, {"trusted_ranges": []}
TOKENS: Final = (
    Tokens("nobody needs one", TRUSTED, {"sidecar_address": "trusted"}, "none", waits=False, first=True),
    Tokens("consumers alone", TRUSTED, {"sidecar_address": "trusted"}, "mailbox", waits=False),
    Tokens("both, by mail", UNTRUSTED, {}, "mailbox", first=True),
    Tokens("both, by hand", UNTRUSTED, {}, "manual"),
    Tokens("trusted, but nobody said so", TRUSTED, {}, "mailbox"),
    Tokens("needed, but nobody said so", UNTRUSTED, {}, "none", arrives=False),
)


@dataclass(frozen=True)
class Setting:
    """What is peculiar about an org from the moment of the rotation on.

    Attributes:
        name: For people.
        org: Settings of the org.
        user: Settings of the user.
        app: Settings of the app.
        shuts: For which kinds of way nothing may change.
        strands: For which kinds a change cannot be proven, and nothing tells so beforehand.
        mails: A change of password mails a new token.
        tokens_live: A change of password leaves the token as it is.
        no_login: For whom no login proves anything: the record does, and no token is waited for in vain.
        by_record: For whom the record proves as well, but a login is refused only once it brings its token.
        least: The limit of failures is so low that, once the old token was tried, a new one waits for an unlock.
        age_days: Age of the password when the role is created.
        thorough: As of a way.
    """

    name: str
    org: Mapping[str, Any] = field(default_factory=dict)
    user: Mapping[str, Any] = field(default_factory=dict)
    app: Mapping[str, Any] = field(default_factory=dict)
    shuts: frozenset[str] = frozenset()
    strands: frozenset[str] = frozenset()
    mails: bool = True
    tokens_live: bool = False
    no_login: frozenset[str] = frozenset()
    by_record: frozenset[str] = frozenset()
    least: bool = False
    age_days: float = 2
    thorough: bool = True


EVERY: Final = frozenset({SOAP, OAUTH, JWT, IDENTITY})
BY_ITSELF: Final = EVERY - {IDENTITY}
BY_OTHERS: Final = frozenset({JWT, IDENTITY})
SOAP_ALONE: Final = frozenset({SOAP})
_STRICTEST = {"password_complexity": 4, "minimum_password_length": 20, "password_history": 24}
_SURVIVE = {"set": False, "reset": False, "change_own": False, "ui": False}

SETTINGS: Final = (
    Setting("as it comes"),
    Setting("bare fault codes", {"faultcode_style": "bare"}, thorough=False),
    Setting("sessions shared between logins", {"session_id_reuse": True}, thorough=False),
    Setting("an administrator's change ends sessions", {"terminate_user_sessions_when_admin_resets_password": True}),
    Setting("the strictest password policy", {"password_policy": _STRICTEST}, thorough=False),
    Setting("locked after three failures", {"password_policy": {"max_login_attempts": 3}}, least=True),
    Setting("tokens survive", {"token_reset": _SURVIVE}, tokens_live=True),
    Setting("an expired password", {"password_policy": {"password_expiration": 30}}, age_days=31),
    Setting(
        "one change a day",
        {"password_policy": {"minimum_password_lifetime": True}},
        shuts=EVERY,
        age_days=0,
        thorough=False,
    ),
    Setting("SOAP login off", {"soap_login_enabled": False}, shuts=SOAP_ALONE, no_login=BY_OTHERS),
    Setting("SOAP login retired", {"retire_mode": "retired"}, shuts=SOAP_ALONE, no_login=BY_OTHERS),
    Setting("without Use Any API Auth", {}, {"use_any_api_auth": False}, shuts=SOAP_ALONE, no_login=BY_OTHERS),
    Setting("OAuth password flow off", {"username_password_flow_blocked": True}, shuts=frozenset({OAUTH})),
    Setting("an app that nobody may use", app={"preauthorized_users": [], "run_as": ""}, shuts=frozenset({OAUTH, JWT})),
    Setting("API disabled", {}, {"api_enabled": False}, shuts=BY_ITSELF, by_record=frozenset({IDENTITY})),
    Setting(
        "login ranges elsewhere",
        {},
        {"login_ranges": ["203.0.113.0/24"]},
        shuts=BY_ITSELF,
        strands=frozenset({IDENTITY}),
    ),
    Setting("login ranges that include us", {}, {"login_ranges": [LOOPBACK]}, mails=False),
    Setting("outside of login hours", {}, {"login_hours": []}, shuts=BY_ITSELF, strands=frozenset({IDENTITY})),
    Setting("a locked user", {}, {"locked": True}, shuts=EVERY),
    Setting("a frozen user", {}, {"frozen": True}, shuts=EVERY, thorough=False),
    Setting("a deactivated user", {}, {"active": False}, shuts=EVERY, thorough=False),
    Setting("MFA for API logins", {}, {"mfa_api": True}, shuts=EVERY),
    Setting("single sign-on only", {}, {"sso_enabled": True}, shuts=EVERY, thorough=False),
    Setting("no API requests left", {"daily_api_limit": 1}, shuts=EVERY, thorough=False),
    Setting("under maintenance", {"maintenance": True}, shuts=EVERY, thorough=False),
)

ORG: Final = {"username_password_flow_blocked": False}
USER: Final = {
    "username": USERNAME,
    "password": PASSWORD,
    "security_token": TOKEN,
    "ever_reset_token_manually": True,
}
ADMINISTRATOR: Final = {
    "username": ADMIN,
    "password": ADMIN_PASSWORD,
    "security_token": None,
    "manage_users": True,
    "login_ranges": [LOOPBACK],
}
APP: Final = _APP | {
    "kind": "connected_app",
    "flows": ["jwt_bearer", "client_credentials", "password"],
    "certificate": _KEY.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode(),
    "preauthorized_users": [USERNAME, ADMIN],
    "run_as": ADMIN,
}


def combinations() -> Iterator[tuple[Setting, Way, Tokens]]:
    """Every combination that is tried."""
    for setting, way, tokens in product(SETTINGS, WAYS, TOKENS):
        if (way.thorough and setting.thorough) or tokens.first:
            yield setting, way, tokens


def end_of(setting: Setting, way: Way, tokens: Tokens) -> str:
    """How a combination must end."""
    if way.kind in setting.shuts:
        return UNCHANGED
    if way.kind in setting.strands:
        return PARKED
    if way.kind in setting.no_login:
        return ROTATED
    if setting.least and way.kind == IDENTITY and tokens.source == "manual":
        return PARKED
    token_comes = setting.tokens_live or (tokens.arrives and setting.mails)
    return ROTATED if token_comes or not tokens.waits else PARKED
