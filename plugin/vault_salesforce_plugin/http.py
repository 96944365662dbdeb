"""HTTPS to sidecars: pinned certificate, time limits, bounded threads. The only module that imports urllib3."""

import asyncio
import contextlib
import hashlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException
from urllib.parse import urlsplit

from urllib3.connection import HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from vault_salesforce_contract.shares import NoPlace, Shares
from vault_salesforce_plugin.resolving import Resolver

CONNECT_SECONDS = 2.0  # for the name, for the connection, and for the handshake, each
THREADS = 64
RESERVED_THREADS = 8  # for requests that do not wait for a rotation
QUEUE = 64
MAX_ANSWER_BYTES = 16 * 1024 * 1024
_READ_BYTES = 1024 * 1024
_TIMED_OUT = "no answer in time"
_NO_CONNECTION_IN_TIME = "no connection in time"
_CLOSED = "the mount ends"


class Unreachable(Exception):  # noqa: N818 - what happened, as a fact
    """Nothing was sent: the request may be made elsewhere."""


class Lost(Exception):  # noqa: N818 - what happened, as a fact
    """The request was sent and no whole answer came: it may have been carried out, or may still be."""


class Busy(Exception):  # noqa: N818 - what happened, as a fact
    """All threads and waiting places are taken, or too many of them by one caller; nothing was sent.

    Args:
        own: Too many of them by the one who asks.
    """

    def __init__(self, *, own: bool) -> None:
        super().__init__("so many of this caller's requests are under way" if own else "all places are taken")
        self.own = own


@dataclass(frozen=True)
class Target:
    """A server, known by its one certificate.

    Attributes:
        host: Name or address.
        port: TCP port.
        certificate: PEM; the only certificate that is accepted there.
        fingerprint: SHA-256 of that certificate, in hex.
    """

    host: str
    port: int
    certificate: str
    fingerprint: str

    @property
    def name(self) -> str:
        """Host and port, as HTTP writes them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def of(cls, url: str, certificate: str) -> "Target":
        """Read a registration. Raises: ValueError, whose text completes the sentence "<field> …"."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as exc:
            raise ValueError("url is not a URL") from exc
        if parts.scheme != "https" or not host or not port or parts.username or parts.path not in ("", "/"):
            raise ValueError("url must be https://host:port")
        if not (host.isascii() and host.isprintable()) or " " in host:
            raise ValueError("url must be https://host:port, with the host as it stands in DNS or an address")
        if certificate.count("-----BEGIN") != 1:
            raise ValueError("certificate must be one PEM certificate")
        try:
            der = ssl.PEM_cert_to_DER_cert(certificate.strip())
            _context(certificate)
        except (ValueError, ssl.SSLError) as exc:
            raise ValueError("certificate must be one PEM certificate") from exc
        return cls(host, port, certificate, hashlib.sha256(der).hexdigest())


@dataclass(frozen=True)
class Answer:
    """Status and body of an answer."""

    status: int
    body: bytes


class Http:
    """Requests in threads of their own, so that no request of the mount waits for another's sidecar.

    Each request has a connection of its own: one that was kept open and is closed by the other side just then would
    leave behind an unknown outcome.

    Args:
        threads: How many requests are made at once; `reserved` of them never for `patient` ones.
        reserved: See above.
        queue: How many more may wait for a thread. No caller takes them all, nor all threads: see `Shares`.
        monotonic: Seconds, for the limits.
        resolver: Names to addresses.
    """

    def __init__(
        self,
        *,
        threads: int = THREADS,
        reserved: int = RESERVED_THREADS,
        queue: int = QUEUE,
        monotonic: Callable[[], float] = time.monotonic,
        resolver: Resolver | None = None,
    ) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="sidecar")
        self._places = Shares(threads + queue)
        self._patient_places = Shares(threads - reserved)
        self._monotonic = monotonic
        self._resolver = resolver or Resolver()

    async def send(
        self,
        target: Target,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        limit_seconds: float,
        patient: bool = False,
        whose: str = "",
    ) -> Answer:
        """Make one request; it is never repeated and no redirect is followed.

        Args:
            target: Where.
            method: HTTP's.
            path: With its leading slash, quoted.
            body: As it is sent.
            headers: Besides those of HTTP itself.
            limit_seconds: From now to the last byte of the answer, waiting for a thread included. Who cannot be reached
                leaves time to try another: see `CONNECT_SECONDS`.
            patient: It may take long: such requests leave some threads to the others.
            whose: Who asks; "" is nobody in particular.

        Raises:
            Busy: No thread and no waiting place is free for this caller.
            Unreachable: No connection to that very server could be made.
            Lost: The outcome is unknown.
        """
        give_back = self._place(whose, patient=patient)
        deadline = self._monotonic() + limit_seconds
        try:
            addresses = await self._resolver.addresses(target.host, min(CONNECT_SECONDS, limit_seconds))
            exchange = _Exchange(target, addresses, deadline, self._monotonic)
            job = self._pool.submit(exchange.run, method, path, body, dict(headers or {}))
        except (OSError, RuntimeError) as exc:
            give_back(None)
            raise Unreachable("its name has no address now" if isinstance(exc, OSError) else _CLOSED) from exc
        except BaseException:
            give_back(None)
            raise
        job.add_done_callback(give_back)
        done = asyncio.wrap_future(job)
        done.add_done_callback(_look_at)
        try:
            await asyncio.wait((done,), timeout=max(0.0, deadline - self._monotonic()))
        except asyncio.CancelledError:
            done.cancel()  # one that still waits for a thread never starts; one that runs is a job, and goes on
            asyncio.get_running_loop().call_later(limit_seconds, exchange.give_up)
            raise
        if done.cancelled():
            raise Unreachable(_CLOSED)
        if done.done():
            return done.result()
        done.cancel()
        if exchange.give_up():
            raise Lost(_TIMED_OUT)
        raise Unreachable(_TIMED_OUT)

    def _place(self, whose: str, *, patient: bool) -> Callable[[object], None]:
        """A place, and what gives it back; its argument means nothing. Raises: Busy."""
        taken = ExitStack()
        try:
            for places in (self._places, self._patient_places) if patient else (self._places,):
                taken.callback(places.take(whose))
        except NoPlace as exc:
            taken.close()
            raise Busy(own=exc.own) from exc
        return lambda _: taken.close()

    def close(self) -> None:
        """Begin nothing more."""
        self._resolver.close()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _look_at(done: asyncio.Future[Answer]) -> None:
    """Of a request that nobody waits for any more, not even the failure is news."""
    if not done.cancelled():
        done.exception()


