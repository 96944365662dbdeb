"""The one thread that calls `Rotations.tick`."""

import threading
from typing import Final, Protocol

import structlog

from vault_salesforce_sidecar.clock import Clock

log = structlog.get_logger(__name__)

TICK_SECONDS: Final = 1.0
STOP_SECONDS: Final = 5.0


class Ticking(Protocol):
    """What is to be called about every second."""

    def tick(self) -> None:
        """Look after what time brings."""


class Ticker:
    """Calls `tick` from a thread of its own; a tick that fails is logged, and the next one comes."""

    def __init__(self, rotations: Ticking, clock: Clock) -> None:
        self._rotations, self._clock = rotations, clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End after the tick in hand."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._clock.wait(self._stopping, TICK_SECONDS):
            try:
                self._rotations.tick()
            except Exception:
                log.exception("tick failed")
