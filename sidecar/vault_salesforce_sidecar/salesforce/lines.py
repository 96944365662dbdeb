"""Connections to a host, bounded in time and bytes; directly, or through the proxy that the settings name.

No variable of the environment is asked for a proxy. TLS with the org is end to end: a proxy only carries it.
"""

import base64
import re
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssltransport import SSLTransport

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.origin import is_loopback
from vault_salesforce_sidecar.salesforce.hosts import Origin

_TUNNEL_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r]")
_LONGEST_TUNNEL_ANSWER = 16 * 1024
_CHUNK = 4096


class TooMuch(OSError):  # noqa: N818 - an outcome
    """The other end sent more bytes than it may."""


class ProxyRefused(OSError):  # noqa: N818 - an outcome
    """The proxy made no connection."""


class _Bounded:
    """Ends every read and write at one deadline, and reads no more than so many bytes.

    A limit per read is none against a server that drips its answer, nor is one of the body against endless headers.
    """

    deadline: float | None = None
    allowance: int | None = None

    def recv(self, *args: Any) -> bytes:
        self._limit()
        received: bytes = super().recv(*args)  # type: ignore[misc]
        self._count(len(received))
        return received

    def recv_into(self, *args: Any) -> int:
        self._limit()
        received: int = super().recv_into(*args)  # type: ignore[misc]
        self._count(received)
        return received

    def sendall(self, *args: Any) -> None:
        self._limit()
        super().sendall(*args)  # type: ignore[misc]

    def _limit(self) -> None:
        if self.deadline is not None:
            self.settimeout(_left(self.deadline))  # type: ignore[attr-defined]

    def _count(self, received: int) -> None:
        if self.allowance is not None:
            self.allowance -= received
            if self.allowance < 0:
                raise TooMuch


class BoundedSocket(_Bounded, socket.socket):
    """A bounded connection without TLS."""


class BoundedTls(_Bounded, ssl.SSLSocket):
    """A bounded connection with TLS."""


@dataclass(frozen=True)
class Proxy:
    """A proxy that connects to hosts on demand (`CONNECT`).

    Attributes:
        origin: Where it is; with the scheme `https` it is spoken to by TLS.
        context: TLS settings for that.
        credentials: `user:password`; empty: it asks for none.
    """

    origin: Origin
    context: ssl.SSLContext
    credentials: SecretStr = SecretStr("")


class Line:
    """An open connection to a host.

    Attributes:
        http: HTTP over it.
    """

    def __init__(self, http: HTTPConnection, bounded: BoundedSocket | BoundedTls) -> None:
        self.http, self._bounded = http, bounded

    def bound(self, deadline: float, allowance: int) -> None:
        """From now on: until when, by the monotonic clock, and how many bytes may come."""
        self._bounded.deadline, self._bounded.allowance = deadline, allowance

    def close(self) -> None:
        """Close it."""
        self.http.close()


def open_line(origin: Origin, context: ssl.SSLContext, proxy: Proxy | None, deadline: float) -> Line:
    """Connect. Only the look-up of the host's name may outlast the deadline.

    Args:
        origin: Where to.
        context: TLS settings for it.
        proxy: Through which; a host on this very machine is always connected to directly.
        deadline: Until when, by the monotonic clock.

    Raises: ProxyRefused, OSError; ValueError where the name cannot be one.
    """
    first = proxy.origin if proxy and not is_loopback(origin.host) else origin
    sock: Any = socket.create_connection((first.host, first.port), timeout=_left(deadline))
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock = bounded = BoundedSocket(fileno=sock.detach())
        bounded.deadline = deadline
        if proxy and first is proxy.origin:
            if first.scheme == "https":
                sock = bounded = _with_tls(bounded, proxy.context, first.host, deadline)
            _ask_for_tunnel(bounded, origin, proxy.credentials)
        if origin.scheme == "http":
            http = HTTPConnection(origin.host, origin.port)
        else:
            http = HTTPSConnection(origin.host, origin.port, ssl_context=context)
            if isinstance(bounded, BoundedTls):
                sock = SSLTransport(bounded, context, origin.host)
            else:
                sock = bounded = _with_tls(bounded, context, origin.host, deadline)
        http.sock, http.auto_open = sock, 0  # it must not connect anew by itself, and past the proxy
        return Line(http, bounded)
    except BaseException:
        sock.close()
        raise


def _with_tls(plain: socket.socket, context: ssl.SSLContext, host: str, deadline: float) -> Any:
    plain.settimeout(_left(deadline))  # of the whole handshake
    secured = context.wrap_socket(plain, server_hostname=host)
    secured.deadline = deadline  # type: ignore[attr-defined]
    return secured


def _ask_for_tunnel(sock: BoundedSocket | BoundedTls, origin: Origin, credentials: SecretStr) -> None:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    lines = [f"CONNECT {host}:{origin.port} HTTP/1.1", f"Host: {host}:{origin.port}", "User-Agent: vault-salesforce"]
    if credentials:
        basic = base64.b64encode(credentials.reveal().encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {basic}")
    sock.sendall("\r\n".join([*lines, "", ""]).encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        received = sock.recv(_CHUNK)
        answer += received
        if not received or len(answer) > _LONGEST_TUNNEL_ANSWER:
            raise ProxyRefused("the proxy's answer is none")
    status = _TUNNEL_STATUS.match(answer)
    if status is None or not status[1].startswith(b"2"):
        raise ProxyRefused(f"the proxy answered with status {status[1].decode()}" if status else "no HTTP proxy")
    if not answer.endswith(b"\r\n\r\n"):
        raise ProxyRefused("the proxy speaks for the org")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time of the whole call is over")
    return left
