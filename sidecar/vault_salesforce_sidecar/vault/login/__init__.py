"""How this sidecar logs in to Vault, by `auth_method`."""

from collections.abc import Callable, Mapping
from typing import Protocol

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.settings import Settings
from vault_salesforce_sidecar.vault.client import Token, Vault
from vault_salesforce_sidecar.vault.login.approle import AppRole
from vault_salesforce_sidecar.vault.login.jwt import Jwt
from vault_salesforce_sidecar.vault.login.token import GivenToken


class Method(Protocol):
    """One way to log in.

    Attributes:
        patience_seconds: How long a credential that was refused is not tried again, unless it is another one.
    """

    patience_seconds: float

    def credential(self) -> SecretStr:
        """What to log in with now. Raises: CredentialMissing, KvUnavailable."""

    def log_in(self, credential: SecretStr) -> Token:
        """Log in, once. Raises: VaultRefused, KvUnavailable."""


METHODS: Mapping[str, Callable[[Settings, Vault], Method]] = {
    "approle": AppRole,
    "jwt": Jwt,
    "kubernetes": Jwt,  # to Vault the same request; what differs is who vouches for the token
    "token": GivenToken,
}
