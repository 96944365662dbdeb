"""auth_method `kubernetes` and `jwt`: a token of the platform that vouches for this process, read at each login."""

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.settings import Settings
from vault_salesforce_sidecar.vault.client import Token, Vault
from vault_salesforce_sidecar.vault.login.credential import check, from_file


class Jwt:
    """See `Method`."""

    patience_seconds = 30.0  # the role at Vault is what was likely wrong, and is mended there

    def __init__(self, settings: Settings, vault: Vault) -> None:
        self._settings, self._vault = settings, vault

    def credential(self) -> SecretStr:
        """See `Method.credential`: the kubelet writes a new one before the old one ends."""
        return check(from_file(self._settings.jwt_file))

    def log_in(self, credential: SecretStr) -> Token:
        """See `Method.log_in`."""
        settings = self._settings
        return self._vault.log_in(settings.auth_mount, role=settings.auth_role, jwt=credential.reveal())
