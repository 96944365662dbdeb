"""Between a sidecar and its org: everything passes, but for one kind of call, which is answered by something else."""

import http.client
import re
import socket
import socketserver
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

Answer = bytes | Callable[[socket.socket, bytes], None]

_LENGTH = re.compile(rb"(?im)^content-length: *([0-9]+)")


@dataclass
class Spoil:
    """What is answered instead.

    Attributes:
        step: The call: `login`, `change` or `look`.
        answer: The bytes, or what is done with the connection and the org's own answer.
        reaches: Whether the org hears of the call.
        skip: So many calls of this kind are answered by the org first.
        times: How many are not; None: all that follow.
    """

    step: str
    answer: Answer
    reaches: bool
    skip: int = 0
    times: int | None = 1


class Relay:
    """A server in front of an org."""

    def __init__(self, org_url: str) -> None:
        self._org = urlsplit(org_url).netloc
        self._lock = threading.Lock()
        self._spoil: Spoil | None = None
        self.spoilt = 0
        relay = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):
                    while relay._serve(self.request):
                        pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads, block_on_close = True, False

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def spoil(self, spoil: Spoil | None) -> None:
        """From now on."""
        with self._lock:
            self._spoil, self.spoilt = spoil, 0

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self, connection: socket.socket) -> bool:
        request = b""
        while b"\r\n\r\n" not in request:
            piece = connection.recv(65536)
            if not piece:
                return False
            request += piece
        head, _, body = request.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        while length and len(body) < int(length[1]):
            body += connection.recv(65536)
        spoil = self._take(head + body)
        real = self._ask(head, body) if spoil is None or spoil.reaches else b""
        if spoil is None:
            connection.sendall(real)
            return True
        if callable(spoil.answer):
            spoil.answer(connection, real)
        else:
            connection.sendall(spoil.answer)
        return False

    def _take(self, request: bytes) -> Spoil | None:
        with self._lock:
            spoil = self._spoil
            if spoil is None or _step(request) != spoil.step:
                return None
            if spoil.skip:
                spoil.skip -= 1
                return None
            if spoil.times is not None and self.spoilt >= spoil.times:
                return None
            self.spoilt += 1
            return spoil

    def _ask(self, head: bytes, body: bytes) -> bytes:
        line, *lines = head.decode().split("\r\n")
        method, target, _ = line.split(" ")
        org = http.client.HTTPConnection(self._org, timeout=10)
        org.request(method, target, body, dict(one.split(": ", 1) for one in lines))
        answer = org.getresponse()
        content = answer.read()
        org.close()
        kind = answer.getheader("Content-Type", "text/plain")
        told = f"HTTP/1.1 {answer.status} x\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
        return (told if answer.status != http.client.NO_CONTENT else "HTTP/1.1 204 x\r\n\r\n").encode() + content


def _step(request: bytes) -> str:
    if request.startswith(b"GET"):
        return "look"
    if b":login>" in request or b"/services/oauth2/token" in request:
        return "login"
    return "change" if b"assword" in request else ""
