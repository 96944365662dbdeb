"""Servers on real sockets that do exactly what a test says, byte by byte."""

import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from vault_salesforce_sidecar.clock import SystemClock
from vault_salesforce_sidecar.salesforce.org import Orgs

sys.path.append(str(Path(__file__).parents[1] / "rotation"))  # its world in memory

from fakes import Accidents, ManualClock, MemoryKv

PATIENCE_SECONDS = 10.0
Behave = Callable[[socket.socket, bytes], None]


@dataclass
class RawServer:
    """Reads one whole request after another from each connection, and leaves the rest to `behave`."""

    behave: Behave
    context: ssl.SSLContext | None = None
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        with closing(plain), suppress(OSError):
            connection = self.context.wrap_socket(plain, server_side=True) if self.context else plain
            with closing(connection):
                while request := _whole_request(connection):
                    self.requests.append(request)
                    self.behave(connection, request)


def _whole_request(connection: socket.socket) -> bytes:
    got = b""
    while b"\r\n\r\n" not in got:
        piece = connection.recv(65536)
        if not piece:
            return b""
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


class Servers:
    """Starts servers, and writes what they send."""

    def __init__(self) -> None:
        self.started: list[RawServer] = []

    def start(self, behave: Behave, context: ssl.SSLContext | None = None) -> RawServer:
        """A server that behaves so; `context` makes it speak TLS."""
        self.started.append(RawServer(behave, context))
        return self.started[-1]

    def answering(self, *answers: bytes) -> RawServer:
        """A server that answers in this order, the last one ever after."""
        left = list(answers)
        return self.start(lambda connection, _: connection.sendall(left.pop(0) if len(left) > 1 else left[0]))

    @staticmethod
    def answer(body: bytes | str = b"", status: str = "200 OK", kind: str = "text/xml") -> bytes:
        """An answer as it goes over the wire."""
        content = body.encode() if isinstance(body, str) else body
        return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


@pytest.fixture
def servers() -> Iterator[Servers]:
    """Servers for one test."""
    servers = Servers()
    yield servers
    for server in servers.started:
        server.stop()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Whoever vouches for the servers of these tests."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_cert(authority: trustme.CA) -> str:
    """Its certificate, in PEM."""
    return authority.cert_pem.bytes().decode()


@pytest.fixture
def kv() -> MemoryKv:
    """The engine's own mount."""
    return MemoryKv("engine", Accidents(), ManualClock())


@pytest.fixture
def orgs(kv: MemoryKv) -> Iterator[Orgs]:
    """What opens connections, with patience for 5 s a call."""
    orgs = Orgs(SystemClock(), kv, longest_call_seconds=5.0)
    yield orgs
    orgs.close()
