"""Time, as an argument: what a test passes in place of the machine's."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def _now() -> datetime:
    return datetime.now(UTC)


def _monotonic() -> float:
    # Counts on while the machine sleeps: a sidecar was not heard then either.
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True)
class Clock:
    """The two times that the plugin asks for.

    Attributes:
        now: The time of day, aware: for leases and signatures.
        monotonic: Seconds that never go back: for "last heard" and limits.
    """

    now: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = _monotonic
