"""Requests that are being answered, and for how long already: what the limit of concurrent requests looks at."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic


class InProgress:
    """The requests in progress, by the wall clock."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self._since: dict[int, float] = {}

    @contextmanager
    def one(self) -> Iterator[None]:
        """Be one of them."""
        with self._lock:
            self._count += 1
            number = self._count
            self._since[number] = monotonic()
        try:
            yield
        finally:
            with self._lock:
                del self._since[number]

    def longer_than(self, seconds: float) -> int:
        """Count those that have lasted longer, in seconds."""
        earliest = monotonic() - seconds
        with self._lock:
            return sum(since < earliest for since in self._since.values())
