"""What is known to be written of late: a standby of Vault's may not know it yet."""

import threading
import time
from collections.abc import Callable

LAG_SECONDS = 2.0  # a standby follows within a tenth of it, but not before it has a leader to follow
LOOK_SECONDS = 0.05
KNOWN_SECONDS = 60.0  # an election is over by then
_SWEEP_AT = 1024


class Recent:
    """The newest version of each path, by what was learnt within the last `KNOWN_SECONDS`. Thread-safe.

    Args:
        monotonic: Seconds that never go back.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._known: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def knows(self, path: str, version: int) -> None:
        """There is this version: it was written, or was met in a write's way."""
        now = self._monotonic()
        with self._lock:
            if len(self._known) >= _SWEEP_AT:
                self._known = {path: one for path, one in self._known.items() if now < one[1]}
            self._known[path] = version, now + KNOWN_SECONDS

    def forget(self, path: str) -> None:
        """What was known of the path is not so any longer."""
        with self._lock:
            self._known.pop(path, None)

    def is_stale(self, path: str, version: int) -> bool:
        """Whether what was read is older than what is known, and may be newer if it is read again."""
        newest, until = self._known.get(path, (0, 0.0))
        return version < newest and self._monotonic() < until
