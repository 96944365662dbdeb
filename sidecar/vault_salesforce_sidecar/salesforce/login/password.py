"""auth_method `password`: SOAP login with a password and, where one is set, a security token."""

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.salesforce.interface import Session
from vault_salesforce_sidecar.salesforce.login.entrance import Entrance


def log_in(entrance: Entrance, config: Config) -> Session:
    """Make one login of the connection's user."""
    return log_in_user(entrance, config, config.username, joined(config.password, config.security_token))


def log_in_user(entrance: Entrance, _config: Config, username: str, secret: SecretStr) -> Session:
    """Make one login of any user; `secret` as `joined` makes it."""
    return entrance.by_soap(username, secret)


def joined(password: SecretStr, security_token: SecretStr | None) -> SecretStr:
    """What is sent as the password: both, with nothing between them."""
    return SecretStr(password.reveal() + security_token.reveal()) if security_token else password


def secrets_of(config: Config) -> tuple[SecretStr, ...]:
    """What this login is made with."""
    return config.password, config.security_token
