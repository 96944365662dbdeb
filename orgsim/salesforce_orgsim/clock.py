"""The org's clock: the wall clock, moved forward on request, so that a day's rule can be tested in a moment."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock


def wall_clock() -> datetime:
    """Read the machine's clock, in UTC."""
    return datetime.now(UTC)


class OrgClock:
    """Time as the org sees it: a source plus an offset that tests move.

    Args:
        source: Where the time comes from; must return aware datetimes in UTC.
    """

    def __init__(self, source: Callable[[], datetime] = wall_clock) -> None:
        self._source = source
        self._offset = timedelta(0)
        self._lock = Lock()

    def now(self) -> datetime:
        """Return the org's present time, in UTC."""
        with self._lock:
            return self._source() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the clock; a negative number moves it back."""
        with self._lock:
            self._offset += timedelta(seconds=seconds)

    def reset(self) -> None:
        """Forget every move."""
        with self._lock:
            self._offset = timedelta(0)


def stamp(moment: datetime) -> str:
    """Write a moment as REST answers do: whole seconds, shown with three zeros and a numeric offset."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def soap_stamp(moment: datetime) -> str:
    """Write a moment as SOAP answers do: an xsd:dateTime in UTC with milliseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
