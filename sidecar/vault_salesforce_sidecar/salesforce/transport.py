"""HTTP to an org: own TLS settings, no proxies, no redirects, no repeats, one limit for the time of a whole call.

It keeps apart what a rotation lives by: `NotSent` (no connection was made) and `Lost` (something may have left).
"""

import functools
import http.client
import logging
import socket
import ssl
import threading
import time
from concurrent.futures import Future
from typing import Any
from urllib.parse import urlsplit

import urllib3.exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection

from vault_salesforce_sidecar.salesforce.hosts import AllowedHosts
from vault_salesforce_sidecar.salesforce.interface import Lost, NotSent
from vault_salesforce_sidecar.salesforce.message import Answer, Request

_IDLE_CONNECTIONS = 4
_IDLE_SECONDS = 30.0
_CHUNK = 64 * 1024
_HEADERS = {"User-Agent": "vault-salesforce", "Accept-Encoding": "identity"}
_BROKEN = (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError)
_Origin = tuple[str, str, int]

# Its warnings print headers that it cannot read, and a session's cookie may be among them.
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)


class _Timed:
    """Ends every read and write at one deadline: a limit per read is none against a server that drips its answer."""

    deadline: float | None = None

    def recv_into(self, *args: Any) -> int:
        self._limit()
        return super().recv_into(*args)  # type: ignore[misc,no-any-return]

    def sendall(self, *args: Any) -> None:
        self._limit()
        super().sendall(*args)  # type: ignore[misc]

    def _limit(self) -> None:
        if self.deadline is not None:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the time of the whole call is over")
            self.settimeout(left)  # type: ignore[attr-defined]


class _TimedSocket(_Timed, socket.socket):
    pass


class _TimedTls(_Timed, ssl.SSLSocket):
    pass


@functools.lru_cache(maxsize=64)
def tls_context(ca_cert: str) -> ssl.SSLContext:
    """The TLS settings that vouch by these authorities; shared, since loading the system's costs 30 ms each time.

    Args:
        ca_cert: PEM of the authorities; empty: the system's.

    Raises: ValueError where it is not PEM.
    """
    try:
        context = ssl.create_default_context(cadata=ca_cert or None)
    except (ssl.SSLError, TypeError) as exc:  # TypeError: not even ASCII
        raise ValueError("is not a list of PEM certificates") from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _TimedTls
    return context


class Transport:
    """Connections to the hosts of one org.

    Args:
        hosts: Whom it may call.
        context: TLS settings, of `tls_context`.
    """

    def __init__(self, hosts: AllowedHosts, context: ssl.SSLContext) -> None:
        self._hosts, self._context = hosts, context
        self._lock = threading.Lock()
        self._idle: list[tuple[_Origin, float, HTTPConnection]] = []

    def allows(self, url: str) -> bool:
        """Whether this address may be called."""
        return self._hosts.allow(url)

    def send(self, request: Request, seconds: float, *, repeatable: bool = False) -> Answer:
        """Send a request once and read its answer, whatever its status.

        Args:
            request: What to send.
            seconds: Limit of the whole call, from the look-up of the name to the last byte.
            repeatable: It changes and counts nothing. Only such a request may travel on a connection that was used
                before: the other end may have closed that one already, and what was lost so is lost like any other.

        Raises:
            NotSent: No connection was made.
            Lost: Anything went wrong later.
        """
        deadline = time.monotonic() + seconds
        if not self._hosts.allow(request.url):
            raise NotSent("the address is not one that this connection may call")
        parts = urlsplit(request.url)
        default = 443 if parts.scheme == "https" else 80
        origin = (parts.scheme, parts.hostname or "", parts.port or default)
        connection = (self._take(origin) if repeatable else None) or self._connect(origin, deadline)
        try:
            answer = _exchange(connection, request, deadline)
        except Lost:
            connection.close()
            raise
        except _BROKEN as exc:
            connection.close()
            late = isinstance(exc, TimeoutError | urllib3.exceptions.TimeoutError)
            raise Lost("no answer in time" if late else "the connection broke before the answer was whole") from exc
        self._keep(origin, connection)
        return answer

    def close(self) -> None:
        """Close the connections that are not in use."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, _, connection in idle:
            connection.close()

    def _connect(self, origin: _Origin, deadline: float) -> HTTPConnection:
        scheme, host, port = origin
        left = deadline - time.monotonic()
        connection = (
            HTTPSConnection(host, port, timeout=left, ssl_context=self._context)
            if scheme == "https"
            else HTTPConnection(host, port, timeout=left)
        )
        # In a thread of its own: nothing limits the time of a name's look-up, nor of several addresses in turn.
        outcome: Future[None] = Future()
        connecting = threading.Thread(
            target=_connecting, args=(connection, outcome), name="salesforce-connect", daemon=True
        )
        try:
            connecting.start()
            outcome.result(left)
        except (*_BROKEN, RuntimeError) as exc:  # RuntimeError: the machine has no thread left
            outcome.add_done_callback(lambda _: connection.close())
            reason = type(exc).__name__ if outcome.done() else "not in time"
            raise NotSent(f"no connection to {host}: {reason}") from exc
        if time.monotonic() >= deadline:
            connection.close()
            raise NotSent(f"no connection to {host}: not in time")
        if scheme == "http":
            connection.sock = _TimedSocket(fileno=connection.sock.detach())
        return connection

    def _take(self, origin: _Origin) -> HTTPConnection | None:
        now, found = time.monotonic(), None
        with self._lock:
            idle, self._idle = self._idle, []
            for entry in idle:
                where, since, connection = entry
                if now - since > _IDLE_SECONDS or not connection.is_connected:
                    connection.close()
                elif found is None and where == origin:
                    found = connection
                else:
                    self._idle.append(entry)
        return found

    def _keep(self, origin: _Origin, connection: HTTPConnection) -> None:
        with self._lock:
            if connection.sock is not None and len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append((origin, time.monotonic(), connection))
                return
        connection.close()


def _connecting(connection: HTTPConnection, outcome: Future[None]) -> None:
    try:
        connection.connect()
    except Exception as exc:  # noqa: BLE001 - handed to who waits
        outcome.set_exception(exc)
    else:
        outcome.set_result(None)


def _exchange(connection: HTTPConnection, request: Request, deadline: float) -> Answer:
    sock: Any = connection.sock
    sock.deadline = deadline
    parts = urlsplit(request.url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    connection.request(
        request.method,
        target or "/",
        body=request.body or None,
        headers={**_HEADERS, **request.headers},
        preload_content=False,
        decode_content=False,
    )
    response = connection.getresponse()
    body = bytearray()
    while chunk := response.read1(_CHUNK, decode_content=False):
        body += chunk
        if len(body) > request.largest_answer:
            raise Lost(f"the answer is larger than {request.largest_answer} bytes")
    return Answer(response.status, bytes(body))
