"""The way to a login host, as far as one comes without a credential: its name, its certificate, its clock."""

import http.client
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from vault_salesforce_contract.api.config import Config
from vault_salesforce_contract.origin import is_loopback
from vault_salesforce_sidecar.salesforce.hosts import Origin, origin_of
from vault_salesforce_sidecar.salesforce.lines import Proxy, open_line
from vault_salesforce_sidecar.salesforce.message import json_of
from vault_salesforce_sidecar.salesforce.tls import tls_context

SECONDS: Final = 5.0  # for all of it but the look-up of the name
VERSIONS_PATH: Final = "/services/data/"  # answers without a session
_LARGEST: Final = 64 * 1024


@dataclass(frozen=True)
class Reach:
    """How far one comes.

    Attributes:
        addresses: What the name leads to; empty where it leads nowhere, or a proxy looks it up.
        proxy: The proxy's host; empty: none is on the way.
        fault: Why one came no further; empty: one came through.
        is_tls: The address begins with https.
        is_untrusted: The certificate is not vouched for.
        not_after: When the certificate ends.
        tls_version: Such as TLSv1.3.
        skew_seconds: How far the host's clock is ahead of ours; None where it did not say.
        versions: Versions of the API that the host serves; empty where it did not say.
    """

    addresses: tuple[str, ...] = ()
    proxy: str = ""
    fault: str = ""
    is_tls: bool = True
    is_untrusted: bool = False
    not_after: datetime | None = None
    tls_version: str = ""
    skew_seconds: float | None = None
    versions: tuple[str, ...] = ()


def probe(config: Config, proxy: Proxy | None, now: Callable[[], datetime]) -> Reach:
    """Look a connection's host up, shake hands with it, and ask what it serves; no secret is sent.

    Args:
        config: The connection.
        proxy: Through which; None: directly.
        now: The time of day.

    Raises: ValueError where the connection's addresses or certificates cannot be used.
    """
    origin = origin_of(config.login_url)
    context = tls_context(config.ca_cert, config.client_cert, config.client_key)
    through = proxy.origin.host if proxy and not is_loopback(origin.host) else ""
    reach = Reach(proxy=through, is_tls=origin.scheme == "https")
    try:
        if not through:
            found = socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
            reach = replace(reach, addresses=tuple(dict.fromkeys(str(one[4][0]) for one in found)))
    except OSError as exc:
        return replace(reach, fault=f"{origin.host} is not a name that this machine can look up: {exc.strerror or exc}")
    deadline = time.monotonic() + SECONDS
    try:
        line = open_line(origin, context, proxy, deadline)
    except ssl.SSLCertVerificationError as exc:
        return replace(reach, fault=exc.verify_message, is_untrusted=True)
    except (OSError, ValueError) as exc:
        return replace(reach, fault=f"no connection to {origin.host}:{origin.port}: {_why(exc)}")
    try:
        line.bound(deadline, _LARGEST)
        sock: Any = line.http.sock
        ends, version = _certificate(sock) if origin.scheme == "https" else (None, "")
        skew, versions = _ask(sock, origin, now)
    except (OSError, http.client.HTTPException, ValueError) as exc:
        return replace(reach, fault=f"no answer of {origin.host}: {_why(exc)}")
    finally:
        line.close()
    return replace(reach, not_after=ends, tls_version=version, skew_seconds=skew, versions=versions)


def _certificate(sock: Any) -> tuple[datetime | None, str]:
    ends = (sock.getpeercert() or {}).get("notAfter")
    not_after = datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) if isinstance(ends, str) else None
    return not_after, sock.version() or ""


def _ask(sock: Any, origin: Origin, now: Callable[[], datetime]) -> tuple[float | None, tuple[str, ...]]:
    """The host's clock against ours, and the versions that it serves; what it does not say is no fault."""
    head = f"GET {VERSIONS_PATH} HTTP/1.1\r\nHost: {origin.host}:{origin.port}\r\nAccept: application/json\r\n"
    sock.sendall(f"{head}User-Agent: vault-salesforce\r\nConnection: close\r\n\r\n".encode("ascii"))
    with http.client.HTTPResponse(sock) as response:
        response.begin()
        return _skew(response.getheader("Date"), now()), _versions(response.read(_LARGEST))


def _skew(told: str | None, now: datetime) -> float | None:
    try:
        return (parsedate_to_datetime(told) - now).total_seconds() if told else None
    except (ValueError, TypeError):  # TypeError: a date without a zone
        return None


def _versions(body: bytes) -> tuple[str, ...]:
    try:
        return tuple(str(one["version"]) for one in json_of(body))
    except (ValueError, TypeError, KeyError):
        return ()


def _why(exc: BaseException) -> str:
    return str(exc) or type(exc).__name__