class _Exchange:
    """One request and its answer, in a thread; the loop may give it up at any time."""

    def __init__(
        self, target: Target, addresses: tuple[str, ...], deadline: float, monotonic: Callable[[], float]
    ) -> None:
        self._target = target
        self._addresses = addresses
        self._deadline = deadline
        self._monotonic = monotonic
        self._turn = threading.Lock()
        self._given_up = False
        self._socket: socket.socket | None = None  # set when the request is about to be sent

    def run(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        connection = self._connect()
        try:
            return self._ask(connection, method, path, body, headers)
        finally:
            connection.close()

    def give_up(self) -> bool:
        """Stop it; whether anything may have been sent."""
        with self._turn:
            self._given_up = True
            if self._socket is None:
                return False
        # The method of the plain socket: that of SSLSocket would also take its TLS state away from the thread.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        return True

    def _connect(self) -> HTTPSConnection:
        """To the first of the addresses that takes it; each has its share of the time."""
        end = min(self._deadline, self._monotonic() + CONNECT_SECONDS)
        failure = Unreachable(_NO_CONNECTION_IN_TIME)
        for number, address in enumerate(self._addresses):
            share = (end - self._monotonic()) / (len(self._addresses) - number)
            if share <= 0:
                break
            try:
                return self._connected(address, share)
            except Unreachable as exc:
                failure = exc
        raise failure

    def _connected(self, address: str, seconds: float) -> HTTPSConnection:
        connection = HTTPSConnection(
            address,
            self._target.port,
            timeout=seconds,
            cert_reqs="CERT_REQUIRED",
            ssl_context=_context(self._target.certificate),
            assert_fingerprint=self._target.fingerprint,
            assert_hostname=False,
            server_hostname=self._target.host,
        )
        try:
            connection.connect()
        except (ConnectTimeoutError, TimeoutError) as exc:
            connection.close()
            raise Unreachable(_NO_CONNECTION_IN_TIME) from exc
        except (ssl.SSLError, HTTPError, OSError) as exc:
            connection.close()
            another = isinstance(exc, ssl.SSLError | HTTPError) and not isinstance(exc, NewConnectionError)
            raise Unreachable(
                "it does not show the certificate that it registered" if another else "no connection"
            ) from exc
        return connection

    def _ask(self, connection: HTTPSConnection, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        with self._turn:
            left = self._deadline - self._monotonic()
            if self._given_up or left <= 0:
                raise Unreachable(_TIMED_OUT)
            connection.timeout = left  # what is set on the socket itself, urllib3 replaces by this before it reads
            connection.sock.settimeout(left)
            self._socket = connection.sock
        try:
            headers["Host"] = self._target.name
            connection.request(method, path, body, headers, preload_content=False, decode_content=False)
            response = connection.getresponse()
            content = b""
            # Only a read at the end tells an answer that was cut short.
            while len(content) <= MAX_ANSWER_BYTES and (part := response.read(_READ_BYTES)):
                content += part
        except (TimeoutError, HTTPError, HTTPException, OSError) as exc:
            raise Lost("the connection broke before the answer was complete") from exc
        if len(content) > MAX_ANSWER_BYTES:
            raise Lost("the answer is too large")
        return Answer(response.status, content)


@lru_cache(maxsize=32)
def _context(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the certificate itself is known; its names say nothing more
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The pinned certificate is trusted as it stands, whoever signed it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=certificate)
    return context
