"""HTTP to an org: no redirects, no repeats, no packed answers, one limit for the time and the bytes of a whole call.

It keeps apart what a rotation lives by: `NotSent` (no connection was made) and `Lost` (something may have left).
"""

import http.client
import logging
import re
import ssl
import threading
import time
from concurrent.futures import Future
from urllib.parse import urlsplit

import urllib3.exceptions

from vault_salesforce_sidecar.salesforce.hosts import AllowedHosts, Origin, origin_of
from vault_salesforce_sidecar.salesforce.idle import IDLE_SECONDS, IdleLines
from vault_salesforce_sidecar.salesforce.interface import Lost, NotSent
from vault_salesforce_sidecar.salesforce.lines import Line, Proxy, ProxyRefused, TooMuch, open_line
from vault_salesforce_sidecar.salesforce.message import Answer, Request

A_MOMENT_SECONDS = 2.0  # less than any server's patience: one rotation's calls follow each other closer
_CHUNK = 64 * 1024
_HEAD_AND_FRAMING = 64 * 1024  # bytes of an answer besides its body
_HEADERS = {"User-Agent": "vault-salesforce", "Accept-Encoding": "identity"}
_REDIRECTS = range(300, 400)
_HOST = re.compile(r"[a-z0-9.-]{1,253}")
_BROKEN = (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError)

# Its warnings print headers that it cannot read, and a session's cookie may be among them.
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)


class Redirected(Lost):
    """The answer sends us on; a secret does not follow.

    Attributes:
        host: Where to, without path and query; a few words where that cannot be read.
    """

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host

    def __str__(self) -> str:
        return f"the org's host sends us on to {self.host}, which no secret follows"


class Transport:
    """Connections to the hosts of one org.

    Args:
        hosts: Whom it may call.
        context: TLS settings, of `tls_context`.
        proxy: Through which; None: directly, whatever the environment says.
        idle: Where connections are kept for the next call; shared by all transports of a process.
    """

    def __init__(
        self, hosts: AllowedHosts, context: ssl.SSLContext, proxy: Proxy | None = None, idle: IdleLines | None = None
    ) -> None:
        self._hosts, self._context, self._proxy = hosts, context, proxy
        self._idle = idle or IdleLines()

    def allows(self, url: str) -> bool:
        """Whether this address may be called."""
        return self._hosts.allow(url)

    def at_its_port(self, url: str) -> str:
        """See `AllowedHosts.at_its_port`."""
        return self._hosts.at_its_port(url)

    def send(self, request: Request, seconds: float, *, repeatable: bool = False) -> Answer:
        """Send a request once and read its answer, whatever its status but a redirect's.

        Args:
            request: What to send.
            seconds: Limit of the whole call, from the look-up of the name to the last byte.
            repeatable: It changes and counts nothing. Any other request travels only on a new connection, or on one
                that was used a moment ago: the other end closes what is idle, and what is lost so is lost like
                anything else.

        Raises:
            NotSent: No connection was made.
            Redirected: The answer names another address.
            Lost: Anything else went wrong later.
        """
        deadline = time.monotonic() + seconds
        if not self._hosts.allow(request.url):
            raise NotSent("the address is not one that this connection may call")
        origin = origin_of(request.url)
        used_within = IDLE_SECONDS if repeatable else A_MOMENT_SECONDS
        line = self._idle.take(origin, self._context, used_within) or self._connect(origin, deadline)
        try:
            answer = _exchange(line, request, deadline)
        except Lost:
            line.close()
            raise
        except TooMuch as exc:
            line.close()
            raise _too_large(request) from exc
        except _BROKEN as exc:
            line.close()
            late = isinstance(exc, TimeoutError | urllib3.exceptions.TimeoutError)
            raise Lost("no answer in time" if late else "the connection broke before the answer was whole") from exc
        if line.http.sock is None:
            line.close()
        else:
            self._idle.keep(origin, self._context, line)
        return answer

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._idle.close()

    def _connect(self, origin: Origin, deadline: float) -> Line:
        # In a thread of its own: nothing limits the time of a name's look-up, nor of several addresses in turn.
        outcome: Future[Line] = Future()
        connecting = threading.Thread(
            target=_connecting,
            args=(origin, self._context, self._proxy, deadline, outcome),
            name="salesforce-connect",
            daemon=True,
        )
        try:
            connecting.start()
            return outcome.result(deadline - time.monotonic())
        except (*_BROKEN, RuntimeError) as exc:  # RuntimeError: the machine has no thread left
            outcome.add_done_callback(_close)
            reason = _reason(exc) if outcome.done() else "not in time"
            raise NotSent(f"no connection to {origin.host}: {reason}") from exc


def _connecting(
    origin: Origin, context: ssl.SSLContext, proxy: Proxy | None, deadline: float, outcome: Future[Line]
) -> None:
    try:
        outcome.set_result(open_line(origin, context, proxy, deadline))
    except Exception as exc:  # noqa: BLE001 - handed to who waits
        outcome.set_exception(exc)


def _close(outcome: Future[Line]) -> None:
    """Nobody waits for this one any more."""
    if outcome.exception() is None:
        outcome.result().close()


def _reason(exc: BaseException) -> str:
    if isinstance(exc, ProxyRefused):
        return str(exc)
    return "not in time" if isinstance(exc, TimeoutError) else type(exc).__name__


def _exchange(line: Line, request: Request, deadline: float) -> Answer:
    line.bound(deadline, request.largest_answer + _HEAD_AND_FRAMING)
    parts = urlsplit(request.url)
    line.http.request(
        request.method,
        parts.path + (f"?{parts.query}" if parts.query else ""),
        body=request.body or None,
        headers={**_HEADERS, **request.headers},
        preload_content=False,
        decode_content=False,
    )
    response = line.http.getresponse()
    if response.status in _REDIRECTS:
        raise Redirected(_host_of(response.headers.get("Location", ""), parts.hostname or ""))
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Lost("the answer is packed, which nobody asked for")
    body = bytearray()
    while chunk := response.read1(_CHUNK, decode_content=False):
        body += chunk
        if len(body) > request.largest_answer:
            raise _too_large(request)
    return Answer(response.status, bytes(body))


def _host_of(location: str, own: str) -> str:
    try:
        host = urlsplit(location).hostname or own
    except ValueError:
        host = ""
    return host if _HOST.fullmatch(host) else "an address that cannot be read"


def _too_large(request: Request) -> Lost:
    return Lost(f"the answer is larger than {request.largest_answer} bytes")
