"""auth_method `jwt_bearer`: the connection's app speaks for a user, by a signed assertion."""

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.salesforce import oauth
from vault_salesforce_sidecar.salesforce.interface import Session
from vault_salesforce_sidecar.salesforce.login.entrance import Entrance


def log_in(entrance: Entrance, config: Config) -> Session:
    """Make one grant for the connection's user."""
    return log_in_user(entrance, config, config.username)


def log_in_user(entrance: Entrance, config: Config, username: str) -> Session:
    """Make one grant for any user whom the app is approved for."""
    form = oauth.jwt_bearer(config.client_id, config.private_key, username, config.login_url, entrance.now())
    return entrance.by_grant(form, username)


def secrets_of(config: Config) -> tuple[SecretStr, ...]:
    """What this login is made with."""
    return SecretStr(config.client_id), config.private_key
