"""The sidecar's own login at Vault: made, renewed at two thirds of its life, made anew when lost."""

import threading
from pathlib import Path

import structlog

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.clock import Clock
from vault_salesforce_sidecar.settings import Settings
from vault_salesforce_sidecar.store import KvUnavailable
from vault_salesforce_sidecar.vault.client import Token, Vault, VaultRefused

log = structlog.get_logger(__name__)

RENEW_AT = 2 / 3
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 15.0
# Vault locks an AppRole after five refused logins in a quarter of an hour, for all sidecars that share it.
REFUSED_WAIT_SECONDS = 900.0
FILE_WAIT_SECONDS = 5.0  # how soon a new SecretID in its file is noticed
IDLE_SECONDS = 3600.0  # a token without an end asks for nothing
PROBE_SECONDS = 10.0  # least time between two looks at whether the token still lives


class CredentialMissing(Exception):  # noqa: N818 - what the operator has to mend
    """The file with the credential cannot be read, or is empty."""


class Login:
    """Keeps `vault` logged in, from one thread.

    Attributes:
        reason: Why there is no login now; None while there is one.
        logged_in: Set while there is one.
    """

    def __init__(self, vault: Vault, settings: Settings, clock: Clock) -> None:
        self.reason: str | None = "not yet logged in to Vault"
        self.logged_in = threading.Event()
        self._vault, self._settings, self._clock = vault, settings, clock
        self._stopping = threading.Event()
        self._wakened = threading.Event()
        self._token: Token | None = None
        self._renew_at = 0.0
        self._refused: tuple[SecretStr, float] | None = None
        self._probed_at = float("-inf")
        self._doubted = False
        self._thread = threading.Thread(target=self._run, name="vault-login", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._vault.forbidden = self.doubt
        self._thread.start()

    def stop(self) -> None:
        """End the thread. The token stays in use: rotations that end now still write."""
        self._stopping.set()
        self._wakened.set()

    def doubt(self) -> None:
        """Vault answered 403: look whether the token still lives, soon."""
        self._doubted = True
        self._wakened.set()

    def step(self) -> float:
        """Do what is to be done now. The thread calls nothing else, and tests call it instead of the thread.

        Returns: Seconds until the next step.
        Raises: KvUnavailable: Vault is away; a token that was in use stays in use.
        """
        try:
            if self._token is None or self._ends(self._token):
                self._took(self._log_in())
                self.reason = None
                self.logged_in.set()
                log.info("vault_logged_in", auth_method=self._settings.auth_method)
            return self._pause()
        except CredentialMissing as exc:
            return self._without(str(exc))
        except VaultRefused as exc:
            log.warning("vault_login_refused", reason=exc.sentence)
            return self._without(f"{exc.sentence}; give the sidecar a credential that is valid")

    def _run(self) -> None:
        wait = FIRST_WAIT_SECONDS
        while not self._stopping.is_set():
            try:
                pause = self.step()
                wait = FIRST_WAIT_SECONDS
            except KvUnavailable as exc:
                if self._token is None:
                    self.reason = exc.sentence
                pause, wait = wait, min(wait * 2, LONGEST_WAIT_SECONDS)
            except Exception:
                log.exception("vault_login_failed")
                pause = LONGEST_WAIT_SECONDS
            self._clock.wait(self._wakened, pause)
            self._wakened.clear()

    def _log_in(self) -> Token:
        settings = self._settings
        by_token = settings.auth_method == "token"
        given, file = (
            (settings.vault_token, settings.vault_token_file)
            if by_token
            else (settings.secret_id, settings.secret_id_file)
        )
        credential = _from_file(file) if file else given
        if not (credential.reveal().isascii() and credential.reveal().isprintable()):
            # A header cannot carry it, and the error of whoever tried would show it.
            raise CredentialMissing("the credential holds characters that none has")
        now = self._clock.monotonic()
        if self._refused and self._refused[0] == credential and now - self._refused[1] < REFUSED_WAIT_SECONDS:
            raise CredentialMissing(self.reason or "Vault refused the sidecar's credential")
        try:
            if by_token:
                self._vault.use(credential)
                return self._vault.look_up(credential)
            return self._vault.log_in_with_approle(settings.auth_mount, settings.role_id, credential)
        except VaultRefused:
            self._refused = credential, now
            raise

    def _ends(self, token: Token) -> bool:
        """Whether a new login is needed: the token ended, or will and cannot be renewed for long."""
        now = self._clock.monotonic()
        try:
            if self._doubted and now - self._probed_at >= PROBE_SECONDS:
                self._doubted, self._probed_at = False, now
                self._vault.look_up(token.text)
            if not token.ttl_seconds or now < self._renew_at:
                return False
            if token.renewable:
                renewed = self._vault.renew()
                if renewed.ttl_seconds >= token.ttl_seconds / 2:  # less: its greatest age is near
                    self._took(renewed)
                    return False
        except VaultRefused:
            self._without("Vault ended the sidecar's token")
        return True

    def _took(self, token: Token) -> None:
        self._vault.use(token.text)
        self._token = token
        self._renew_at = self._clock.monotonic() + token.ttl_seconds * RENEW_AT

    def _pause(self) -> float:
        if self._doubted:
            return PROBE_SECONDS
        if self._token is None or not self._token.ttl_seconds:
            return IDLE_SECONDS
        return max(self._renew_at - self._clock.monotonic(), 0.0)

    def _without(self, reason: str) -> float:
        self._token = None
        self.reason = reason
        self.logged_in.clear()
        return FILE_WAIT_SECONDS


def _from_file(path: str) -> SecretStr:
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise CredentialMissing(f"{path} cannot be read: {getattr(exc, 'strerror', None) or 'not a text'}") from None
    if not text:
        raise CredentialMissing(f"{path} is empty")
    return SecretStr(text)
