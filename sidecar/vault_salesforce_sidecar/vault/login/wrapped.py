"""A SecretID that was delivered wrapped: unwrapped once, and kept, so that a restart needs no human."""

import hashlib
import re
import threading
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

import structlog

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar import statefile
from vault_salesforce_sidecar.settings import Settings
from vault_salesforce_sidecar.vault.client import Vault, VaultRefused
from vault_salesforce_sidecar.vault.login.credential import CredentialMissing, check, from_file

log = structlog.get_logger(__name__)

FILE_NAME = "secret-id.json"
_SECRET_ID, _OF, _TRIED = "secret_id", "of", "tried"


class WrappedSecretId:
    """Exchanges a wrapping token for the SecretID in it.

    A wrapping token gives what it wraps to one caller alone. So what came out is kept; and a token that gives nothing
    any more was unwrapped by somebody else, unless its time is over: that is said aloud.

    Attributes:
        lag_seconds: How long a standby may not know of a token that was just made at another node.
    """

    lag_seconds = 1.0

    def __init__(self, settings: Settings, vault: Vault) -> None:
        self._settings, self._vault = settings, vault
        self._file = Path(settings.state_directory, FILE_NAME)
        self._refused: dict[str, str] = {}  # digest of a wrapping token → why

    def secret_id(self) -> SecretStr:
        """The SecretID: of the wrapping token that was given last, or the one kept, where that one gives none.

        Raises:
            CredentialMissing: There is none; the text says what to do.
            KvUnavailable: Vault is away; nothing was unwrapped, or it is not known: then the next try says so.
        """
        kept = self._read()
        try:
            return self._unwrapped(kept)
        except CredentialMissing:
            if _SECRET_ID not in kept:
                raise
            return SecretStr(kept[_SECRET_ID])

    def _unwrapped(self, kept: Mapping[str, str]) -> SecretStr:
        token = self._token()
        digest = hashlib.sha256(token.reveal().encode()).hexdigest()
        if kept.get(_OF) == digest:
            return SecretStr(kept[_SECRET_ID])
        if digest not in self._refused:
            try:
                self._check_origin(self._made_at(token), digest)
                # Before it: where nothing can be kept nothing may be unwrapped, and a crash after it is to be known.
                self._write({**kept, _TRIED: digest})
                secret_id = SecretStr(str(self._vault.unwrap(token)["secret_id"]))
            except VaultRefused as exc:
                if exc.status != HTTPStatus.BAD_REQUEST:
                    raise
                self._refuse(digest, _not_valid(cut_off=kept.get(_TRIED) == digest))
            else:
                self._write({_SECRET_ID: secret_id.reveal(), _OF: digest})
                log.info("secret_id_unwrapped", kept=str(self._file))
                return secret_id
        raise CredentialMissing(self._refused[digest])

    def _token(self) -> SecretStr:
        file = self._settings.wrapped_secret_id_file
        return check(from_file(file) if file else self._settings.wrapped_secret_id)

    def _made_at(self, token: SecretStr) -> str:
        try:
            about = self._vault.look_up_wrapping(token)
        except VaultRefused:
            threading.Event().wait(self.lag_seconds)
            about = self._vault.look_up_wrapping(token)
        return str(about.get("creation_path", ""))

    def _check_origin(self, origin: str, digest: str) -> None:
        """Anybody can wrap something of his own, and put it in the place of what he took. Raises: CredentialMissing."""
        settings = self._settings
        role = re.escape(settings.auth_role) or "[^/]+"
        if not re.fullmatch(f"auth/{re.escape(settings.auth_mount)}/role/{role}/secret-id", origin):
            self._refuse(
                digest,
                f"the wrapping token was made at {origin!r}, not at "
                f"auth/{settings.auth_mount}/role/{settings.auth_role or '<role>'}/secret-id, and was not unwrapped: "
                "somebody may have put it in the place of the right one; find out who, and deliver a new one",
            )
            raise CredentialMissing(self._refused[digest])

    def _refuse(self, digest: str, reason: str) -> None:
        self._refused[digest] = reason
        log.error("wrapping_token_refused", reason=reason)

    def _read(self) -> dict[str, str]:
        try:
            found = statefile.read(self._file)
        except (OSError, ValueError) as exc:
            log.warning("kept_secret_id_unreadable", file=str(self._file), error_type=type(exc).__name__)
            return {}
        return {str(name): str(value) for name, value in found.items()}

    def _write(self, content: Mapping[str, str]) -> None:
        """Replace the file, readable for its owner alone, and be sure that it is on the disk."""
        try:
            statefile.write(self._file, content)
        except OSError as exc:
            raise CredentialMissing(f"{self._file} cannot be written: {exc.strerror or type(exc).__name__}") from None


def _not_valid(*, cut_off: bool) -> str:
    ours = "an attempt of this sidecar was cut off before the answer came, or " if cut_off else ""
    return (
        f"the wrapping token of the SecretID gives nothing any more: {ours}its time is over, or somebody else has "
        "unwrapped it. Unless you know which, take the SecretID for stolen: destroy it by its accessor (the role's "
        "secret-id-accessor/destroy), look into the audit log who called sys/wrapping/unwrap, and deliver a new one"
    )
