"""The sidecar's own login at Vault: made, renewed at two thirds of its life, made anew when lost."""

import threading
from collections.abc import Callable

import structlog

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.clock import Clock
from vault_salesforce_sidecar.settings import Settings
from vault_salesforce_sidecar.store import KvUnavailable
from vault_salesforce_sidecar.vault.client import Token, Vault, VaultRefused
from vault_salesforce_sidecar.vault.login import METHODS
from vault_salesforce_sidecar.vault.login.credential import CredentialMissing

log = structlog.get_logger(__name__)

RENEW_AT = 2 / 3
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 15.0
# A standby learns what was written elsewhere some 0.2 s later, and refuses a credential that was just made.
SECOND_LOOK_SECONDS = 2.0
FILE_WAIT_SECONDS = 5.0  # how soon a new credential in its file is noticed
IDLE_SECONDS = 3600.0  # a token without an end asks for nothing
PROBE_SECONDS = 10.0  # least time between two looks at whether the token still lives
_REMEDIES = {
    "approle": "see that its RoleID is right, and give it a new SecretID",
    "jwt": "see what the role binds, and that the token in its file is still valid",
    "kubernetes": "see which service accounts and audience the role binds, and that Vault reaches the Kubernetes API",
    "token": "give it a new token",
}


class Login:
    """Keeps `vault` logged in, from one thread.

    Args:
        logged_in: Called after each login.

    Attributes:
        reason: Why there is no login now; None while there is one.
        logged_in: Set while there is one.
    """

    def __init__(
        self, vault: Vault, settings: Settings, clock: Clock, *, logged_in: Callable[[], None] = lambda: None
    ) -> None:
        self.reason: str | None = "not yet logged in to Vault"
        self.logged_in = threading.Event()
        self._vault, self._clock, self._tell = vault, clock, logged_in
        self._name = settings.auth_method
        self._method = METHODS[settings.auth_method](settings, vault)
        self._stopping = threading.Event()
        self._wakened = threading.Event()
        self._token: Token | None = None
        self._renew_at = 0.0
        self._refused = SecretStr(""), float("-inf")  # the credential, and when
        self._refusals = 0  # of that credential
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
                log.info("vault_logged_in", auth_method=self._name)
                self._tell()
            return self._pause()
        except CredentialMissing as exc:
            return self._without(str(exc))
        except VaultRefused as exc:
            said = "; ".join(exc.errors) or exc.sentence
            log.warning("vault_login_refused", auth_method=self._name, reason=said)
            self._without(f"Vault refused the sidecar's login by {self._name} ({said}): {_REMEDIES[self._name]}")
            return SECOND_LOOK_SECONDS if self._refusals == 1 else FILE_WAIT_SECONDS

    def _run(self) -> None:
        wait = FIRST_WAIT_SECONDS
        while not self._stopping.is_set():
            try:
                pause = self.step()
                wait = FIRST_WAIT_SECONDS
            except KvUnavailable as exc:
                if wait == FIRST_WAIT_SECONDS:
                    log.warning("vault_away", reason=exc.sentence)
                if self._token is None:
                    self.reason = exc.sentence
                pause, wait = wait, min(wait * 2, LONGEST_WAIT_SECONDS)
            except Exception:
                log.exception("vault_login_failed")
                pause = LONGEST_WAIT_SECONDS
            self._clock.wait(self._wakened, pause)
            self._wakened.clear()

    def _log_in(self) -> Token:
        credential = self._method.credential()
        now = self._clock.monotonic()
        refused, when = self._refused
        if refused != credential:
            self._refusals = 0
        elif self._refusals > 1 and now - when < self._method.patience_seconds:
            raise CredentialMissing(self.reason or "Vault refused the sidecar's credential")
        try:
            return self._method.log_in(credential)
        except VaultRefused:
            self._refused = credential, now
            self._refusals += 1
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
        pause = IDLE_SECONDS
        if self._token is not None and self._token.ttl_seconds:
            pause = max(self._renew_at - self._clock.monotonic(), 0.0)
        return min(pause, PROBE_SECONDS) if self._doubted else pause

    def _without(self, reason: str) -> float:
        self._token = None
        self.reason = reason
        self.logged_in.clear()
        return FILE_WAIT_SECONDS
