"""Connections that are open and not in use: few, and not for long, however many orgs there are."""

import ssl
import threading
import time
from typing import NamedTuple

from vault_salesforce_sidecar.salesforce.hosts import Origin
from vault_salesforce_sidecar.salesforce.lines import Line

IDLE_CONNECTIONS = 64
IDLE_SECONDS = 30.0


class _Idle(NamedTuple):
    origin: Origin
    context: ssl.SSLContext
    since: float
    line: Line


class IdleLines:
    """Those of a process, oldest first. Who takes one shares the TLS settings that it was made with.

    Args:
        seconds: How long one is kept.
    """

    def __init__(self, seconds: float = IDLE_SECONDS) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._idle: list[_Idle] = []

    def take(self, origin: Origin, context: ssl.SSLContext, used_within: float = IDLE_SECONDS) -> Line | None:
        """One that was used within so many seconds, and that the other end has not closed; None: there is none."""
        while True:
            with self._lock:
                self._drop_old()
                earliest = time.monotonic() - used_within
                fitting = [
                    one
                    for one in self._idle
                    if one.origin == origin and one.context is context and one.since > earliest
                ]
                if not fitting:
                    return None
                self._idle.remove(fitting[-1])
            line = fitting[-1].line
            if line.http.is_connected:
                return line
            line.close()

    def keep(self, origin: Origin, context: ssl.SSLContext, line: Line) -> None:
        """One that was used, and may be again."""
        with self._lock:
            self._drop_old()
            if len(self._idle) == IDLE_CONNECTIONS:
                self._idle.pop(0).line.close()
            self._idle.append(_Idle(origin, context, time.monotonic(), line))

    def close(self) -> None:
        """Close them all."""
        with self._lock:
            idle, self._idle = self._idle, []
        for one in idle:
            one.line.close()

    def _drop_old(self) -> None:
        now = time.monotonic()
        while self._idle and now - self._idle[0].since > self._seconds:
            self._idle.pop(0).line.close()
