"""Things that are to happen in a while, on threads of their own, unless the simulator is reset or ends first."""

from collections.abc import Callable
from threading import Lock, Timer


class Later:
    """Runs actions after a delay; `cancel` forgets those that still wait."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._timers: set[Timer] = set()

    def run_after(self, seconds: float, action: Callable[[], None]) -> None:
        """Run an action after a delay by the wall clock."""
        timer = Timer(seconds, action)
        timer.daemon = True
        with self._lock:
            self._timers = {waiting for waiting in self._timers if waiting.is_alive()}
            self._timers.add(timer)
            timer.start()

    def cancel(self) -> None:
        """Forget what still waits; what has begun is finished before this returns."""
        with self._lock:
            timers, self._timers = self._timers, set()
        for timer in timers:
            timer.cancel()
            timer.join()
