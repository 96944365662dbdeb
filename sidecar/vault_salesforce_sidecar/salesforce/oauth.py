"""The grants of Salesforce's token endpoint: build a request, decipher its answer. PURE."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

import jwt

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.salesforce import faults_oauth
from vault_salesforce_sidecar.salesforce.ids import ID
from vault_salesforce_sidecar.salesforce.interface import Lost, OrgRefused
from vault_salesforce_sidecar.salesforce.message import Answer, Request, json_of

PRODUCTION: Final = "https://login.salesforce.com"
SANDBOX: Final = "https://test.salesforce.com"
ASSERTION_SECONDS = 150  # Salesforce takes three to five minutes at most, and clocks differ

# In front of .salesforce.com: a sandbox's name stands behind two hyphens, which no My Domain of production has.
_SANDBOX_HOST = re.compile(r"test|cs[0-9]+|[a-z0-9-]+--[a-z0-9.-]+\.my|[a-z0-9-]+\.(?:sandbox|scratch)\.my", re.ASCII)
_TOKEN = re.compile(r"[!-~]{1,8192}")  # opaque, but it goes into a header
_IDENTITY = re.compile(rf"/id/({ID.pattern})/({ID.pattern})")
_OK, _SERVER_ERROR = 200, 500
_LARGEST_ANSWER = 64 * 1024
_SALESFORCE = ".salesforce.com"
_LOGIN_HOSTS = frozenset({"login.salesforce.com", "test.salesforce.com"})


class Grant(NamedTuple):
    """What the token endpoint gave, as far as it is used."""

    access_token: SecretStr
    instance_url: str
    user_id: str
    organization_id: str


def jwt_bearer(client_id: str, private_key: SecretStr, username: str, login_url: str, now: float) -> dict[str, str]:
    """The form of a JWT bearer grant: an app speaks for a user.

    Args:
        client_id: Consumer key of the app.
        private_key: RSA key in PEM, whose certificate the app holds.
        username: Whose session is asked for.
        login_url: Where it will be sent; decides the audience.
        now: Seconds since the epoch.
    """
    claims = {"iss": client_id, "sub": username, "aud": audience(login_url), "exp": int(now) + ASSERTION_SECONDS}
    assertion = jwt.encode(claims, private_key.reveal(), algorithm="RS256")
    return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}


def client_credentials(client_id: str, client_secret: SecretStr) -> dict[str, str]:
    """The form of a client credentials grant: an app acts as the user it runs as."""
    return {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": client_secret.reveal(),
    }


def by_password(client_id: str, client_secret: SecretStr, username: str, secret: SecretStr) -> dict[str, str]:
    """The form of a grant by a user's password with the security token right behind it."""
    return {
        "grant_type": "password",
        "client_id": client_id,
        "client_secret": client_secret.reveal(),
        "username": username,
        "password": secret.reveal(),
    }


def audience(login_url: str) -> str:
    """Whom an assertion is for: all production orgs, all sandboxes and scratch orgs, or one site."""
    parts = urlsplit(login_url)
    host = (parts.hostname or "").lower()
    if host.endswith(_SALESFORCE):
        return SANDBOX if _SANDBOX_HOST.fullmatch(host.removesuffix(_SALESFORCE)) else PRODUCTION
    if parts.scheme == "http":  # an org on this very machine
        return PRODUCTION
    return login_url.rstrip("/")


def is_my_domain(login_url: str) -> bool:
    """Whether the address is an org's own, not the one that all orgs share."""
    return (urlsplit(login_url).hostname or "").lower() not in _LOGIN_HOSTS


def token_request(login_url: str, form: Mapping[str, str]) -> Request:
    """Ask the token endpoint for a grant."""
    return Request(
        "POST",
        f"{login_url.rstrip('/')}/services/oauth2/token",
        {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
        urlencode(form).encode(),
        _LARGEST_ANSWER,
    )


def granted(answer: Answer, *, with_password: bool = False) -> Grant:
    """What was granted.

    Args:
        answer: Of the token endpoint.
        with_password: The grant was one by a user's password.

    Raises: OrgRefused, or Lost where the answer is not Salesforce's.
    """
    if answer.status != _OK:
        fault = faults_oauth.decipher_oauth(answer.body, by_password=with_password)
        if fault:
            raise OrgRefused(fault)
    found = _grant(answer.body) if answer.status == _OK else None
    if found is None:
        raise Lost(f"the org answered with status {answer.status} and no access token")
    return found


def _grant(body: bytes) -> Grant | None:
    try:
        document: Any = json_of(body)
        token, instance_url, identity = (document[name] for name in ("access_token", "instance_url", "id"))
        ids = _IDENTITY.fullmatch(urlsplit(identity).path)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not isinstance(token, str) or not _TOKEN.fullmatch(token) or not isinstance(instance_url, str) or ids is None:
        return None
    return Grant(SecretStr(token), instance_url.rstrip("/"), ids.group(2), ids.group(1))
