"""Access tokens with which a mailbox is opened by XOAUTH2: the one that was given, or fetched where one is told to."""

import http.client
import json
import re
import ssl
import threading
import time
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from vault_plugin_sdk.framework.coerce import json_object
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.mailbox.mail import MailboxUnavailable

FETCH_SECONDS: Final = 10.0
LONGEST_ANSWER: Final = 64 * 1024  # bytes
EARLY_SECONDS: Final = 120.0  # before the end of a token's life another one is fetched
USUAL_SECONDS: Final = 3600.0  # the life of a token whose issuer says nothing of it
LONGEST_SECONDS: Final = 86_400.0  # whatever the issuer says
TOKEN_URL: Final = "token_url"  # noqa: S105 - the name of a member
_TOKEN: Final = re.compile("[!-~]+")  # RFC 6750; it goes into a line of IMAP


class AccessTokens:
    """Access tokens of one mailbox, each kept for as long as it lives.

    Args:
        secret: An access token as it is, which somebody renews; or a JSON object with `token_url` and the fields of
            the form that is posted there, such as grant_type, client_id, client_secret, scope, refresh_token.
        context: For the call to `token_url`.
    """

    def __init__(self, secret: SecretStr, context: ssl.SSLContext) -> None:
        self._secret, self._context = secret, context
        self._lock = threading.Lock()
        self._token: SecretStr | None = None
        self._good_until = 0.0

    def current(self) -> SecretStr:
        """A token that is good for a while. Raises: MailboxUnavailable."""
        form = _form(self._secret)
        if form is None:
            return self._secret
        with self._lock:
            if self._token is None or time.monotonic() > self._good_until:
                self._token, seconds = _fetch(form, self._context)
                self._good_until = time.monotonic() + seconds - EARLY_SECONDS
            return self._token

    def forget(self) -> None:
        """The token was refused: fetch another one next time."""
        with self._lock:
            self._token = None


def secret_fault(secret: SecretStr) -> str | None:
    """What is wrong with what is given as a secret for XOAUTH2, or None; it repeats none of it."""
    text = secret.reveal().strip()
    if not text.startswith("{"):
        return None
    try:
        form = json.loads(text)
    except (ValueError, RecursionError):
        return "is no JSON"
    if not all(isinstance(value, str) for value in form.values()):
        return "must hold texts alone"
    return None if _is_address(form.get(TOKEN_URL, "")) else f"must name {TOKEN_URL}, an https:// address"


def _is_address(text: str) -> bool:
    try:
        url = urlsplit(text)
        return url.scheme == "https" and bool(url.hostname) and url.port != 0 and not (url.username or url.fragment)
    except ValueError:
        return False


def _form(secret: SecretStr) -> dict[str, str] | None:
    text = secret.reveal().strip()
    if not text.startswith("{"):
        return None
    fault = secret_fault(secret)
    if fault:
        raise MailboxUnavailable(f"mailbox_password {fault}")
    form: dict[str, str] = json.loads(text)
    return form


def _fetch(form: dict[str, str], context: ssl.SSLContext) -> tuple[SecretStr, float]:
    url = urlsplit(form[TOKEN_URL])
    body = urlencode({name: value for name, value in form.items() if name != TOKEN_URL})
    head = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    connection = http.client.HTTPSConnection(url.hostname or "", url.port, timeout=FETCH_SECONDS, context=context)
    try:
        # A redirect is not followed: the secret goes where the connection says and nowhere else.
        connection.request("POST", target, body, head)
        with connection.getresponse() as response:
            told = json_object(response.read(LONGEST_ANSWER)) or {}
    except (OSError, http.client.HTTPException) as exc:
        why = "its certificate is not good" if isinstance(exc, ssl.SSLCertVerificationError) else "no readable answer"
        raise MailboxUnavailable(f"no access token from {url.hostname}: {why}") from exc
    finally:
        connection.close()
    token, seconds = told.get("access_token"), told.get("expires_in", USUAL_SECONDS)
    if response.status != http.HTTPStatus.OK or not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise MailboxUnavailable(f"no access token from {url.hostname}: {response.status}, {_error(told)}")
    if not isinstance(seconds, int | float):
        seconds = USUAL_SECONDS
    return SecretStr(token), float(max(0, min(seconds, LONGEST_SECONDS)))


def _error(told: dict[str, Any]) -> str:
    """The code of RFC 6749, such as invalid_client; nothing else of the answer, which may repeat what was sent."""
    code = str(told.get("error", ""))
    return (
        code if code.replace("_", "").isalpha() and len(code) <= len("unsupported_response_type") else "no token in it"
    )
