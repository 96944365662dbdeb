"""Places that callers share: whoever comes next finds one, whatever the others do. PURE."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Final

GREED: Final = 3


class NoPlace(Exception):  # noqa: N818 - what happened, as a fact
    """No place was given.

    Attributes:
        own: There are free ones, for others: the one who asked holds too many.
    """

    def __init__(self, *, own: bool) -> None:
        super().__init__("so many are this caller's own" if own else "all are taken")
        self.own = own


class Shares:
    """So many places; a caller gets one more only while it holds less than `greed` times those that are free.

    So the first to come holds three quarters of them at most, a second as much of the rest, and as places are given
    back and taken again, all come to hold the same. Thread-safe; nobody waits here.

    Args:
        places: How many there are.
        greed: How much of them one caller may hold; the larger, the more.
    """

    def __init__(self, places: int, greed: int = GREED) -> None:
        self._free, self._greed = places, greed
        self._held: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, *whose: str) -> Callable[[], None]:
        """A place.

        Args:
            whose: All that it counts for, such as who asks, and about which role; "" is nobody in particular.

        Returns: To be called once, when the place is free again.

        Raises: NoPlace.
        """
        named = [one for one in whose if one]
        with self._lock:
            if self._free <= 0:
                raise NoPlace(own=False)
            if any(self._held[one] >= self._greed * self._free for one in named):
                raise NoPlace(own=True)
            self._free -= 1
            self._held.update(named)
        return lambda: self._give_back(named)

    def _give_back(self, named: list[str]) -> None:
        with self._lock:
            self._free += 1
            for one in named:
                self._held[one] -= 1
                if not self._held[one]:
                    del self._held[one]
