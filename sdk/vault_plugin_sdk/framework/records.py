"""Records in a mount's storage: one JSON document for each, of the fields that its class declares."""

import json
from typing import Generic, TypeVar

from vault_plugin_sdk.framework.fields import from_stored, to_stored
from vault_plugin_sdk.logical.storage import Storage

Record = TypeVar("Record")


class Records(Generic[Record]):
    """The records of one class below one prefix.

    Args:
        storage: The mount's storage, or a transaction of it.
        prefix: Where their keys begin; ends in a slash. A record with secrets in it belongs below a prefix that
            `SpecialPaths.seal_wrap` names.
        record: Their class, a dataclass of `field`s.
    """

    def __init__(self, storage: Storage, prefix: str, record: type[Record]) -> None:
        self._storage = storage
        self._prefix = prefix
        self._record = record

    async def get(self, name: str) -> Record | None:
        """The record, or None where there is none. Raises: ValueError, StorageError: It cannot be read."""
        stored = await self._storage.get(self._prefix + name)
        return None if stored is None else from_stored(self._record, json.loads(stored))

    async def put(self, name: str, record: Record) -> None:
        """Store it, secrets included. Raises: ReadOnlyStorageError, StorageError."""
        await self._storage.put(self._prefix + name, json.dumps(to_stored(record)).encode())

    async def delete(self, name: str) -> None:
        """Remove it; one that is not there is no error. Raises: ReadOnlyStorageError, StorageError."""
        await self._storage.delete(self._prefix + name)

    async def names(self, *, after: str = "", limit: int = 0) -> list[str]:
        """Their names, sorted: those after `after`, at most `limit` (0: all). Raises: StorageError."""
        return await self._storage.page(self._prefix, after=after, limit=limit)

    async def all(self, *, after: str = "", limit: int = 0) -> dict[str, Record]:
        """The same with their records. Raises: ValueError, StorageError."""
        found = {name: await self.get(name) for name in await self.names(after=after, limit=limit)}
        return {name: record for name, record in found.items() if record is not None}
