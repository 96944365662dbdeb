"""A bounded pool of daemon threads for what takes long."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)


class Pool(Protocol):
    """Where work is done that nobody should wait for."""

    def submit(self, work: Callable[[], None]) -> None:
        """Do it soon."""

    def stop(self, timeout_seconds: float) -> None:
        """Begin nothing more; wait so long for what runs."""


class Slots:
    """At most `size` threads, started as they are needed; they die with the process.

    Work waits in the order that it came. Who submits sees to it that there is no more of it than there are accounts.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._threads = self._idle = self._busy = 0
        self._stopped = False

    def submit(self, work: Callable[[], None]) -> None:
        """See `Pool.submit`."""
        with self._changed:
            if self._stopped:
                return
            self._waiting.append(work)
            if self._idle < len(self._waiting) and self._threads < self._size:
                self._threads += 1
                threading.Thread(target=self._work, name=f"rotation-{self._threads}", daemon=True).start()
            self._changed.notify()

    def stop(self, timeout_seconds: float) -> None:
        """See `Pool.stop`."""
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._busy == 0, timeout_seconds)

    def _work(self) -> None:
        while (work := self._next()) is not None:
            try:
                work()
            except Exception:
                log.exception("a job in a rotation slot failed")
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._waiting or self._stopped)
            self._idle -= 1
            if not self._waiting:
                self._threads -= 1
                return None
            self._busy += 1
            return self._waiting.popleft()
