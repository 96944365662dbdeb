"""Names to addresses: a slow name server holds up no request longer than it may, and holds one thread for a name."""

import asyncio
import contextlib
import socket
from concurrent.futures import ThreadPoolExecutor

_THREADS = 4
_NAMES_AT_MOST = 256

Addresses = tuple[str, ...]


class Resolver:
    """Asks the system. A name is asked once at a time, whoever wants it.

    The system's call cannot be ended, so it is waited for elsewhere; what it said last serves whoever cannot wait. An
    address that belongs to somebody else by now does no harm: the certificate there is another one.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="resolve")
        self._asked: dict[str, asyncio.Future[Addresses]] = {}
        self._known: dict[str, Addresses] = {}

    async def addresses(self, host: str, limit_seconds: float) -> Addresses:
        """The addresses of a host, or what they were last. Raises: OSError: there are none, or not within the limit."""
        if literal := _literal(host):
            return literal
        asked = self._asked.get(host)
        if asked is None or asked.done():
            asked = self._asked[host] = asyncio.get_running_loop().run_in_executor(self._pool, _ask, host)
            asked.add_done_callback(lambda done: self._learn(host, done))
        await asyncio.wait((asked,), timeout=limit_seconds)
        answered = asked.done() and not asked.cancelled()  # cancelled where the mount ended before a thread was free
        if answered and asked.exception() is None:
            return asked.result()
        if host in self._known:
            return self._known[host]
        if asked.done():
            raise OSError(f"{host} has no address")
        raise TimeoutError(f"{host} was not resolved in time")

    def close(self) -> None:
        """Ask nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _learn(self, host: str, done: asyncio.Future[Addresses]) -> None:
        if self._asked.get(host) is done:
            del self._asked[host]
        if not done.cancelled() and done.exception() is None:
            while len(self._known) >= _NAMES_AT_MOST:
                del self._known[next(iter(self._known))]
            self._known[host] = done.result()


def _literal(host: str) -> Addresses:
    """The host itself, where it is an address: nobody has to be asked."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError, ValueError):
            socket.inet_pton(family, host)
            return (host,)
    return ()


def _ask(host: str) -> Addresses:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))
