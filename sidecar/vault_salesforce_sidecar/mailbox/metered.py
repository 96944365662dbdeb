"""A TLS socket that a server cannot keep busy for ever: what a call may take, in time and in bytes."""

import ssl
import time
from typing import Any

_GREETING_SECONDS = 5.0
_GREETING_BYTES = 64 * 1024


class MeteredSocket(ssl.SSLSocket):
    """Reads at most so many bytes, until so late; then it raises TimeoutError or OSError.

    A socket's own time limit starts anew with each byte, so that a server that sends one now and then is never late.
    """

    _until = float("inf")
    _bytes_left = _GREETING_BYTES

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the library's own signature
        """See `ssl.SSLSocket.do_handshake`; what follows is taken for a greeting, until `allow` says more."""
        super().do_handshake(block)
        self.allow(_GREETING_SECONDS, _GREETING_BYTES)

    def allow(self, seconds: float, size: int) -> None:
        """From now on: so long, and so many bytes."""
        self._until = time.monotonic() + seconds
        self._bytes_left = size

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """See `socket.recv_into`; the one way in which a buffered reader reads."""
        if time.monotonic() > self._until:
            raise TimeoutError("the answer takes too long")
        count = super().recv_into(buffer, nbytes, flags)
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise OSError("the answer is too large")
        return count


def tls_context(ca_cert: str) -> ssl.SSLContext:
    """TLS 1.2 or newer, of whose sockets each is metered.

    Args:
        ca_cert: PEM of the authorities that may vouch for the server; empty: the system's.
    """
    context = ssl.create_default_context(cadata=ca_cert or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = MeteredSocket
    return context
