"""A bounded pool of daemon threads for what takes long: whoever asks for a lot does not stand before all others."""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from vault_salesforce_contract.shares import NoPlace, Shares

log = structlog.get_logger(__name__)

_GREED: Final = 7  # one caller gets all but an eighth of the slots

Work = Callable[[], None]


class Pool(Protocol):
    """Where work is done that nobody should wait for."""

    def submit(self, work: Work, whose: str = "") -> None:
        """Do it soon, on behalf of `whose`; "" is time itself."""

    def stop(self, timeout_seconds: float) -> None:
        """Begin nothing more; wait so long for what runs."""


class Slots:
    """At most `size` threads, started as they are needed; they die with the process.

    Those who have work waiting take turns; of one of them it waits in the order that it came. Who submits sees to it
    that there is no more of it than there are accounts.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: OrderedDict[str, deque[Work]] = OrderedDict()  # whose turn it is comes first
        self._shares = Shares(size, _GREED)
        self._changed = threading.Condition()
        self._threads = self._idle = self._busy = 0
        self._stopped = False

    def submit(self, work: Work, whose: str = "") -> None:
        """See `Pool.submit`."""
        with self._changed:
            if self._stopped:
                return
            self._waiting.setdefault(whose, deque()).append(work)
            if self._idle < sum(map(len, self._waiting.values())) and self._threads < self._size:
                self._threads += 1
                threading.Thread(target=self._work, name=f"rotation-{self._threads}", daemon=True).start()
            self._changed.notify_all()

    def stop(self, timeout_seconds: float) -> None:
        """See `Pool.stop`."""
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._busy == 0, timeout_seconds)

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            work, give_back = taken
            try:
                work()
            except Exception:
                log.exception("a job in a rotation slot failed")
            with self._changed:
                give_back()
                self._busy -= 1
                self._changed.notify_all()

    def _next(self) -> tuple[Work, Work] | None:
        """What is to be done next, and what ends it; None: nothing more."""
        with self._changed:
            self._idle += 1
            taken = None
            while not self._stopped and (taken := self._take()) is None:
                self._changed.wait()
            self._idle -= 1
            if taken is None:
                self._threads -= 1
            else:
                self._busy += 1
            return taken

    def _take(self) -> tuple[Work, Work] | None:
        for whose in self._waiting:
            try:
                give_back = self._shares.take(whose or "\0")
            except NoPlace:
                continue
            waiting = self._waiting[whose]
            work = waiting.popleft()
            self._waiting.move_to_end(whose)
            if not waiting:
                del self._waiting[whose]
            return work, give_back
        return None
