"""auth_method `oauth_password`: the OAuth password flow, which Salesforce closes on 20 February 2027."""

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.salesforce import oauth
from vault_salesforce_sidecar.salesforce.interface import Session
from vault_salesforce_sidecar.salesforce.login.entrance import Entrance
from vault_salesforce_sidecar.salesforce.login.password import joined


def log_in(entrance: Entrance, config: Config) -> Session:
    """Make one grant to the connection's user."""
    return log_in_user(entrance, config, config.username, joined(config.password, config.security_token))


def log_in_user(entrance: Entrance, config: Config, username: str, secret: SecretStr) -> Session:
    """Make one grant to any user; `secret` is the password with the security token right behind it."""
    form = oauth.by_password(config.client_id, config.client_secret, username, secret)
    return entrance.by_grant(form, username, with_password=True)


def secrets_of(config: Config) -> tuple[SecretStr, ...]:
    """What this login is made with."""
    return config.password, config.security_token, SecretStr(config.client_id), config.client_secret
