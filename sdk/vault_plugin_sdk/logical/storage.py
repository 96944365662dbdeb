"""A mount's own storage: a small key-value store behind Vault's barrier."""

from bisect import bisect_right
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol


class ReadOnlyStorageError(Exception):
    """The node may not write: a standby. The request is to be forwarded."""


class StorageError(Exception):
    """The storage did not do what it was asked; the text is the server's."""


class ConflictError(StorageError):
    """Somebody else changed what the transaction has read or written: nothing of it was done; begin it again."""


class Storage(Protocol):
    """Keys are paths with slashes; values are bytes. Each call may raise `StorageError`.

    Attributes:
        transactional: Whether `transaction` gives one. OpenBao's storage is transactional, HashiCorp Vault's is not.
    """

    transactional: bool

    async def get(self, key: str) -> bytes | None:
        """The value, or None where there is none."""

    async def put(self, key: str, value: bytes) -> None:
        """Store `value`. Raises `ReadOnlyStorageError` on a standby."""

    async def delete(self, key: str) -> None:
        """Remove the key; one that is not there is no error. Raises `ReadOnlyStorageError` on a standby."""

    async def page(self, prefix: str, *, after: str = "", limit: int = 0) -> list[str]:
        """Some of what `list` gives: what sorts after `after`, at most `limit` of it (0: all)."""

    def transaction(self, *, read_only: bool = False) -> AbstractAsyncContextManager["Storage"]:
        """The storage as one moment shows it: `async with storage.transaction() as tx`.

        All that was written to `tx` is done when the block ends, or nothing of it where the block raises. Where the
        storage is not `transactional` it is the storage itself, and each call stands alone.

        Raises:
            ConflictError: At the end: somebody else was faster.
            ReadOnlyStorageError: At the beginning, on a standby, unless `read_only`.
        """

    async def list(self, prefix: str) -> list[str]:
        """The next segments below `prefix` (itself ending in a slash, or ""), sorted; folders end in a slash."""


def sliced(keys: list[str], after: str, limit: int) -> list[str]:
    """A page of sorted keys: what `Storage.page` gives, for a storage that can only list."""
    rest = keys[bisect_right(keys, after) :] if after else keys
    return rest[:limit] if limit > 0 else rest


class MemoryStorage:
    """A `Storage` in memory, for tests and for the in-memory mount.

    Attributes:
        entries: What it holds.
        read_only: Whether it refuses writes, as a standby's does.
        transactional: See `Storage`; may be changed.
    """

    def __init__(self, entries: dict[str, bytes] | None = None) -> None:
        self.entries = {} if entries is None else entries
        self.read_only = False
        self.transactional = True

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

    async def page(self, prefix: str, *, after: str = "", limit: int = 0) -> list[str]:
        """See `Storage.page`."""
        return sliced(await self.list(prefix), after, limit)

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncIterator[Storage]:
        """See `Storage.transaction`."""
        if not self.transactional:
            yield self
            return
        if not read_only:
            self._writable()
        inner = _MemoryTransaction(self.entries, read_only=read_only)
        yield inner
        inner.commit(self.entries)

    async def list(self, prefix: str) -> list[str]:
        """See `Storage.list`."""
        rests = [key.removeprefix(prefix) for key in self.entries if key.startswith(prefix)]
        return sorted({head + slash for head, slash, _ in (rest.partition("/") for rest in rests)})

    def _writable(self) -> None:
        if self.read_only:
            raise ReadOnlyStorageError("cannot write to readonly storage")


class _MemoryTransaction(MemoryStorage):
    """The entries of one moment, and what became of them."""

    def __init__(self, entries: dict[str, bytes], *, read_only: bool) -> None:
        super().__init__(dict(entries))
        self._before = dict(entries)
        self.read_only, self.transactional = read_only, False
        self._read: set[str] = set()
        self._written: set[str] = set()

    async def get(self, key: str) -> bytes | None:
        self._read.add(key)
        return await super().get(key)

    async def put(self, key: str, value: bytes) -> None:
        await super().put(key, value)
        self._written.add(key)

    async def delete(self, key: str) -> None:
        await super().delete(key)
        self._written.add(key)

    def commit(self, entries: dict[str, bytes]) -> None:
        """Do in `entries` what was done here."""
        if self._written and any(entries.get(key) != self._before.get(key) for key in self._read | self._written):
            raise ConflictError("transaction commit failed")
        for key in self._written:
            if key in self.entries:
                entries[key] = self.entries[key]
            else:
                entries.pop(key, None)
