"""What a sidecar remembers over its own restarts, where it has a state directory: how often the journal was written.

A Vault that was restored while no sidecar ran holds less than that.
"""

from pathlib import Path
from typing import Final

import structlog

from vault_salesforce_sidecar import statefile
from vault_salesforce_sidecar.clock import Clock

log = structlog.get_logger(__name__)

FILE_NAME: Final = "journal.json"
WRITE_SECONDS: Final = 10.0
_INSTALLATION, _WRITES = "installation", "journal_writes"


class Standing:
    """The file in the state directory; without one, nothing is remembered, and that is no fault.

    Args:
        directory: The state directory; empty: there is none.
        clock: Time.
    """

    def __init__(self, directory: str, clock: Clock) -> None:
        self._file = Path(directory, FILE_NAME) if directory else None
        self._clock = clock
        self._installation = ""
        self._told = 0
        self._next = float("-inf")

    def remembered(self, installation: str) -> int:
        """How often the journal of this installation was written at least; 0 where nothing is known of it."""
        self._installation = installation
        if self._file is None:
            return 0
        try:
            found = statefile.read(self._file)
            known = int(found.get(_WRITES, 0)) if found.get(_INSTALLATION) == installation else 0
        except (OSError, ValueError, TypeError) as exc:
            log.warning("state_unreadable", file=str(self._file), error_type=type(exc).__name__)
            return 0
        self._told = known
        return known

    def note(self, writes: int | None) -> None:
        """Remember how often it was written by now; a file that cannot be written is told in the log."""
        now = self._clock.monotonic()
        if self._file is None or writes is None or writes == self._told or now < self._next:
            return
        self._next = now + WRITE_SECONDS
        try:
            statefile.write(self._file, {_INSTALLATION: self._installation, _WRITES: writes})
        except OSError as exc:
            log.warning("state_not_written", file=str(self._file), error_type=type(exc).__name__)
            return
        self._told = writes
