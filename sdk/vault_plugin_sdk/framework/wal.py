"""Write-ahead log: what is about to be done outside is written first, and undone by the tick if nobody finished it.

A process may end anywhere between the two, and the server may then run the same request a second time.
"""

import json
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from vault_plugin_sdk.logical.storage import Storage

# Keys of the log; the same as in Go's framework. A Backend that uses it names it in `SpecialPaths.local`.
PREFIX = "wal/"

_log = logging.getLogger(__name__)


class WriteAheadLog:
    """The log of one mount.

    Args:
        storage: The mount's storage.
        clock: Seconds since the epoch.
    """

    def __init__(self, storage: Storage, *, clock: Callable[[], float] = time.time) -> None:
        self._storage = storage
        self._clock = clock

    async def write(self, kind: str, data: Mapping[str, Any]) -> str:
        """Before the side effect: note how it would be undone.

        Args:
            kind: Which of the functions given to `undo` will get it.
            data: JSON values; no secret that the storage may not hold.

        Returns:
            The entry's id, for `clear`.

        Raises:
            ReadOnlyStorageError: On a standby.
            StorageError: It was not written: leave the side effect alone.
        """
        entry_id = str(uuid.uuid4())
        entry = {"kind": kind, "data": dict(data), "written": self._clock()}
        await self._storage.put(PREFIX + entry_id, json.dumps(entry).encode())
        return entry_id

    async def clear(self, entry_id: str) -> None:
        """After the side effect and all that belongs to it: there is nothing to undo any more."""
        await self._storage.delete(PREFIX + entry_id)

    async def undo(
        self, functions: Mapping[str, Callable[[Mapping[str, Any]], Awaitable[None]]], *, min_age_seconds: float = 600
    ) -> None:
        """In `Backend.periodic`: undo what nobody finished.

        Args:
            functions: For each kind, what undoes it; may run twice for one entry, and succeeds where nothing is left.
            min_age_seconds: A younger entry may belong to a request that is still under way.
        """
        for entry_id in await self._storage.list(PREFIX):
            stored = await self._storage.get(PREFIX + entry_id)
            if stored is None:
                continue
            entry = json.loads(stored)
            if entry["written"] > self._clock() - min_age_seconds:
                continue
            try:
                await functions[entry["kind"]](entry["data"])
                await self.clear(entry_id)
            except Exception:  # noqa: BLE001 - one that cannot be undone now must not keep the others from it
                _log.exception("an entry of the write-ahead log was not undone", extra={"kind": entry["kind"]})
