"""Time, as an argument: what a test passes in place of the machine's."""

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The three times that the sidecar asks for."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC: for people, schedules and records."""

    def monotonic(self) -> float:
        """Seconds that never go back and count on while the machine sleeps: for holds and limits."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until `event` is set, at most so long; whether it was."""


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """See `Clock.now`."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """See `Clock.monotonic`. CLOCK_BOOTTIME, since a hold's time also passes while a machine is suspended."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """See `Clock.wait`."""
        return event.wait(seconds)
