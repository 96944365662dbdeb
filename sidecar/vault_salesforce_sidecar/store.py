"""Records in Vault's KV v2, each write by check-and-set."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

Record = TypeVar("Record")


class Conflict(Exception):  # noqa: N818 - an answer as good as any: somebody else wrote first
    """The check-and-set number did not match: nothing was written."""


class KvUnavailable(Exception):  # noqa: N818 - the state of a server, not a fault of ours
    """Vault did not do it, or did not say: sealed, away, forbidden, too slow. A write may still have happened.

    Args:
        sentence: For people, without secrets.
        remedy: What an operator does about it; None where waiting is all.
        nothing_done: It is certain that a write did not, and will not, happen.
    """

    def __init__(self, sentence: str, remedy: str | None = None, *, nothing_done: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.remedy = remedy
        self.nothing_done = nothing_done


@dataclass(frozen=True)
class KvVersion:
    """One version at a KV path.

    Attributes:
        data: What it holds; None for a version that was deleted or destroyed.
        version: Its number, from 1.
        custom_metadata: The path's custom metadata.
    """

    data: Mapping[str, Any] | None
    version: int
    custom_metadata: Mapping[str, str]


class Kv(Protocol):
    """One KV v2 mount. Paths are relative to it. Every call may raise `KvUnavailable`."""

    def read(self, path: str) -> KvVersion | None:
        """The newest version (also a deleted one), or None where there never was one."""

    def write(self, path: str, data: Mapping[str, Any], cas: int) -> int:
        """Write a version on top of version `cas` (0: the first ever); its number. Raises `Conflict`."""

    def set_metadata(
        self, path: str, *, max_versions: int | None = None, custom_metadata: Mapping[str, str] | None = None
    ) -> None:
        """Make or change the path's metadata; what is None stays as it is."""

    def list(self, prefix: str) -> list[str]:
        """The names below `prefix`, folders with a slash; empty where there is nothing."""


@dataclass(frozen=True)
class Stored(Generic[Record]):
    """A record with the version that it was read at or written as; `version` is the next write's check-and-set."""

    record: Record
    version: int


class Store(Generic[Record]):
    """Records of one kind below one prefix.

    Deleting writes a tombstone (a version that holds `{"deleted": true}`), never a KV delete: numbers must go on,
    or a sleeper's late write would match again.

    Args:
        kv: The mount.
        prefix: Folder of these records, such as `static-roles`.
        dump: Record → JSON object, secrets included.
        load: The reverse. Raises ValueError for what it cannot read.
        max_versions: Versions that KV keeps of each; set before the first write.
        members: Those that this release knows: others are written back as they are. None: `dump` sees to that.
    """

    def __init__(
        self,
        kv: Kv,
        prefix: str,
        *,
        dump: Callable[[Record], Mapping[str, Any]],
        load: Callable[[Mapping[str, Any]], Record],
        max_versions: int | None = None,
        members: frozenset[str] | None = None,
    ) -> None:
        self._kv, self._prefix, self._dump, self._load = kv, prefix, dump, load
        self._max_versions, self._members = max_versions, members

    def get(self, name: str) -> Stored[Record] | None:
        """The record, or None where there is none or it was deleted."""
        found = self._kv.read(f"{self._prefix}/{name}")
        if found is None or not found.data or found.data.get("deleted"):
            return None
        return Stored(self._load(found.data), found.version)

    def put(self, name: str, record: Record, version: int | None = None) -> Stored[Record]:
        """Write on top of `version`; None means "there is none": the first, or one above a tombstone.

        Raises: Conflict where somebody wrote in between.
        """
        path = f"{self._prefix}/{name}"
        cas = self._free(path) if version is None else version
        if cas == 0 and self._max_versions:
            self._kv.set_metadata(path, max_versions=self._max_versions)
        data = self._dump(record)
        if version is not None and self._members is not None:
            data = {**self._unknown(path, self._members), **data}
        return Stored(record, self._kv.write(path, data, cas))

    def delete(self, name: str, version: int) -> None:
        """Write the tombstone on top of `version`. Raises: Conflict."""
        self._kv.write(f"{self._prefix}/{name}", {"deleted": True}, version)

    def list(self) -> list[str]:
        """The names that were ever written, deleted ones included: readers ask `get`."""
        return self._kv.list(f"{self._prefix}/")

    def _unknown(self, path: str, members: frozenset[str]) -> dict[str, Any]:
        """What a newer release wrote there; of another version than the caller's, and then the write will not match."""
        found = self._kv.read(path)
        return {name: value for name, value in ((found and found.data) or {}).items() if name not in members}

    def _free(self, path: str) -> int:
        found = self._kv.read(path)
        if found is None:
            return 0
        if found.data and not found.data.get("deleted"):
            raise Conflict(path)
        return found.version
