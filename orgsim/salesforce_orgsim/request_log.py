"""Every request that reached the vendor's port, in order, without a secret in it."""

from collections import deque
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any

KEPT = 50_000

PENDING = "pending"
SUCCESS = "success"
NO_ANSWER = "no_answer"


@dataclass
class Entry:
    """One request.

    Attributes:
        n: Its number, from 1, in order of arrival.
        time: The org's time at arrival, ISO 8601 with milliseconds.
        channel: `soap`, `rest` or `oauth`.
        operation: What it does, by the SOAP name where there is one.
        username: The user it is about; empty when there is none, or none that is known.
        source: Address of the client.
        method: HTTP method.
        path: Path of the address, without its query.
        outcome: `pending`, `success`, `no_answer`, or the code of the refusal.
        applied: For password changes: whether the change was made.
        note: What else happened, such as a hook that did not answer.
    """

    n: int
    time: str
    channel: str
    operation: str
    username: str
    source: str
    method: str
    path: str
    outcome: str = PENDING
    applied: bool | None = None
    note: str = ""


class RequestLog:
    """The requests seen, the newest 50,000 of them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._count = 0

    def add(
        self, *, time: str, channel: str, operation: str, username: str, source: str, method: str, path: str
    ) -> Entry:
        """Number a request and keep it."""
        with self._lock:
            self._count += 1
            entry = Entry(self._count, time, channel, operation, username, source, method, path)
            self._entries.append(entry)
            return entry

    def update(self, entry: Entry, **changes: Any) -> None:
        """Write down what became of a request."""
        with self._lock:
            for name, value in changes.items():
                setattr(entry, name, value)

    def since(self, n: int) -> list[dict[str, Any]]:
        """Show the requests with a number above `n`."""
        with self._lock:
            return [asdict(entry) for entry in self._entries if entry.n > n]

    def clear(self) -> None:
        """Forget the requests; numbers go on, so that a reader's place stays good."""
        with self._lock:
            self._entries.clear()
