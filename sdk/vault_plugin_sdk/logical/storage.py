"""A mount's own storage: a small key-value store behind Vault's barrier."""

from typing import Protocol


class ReadOnlyStorageError(Exception):
    """The node may not write: a standby. The request is to be forwarded."""


class StorageError(Exception):
    """The storage did not do what it was asked; the text is the server's."""


class Storage(Protocol):
    """Keys are paths with slashes; values are bytes. Each call may raise `StorageError`."""

    async def get(self, key: str) -> bytes | None:
        """The value, or None where there is none."""

    async def put(self, key: str, value: bytes) -> None:
        """Store `value`. Raises `ReadOnlyStorageError` on a standby."""

    async def delete(self, key: str) -> None:
        """Remove the key; one that is not there is no error. Raises `ReadOnlyStorageError` on a standby."""

    async def list(self, prefix: str) -> list[str]:
        """The next segments below `prefix` (itself ending in a slash, or ""); folders end in a slash."""


class MemoryStorage:
    """A `Storage` in memory, for tests and for the in-memory mount."""

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}
        self.read_only = False

    async def get(self, key: str) -> bytes | None:
        """See `Storage.get`."""
        return self.entries.get(key)

    async def put(self, key: str, value: bytes) -> None:
        """See `Storage.put`."""
        self._writable()
        self.entries[key] = value

    async def delete(self, key: str) -> None:
        """See `Storage.delete`."""
        self._writable()
        self.entries.pop(key, None)

    async def list(self, prefix: str) -> list[str]:
        """See `Storage.list`."""
        rests = [key.removeprefix(prefix) for key in self.entries if key.startswith(prefix)]
        return sorted({head + slash for head, slash, _ in (rest.partition("/") for rest in rests)})

    def _writable(self) -> None:
        if self.read_only:
            raise ReadOnlyStorageError("cannot write to readonly storage")
