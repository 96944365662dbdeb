"""auth_method `password`: the connection's user logs in with a password and, where one is set, a security token."""

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.salesforce.interface import Org, Session


def log_in(org: Org, config: Config) -> Session:
    """Make one SOAP login."""
    return org.log_in(config.username, config.password, config.security_token or None)


def secrets_of(config: Config) -> tuple[SecretStr, ...]:
    """What this login is made with."""
    return config.password, config.security_token
