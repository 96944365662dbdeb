"""auth_method `client_credentials`: the connection's app acts as the user that Salesforce runs it as."""

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.salesforce import oauth
from vault_salesforce_sidecar.salesforce.interface import Session
from vault_salesforce_sidecar.salesforce.login.entrance import Entrance


def log_in(entrance: Entrance, config: Config) -> Session:
    """Make one grant; whose session it is, its ids tell."""
    return entrance.by_grant(oauth.client_credentials(config.client_id, config.client_secret), "")


def secrets_of(config: Config) -> tuple[SecretStr, ...]:
    """What this login is made with."""
    return SecretStr(config.client_id), config.client_secret
