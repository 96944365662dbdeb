"""What a connection must hold for its way in: which fields each `auth_method` logs in with. PURE."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.salesforce.oauth import is_my_domain

SHORTEST_KEY_BITS = 2048


class Fields(NamedTuple):
    """What a method logs in with."""

    needed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


METHODS: Final[Mapping[str, Fields]] = {
    "none": Fields(),
    "password": Fields(("username", "password"), ("security_token",)),
    "jwt_bearer": Fields(("username", "client_id", "private_key")),
    "client_credentials": Fields(("client_id", "client_secret")),
    "oauth_password": Fields(("username", "password", "client_id", "client_secret"), ("security_token",)),
}
# These are of no use to roles, so a method that does not log in with them does not keep them.
_OWN_USER: Final = {"username": "", "password": SecretStr(""), "security_token": SecretStr("")}


def without_unused(config: Config, given: Collection[str]) -> Config:
    """The connection without what its auth_method no longer logs in with; what was just given stays, for `faults`."""
    used = METHODS[config.auth_method]
    unused = {name: empty for name, empty in _OWN_USER.items() if name not in (*used.needed, *used.optional, *given)}
    changes: dict[str, Any] = dict(unused)
    return replace(config, **changes)


def faults(config: Config) -> list[str]:
    """What is wrong with how the connection logs in, as sentences; none of them holds a secret."""
    return list(_faults(config))


def _faults(config: Config) -> Iterator[str]:
    method, used = config.auth_method, METHODS[config.auth_method]
    for name in _OWN_USER:
        if getattr(config, name) and name not in (*used.needed, *used.optional):
            yield f"{name} needs an auth_method" if method == "none" else f"{name} is not for auth_method={method}"
    missing = [name for name in used.needed if not getattr(config, name)]
    yield from (f"{name} is missing: auth_method={method} logs in with it" for name in missing)
    if method == "client_credentials" and not is_my_domain(config.login_url):
        yield (
            "login_url must be https://<MyDomain>.my.salesforce.com: auth_method=client_credentials is served at no "
            "other host"
        )
    if config.password_login == "oauth" and not (config.client_id and config.client_secret):  # noqa: S105 - a flow
        yield "password_login=oauth needs client_id and client_secret"
    elif not missing:
        yield from _app_faults(config)
    if config.private_key and not _is_rsa(config.private_key):
        yield f"private_key must be an RSA key of at least {SHORTEST_KEY_BITS} bits in PEM, without a passphrase"


def _app_faults(config: Config) -> Iterator[str]:
    if config.client_id:
        if not (config.client_secret or config.private_key):
            yield "client_id needs client_secret or private_key"
    else:
        yield from (f"{name} needs client_id" for name in ("client_secret", "private_key") if getattr(config, name))


def _is_rsa(key: SecretStr) -> bool:
    try:
        found = load_pem_private_key(key.reveal().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return isinstance(found, RSAPrivateKey) and found.key_size >= SHORTEST_KEY_BITS
