"""auth_method `token`: a token that somebody else made, and makes anew."""

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.settings import Settings
from vault_salesforce_sidecar.vault.client import Token, Vault
from vault_salesforce_sidecar.vault.login.credential import check, from_file


class GivenToken:
    """See `Method`."""

    patience_seconds = 60.0

    def __init__(self, settings: Settings, vault: Vault) -> None:
        self._settings, self._vault = settings, vault

    def credential(self) -> SecretStr:
        """See `Method.credential`."""
        file = self._settings.vault_token_file
        return check(from_file(file) if file else self._settings.vault_token)

    def log_in(self, credential: SecretStr) -> Token:
        """See `Method.log_in`: it is looked up, with itself."""
        self._vault.use(credential)
        return self._vault.look_up(credential)
