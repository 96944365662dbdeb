"""auth_method `approle`: a RoleID, and a SecretID that was given as it is or wrapped."""

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.settings import Settings
from vault_salesforce_sidecar.vault.client import Token, Vault
from vault_salesforce_sidecar.vault.login.credential import check, from_file
from vault_salesforce_sidecar.vault.login.wrapped import WrappedSecretId


class AppRole:
    """See `Method`."""

    # Vault locks an AppRole after five refused logins in a quarter of an hour, for all sidecars that share it.
    patience_seconds = 900.0

    def __init__(self, settings: Settings, vault: Vault) -> None:
        self._settings, self._vault = settings, vault
        self._wrapped = WrappedSecretId(settings, vault) if settings.secret_id_is_wrapped else None

    def credential(self) -> SecretStr:
        """See `Method.credential`."""
        if self._wrapped:
            return self._wrapped.secret_id()
        file = self._settings.secret_id_file
        return check(from_file(file) if file else self._settings.secret_id)

    def log_in(self, credential: SecretStr) -> Token:
        """See `Method.log_in`. A role with `bind_secret_id=false` takes none."""
        secret = {"secret_id": credential.reveal()} if credential else {}
        return self._vault.log_in(self._settings.auth_mount, role_id=self._settings.role_id, **secret)
