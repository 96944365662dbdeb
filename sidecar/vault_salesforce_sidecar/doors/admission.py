"""What a peer must have done before it gets a web thread: the TLS handshake, and the whole of its one request.

Otherwise a few peers that say nothing, or drop after drop, hold every thread, and nobody has shown a signature yet.
"""

import contextlib
import re
import selectors
import socket
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import structlog

log = structlog.get_logger(__name__)

ARRIVAL_SECONDS = 5.0  # from the connection to the last byte of the request
ARRIVALS = 256  # connections that may be on their way in at once; one more, and the oldest has to go
BUFFERED_BYTES = 32 * 1024 * 1024  # that all of them together may have sent
REPLY_SECONDS = 5.0  # from the first byte of the answer to the last
MAX_HEAD_BYTES = 32 * 1024
_READ_BYTES = 64 * 1024
_COMPLAIN_SECONDS = 60.0
_END = b"\r\n\r\n"  # of a head
_LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:[ \t]*(\d{1,9})[ \t]*(?=\r\n)", re.IGNORECASE)
_CODED = re.compile(rb"\r\ntransfer-encoding[ \t]*:", re.IGNORECASE)


class Connection(ssl.SSLSocket):
    """A connection whose request is here already: reading it waits for nobody, and writing to it not for ever.

    After the request it reads as if its peer had nothing more to say, so that nobody waits for that either.
    """

    arrived = b""
    _reply_by: float | None = None

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """See `socket.recv`: of what has arrived."""
        part, self.arrived = self.arrived[:buflen], self.arrived[buflen:]
        return part

    def send(self, data: Any, flags: int = 0) -> int:
        """See `socket.send`. Raises: TimeoutError: the whole answer was not taken in time."""
        now = time.monotonic()
        self._reply_by = self._reply_by or now + REPLY_SECONDS
        if now >= self._reply_by:
            raise TimeoutError("the answer was not taken in time")
        self.settimeout(self._reply_by - now)
        return super().send(data, flags)

    def read_on(self) -> bytes:
        """More of the request, as far as it is here; empty at its end. Raises: ssl.SSLError, OSError."""
        return super().recv(_READ_BYTES)


class _Arrival:
    """A connection on its way in."""

    def __init__(self, connection: Connection, job: Callable[[], Any], done: "Future[Any]", limit: int) -> None:
        self.connection, self.job, self.done = connection, job, done
        self.until = time.monotonic() + ARRIVAL_SECONDS
        self.greeted = False
        self.content = bytearray()
        self._limit = limit
        self._whole_at: int | None = None  # length of the request, once its head is here

    def go_on(self) -> None:
        """Take what is there, to the end of the request.

        Raises:
            ssl.SSLWantReadError, ssl.SSLWantWriteError: It is not whole yet.
            OSError: It never will be.
        """
        if not self.greeted:
            self.connection.do_handshake()
            self.greeted = True
        while self._whole_at is None or len(self.content) < self._whole_at:
            part = self.connection.read_on()
            if not part:
                raise ConnectionResetError
            self.content += part
            if self._whole_at is None:
                self._whole_at = self._length(len(part))

    def _length(self, added: int) -> int | None:
        """The length of the request, or what it has where it is to be refused as it stands; None before its head ends.

        Args:
            added: Bytes that were looked at for the first time.
        """
        have = len(self.content)
        end = self.content.find(_END, max(0, have - added - len(_END) + 1))
        if end < 0:
            return have if have > MAX_HEAD_BYTES else None
        head = bytes(self.content[: end + 2])
        length = _LENGTH.search(head)
        if length is None or _CODED.search(head) or int(length[1]) > self._limit:
            return have
        return end + len(_END) + int(length[1])


class Admission(Executor):
    """The web server's threads, behind a door of one thread that no peer can hold.

    Args:
        threads: Web threads.
        context: TLS, whose sockets are `Connection`s.
        max_body_bytes: What is announced to be longer is not waited for: the application refuses it.
    """

    def __init__(self, threads: int, context: ssl.SSLContext, max_body_bytes: int) -> None:
        self._context, self._max_body_bytes = context, max_body_bytes
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="web")
        self._selector = selectors.DefaultSelector()
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)
        self._selector.register(self._ours, selectors.EVENT_READ)
        self._new: list[_Arrival] = []
        self._lock = threading.Lock()
        self._arrivals: OrderedDict[int, _Arrival] = OrderedDict()  # the oldest first
        self._closing = False
        self._complained_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="admission", daemon=True)
        self._thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """See `Executor.submit`. Of gunicorn: `fn` answers the connection that is its one argument."""
        (peer,) = args
        done: Future[Any] = Future()
        try:
            peer.sock = self._context.wrap_socket(peer.sock, server_side=True, do_handshake_on_connect=False)
            peer.sock.setblocking(False)
        except OSError:  # it has gone already
            done.set_result(False)
            return done
        peer.data_ready = True  # when it comes to a thread
        with self._lock:
            self._new.append(_Arrival(peer.sock, lambda: fn(peer), done, self._max_body_bytes))
        self._wake()
        return done

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the base's
        """See `Executor.shutdown`."""
        self._closing = True
        self._wake()
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._theirs.send(b"\0")

    def _run(self) -> None:
        while not self._closing:
            first = next(iter(self._arrivals.values()), None)
            timeout = None if first is None else max(0.0, first.until - time.monotonic())
            for key, _ in self._selector.select(timeout):
                if key.data is None:
                    with contextlib.suppress(OSError):
                        self._ours.recv(_READ_BYTES)
                    self._take_new()
                else:
                    self._go_on(key.data)
            self._drop_late()
        for arrival in list(self._arrivals.values()):
            self._drop(arrival)
        self._selector.close()
        self._ours.close()
        self._theirs.close()

    def _take_new(self) -> None:
        with self._lock:
            new, self._new = self._new, []
        for arrival in new:
            number = arrival.connection.fileno()
            self._arrivals[number] = arrival
            self._selector.register(number, selectors.EVENT_READ, arrival)
            self._go_on(arrival)

    def _go_on(self, arrival: _Arrival) -> None:
        number = arrival.connection.fileno()
        if self._arrivals.get(number) is not arrival:
            return  # dropped in the same turn
        try:
            arrival.go_on()
        except ssl.SSLWantReadError:
            self._selector.modify(number, selectors.EVENT_READ, arrival)
        except ssl.SSLWantWriteError:
            self._selector.modify(number, selectors.EVENT_WRITE, arrival)
        except (OSError, ValueError):
            self._drop(arrival)
        except Exception:
            log.exception("admission_failed")
            self._drop(arrival)
        else:
            self._forget(arrival)
            arrival.connection.arrived = bytes(arrival.content)
            self._answer(arrival)

    def _answer(self, arrival: _Arrival) -> None:
        def answer() -> None:
            try:
                arrival.done.set_result(arrival.job())
            except BaseException as exc:  # noqa: BLE001 - the server's own business
                arrival.done.set_exception(exc)

        try:
            self._pool.submit(answer)
        except RuntimeError:  # it is shut down
            arrival.done.set_result(False)

    def _drop_late(self) -> None:
        """Those whose time is over; and the oldest, where there are too many or they sent too much."""
        now = time.monotonic()
        buffered = sum(len(arrival.content) for arrival in self._arrivals.values())
        for arrival in list(self._arrivals.values()):
            full = len(self._arrivals) > ARRIVALS or buffered > BUFFERED_BYTES
            if arrival.until > now and not full:
                return
            if full and now - self._complained_at >= _COMPLAIN_SECONDS:
                self._complained_at = now
                log.warning("too_many_connections", arriving=len(self._arrivals), buffered_bytes=buffered)
            buffered -= len(arrival.content)
            self._drop(arrival)

    def _forget(self, arrival: _Arrival) -> None:
        number = arrival.connection.fileno()
        del self._arrivals[number]
        self._selector.unregister(number)

    def _drop(self, arrival: _Arrival) -> None:
        self._forget(arrival)
        arrival.done.set_result(False)  # then the server closes it
