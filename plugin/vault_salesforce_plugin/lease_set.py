"""The live leases of each role, a record for each in storage: "the last one" is for a set to say, not for a counter."""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar
from weakref import WeakValueDictionary

from vault_plugin_sdk.logical.storage import Storage

PREFIX = "leases/"
# Of a lease that ended the server says so, and knows better: a record is swept where nothing was said for so long.
SILENCE_SECONDS = 60.0
_NAME = re.compile(r"([0-9]{1,18})-([0-9]{1,18})-[0-9a-f]+")
_AT_ONCE = 32  # calls to storage

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Record:
    """One lease that was lent.

    Attributes:
        role: Whose credential.
        version: Which version; 0 where the lease was never handed out and its end means nothing.
        latest_end: When it ends at the latest, in seconds since the epoch.
        name: The record's name below the role: `<version>-<latest end>-<random>`, so that a list reads them all.
    """

    role: str
    version: int
    latest_end: float
    name: str


class LeaseSet:
    """Live leases by role. Only the active node uses it: what it remembers is what storage holds."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._live: dict[str, dict[str, Record]] = {}  # by role, then by name
        self._loading: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._all_known = False
        self._unsure: dict[str, Record] = {}  # not lent, for the write failed; stored all the same, perhaps
        self._relied_on: set[str] = set()  # records for whose sake the end of another lease meant nothing

    async def add(self, role: str, version: int, latest_end: float) -> str:
        """Record a lease before it is handed out.

        Args:
            role: Whose credential is lent.
            version: Which version.
            latest_end: When it ends at the latest, in seconds since the epoch.

        Returns:
            The record's name.

        Raises:
            StorageError: It could not be written; there is no such lease then.
        """
        live = await self._of(role)
        name = f"{version}-{int(latest_end) + 1}-{secrets.token_hex(8)}"
        # Seen before it is stored: the end of another lease, meanwhile, must not take itself for the last.
        live[name] = Record(role, version, int(latest_end) + 1, name)
        try:
            await self._storage.put(f"{PREFIX}{role}/{name}", b"{}")
        except BaseException:
            self.disown(role, name)
            raise
        return name

    def disown(self, role: str, name: str) -> None:
        """The lease of this record is not handed out after all: it counts no more, and the next sweep takes it.

        Where the end of another lease meant nothing because of it, the sweep makes up for that end.
        """
        record = self._live.get(role, {}).pop(name, None)
        if record is not None:
            self._unsure[name] = Record(role, record.version if name in self._relied_on else 0, 0, name)
            self._relied_on.discard(name)

    async def leave(self, role: str, name: str) -> None:
        """The lease of this record is over: it counts no more. What that means comes before `end`: a crash in between
        leaves the record to a later sweep, and loses nothing.
        """
        (await self._of(role)).pop(name, None)
        self._relied_on.discard(name)

    async def end(self, role: str, name: str) -> None:
        """Delete a record; one that is gone already is no error."""
        await self._storage.delete(f"{PREFIX}{role}/{name}")
        await self.leave(role, name)

    async def lives(self, role: str, version: int, now: float) -> bool:
        """Whether any lease on this version lives at `now`, in seconds since the epoch."""
        live = await self._of(role)
        found = next((one for one in live.values() if one.version == version and one.latest_end > now), None)
        if found is not None:
            self._relied_on.add(found.name)
        return found is not None

    async def silent(self, now: float, most: int) -> list[Record]:
        """Records of leases of which nothing was heard beyond their latest end, and of those never handed out.

        Args:
            now: Seconds since the epoch.
            most: How many, at most: the rest is for the next tick.
        """
        await self._load_all()
        found = [*self._unsure.values()][:most]
        for live in self._live.values():
            for record in live.values():
                if len(found) >= most:
                    return found
                if record.latest_end + SILENCE_SECONDS <= now:
                    found.append(record)
        return found

    async def sweep(self, records: Sequence[Record]) -> None:
        """Delete such records, once what they mean has been done."""
        await _in_batches(self._sweep, records)

    async def _sweep(self, record: Record) -> None:
        await self.end(record.role, record.name)
        self._unsure.pop(record.name, None)

    async def _of(self, role: str) -> dict[str, Record]:
        live = self._live.get(role)
        if live is not None:
            return live
        async with self._loading.setdefault(role, asyncio.Lock()):
            if role not in self._live:
                names = [] if self._all_known else await self._storage.list(f"{PREFIX}{role}/")
                self._live[role] = {record.name: record for record in _read(role, names)}
            return self._live[role]

    async def _load_all(self) -> None:
        if self._all_known:
            return
        roles = [folder.rstrip("/") for folder in await self._storage.list(PREFIX)]
        await _in_batches(self._of, [role for role in roles if role not in self._live])
        self._all_known = True


async def _in_batches(act: Callable[[_Item], Awaitable[object]], items: Sequence[_Item]) -> None:
    for start in range(0, len(items), _AT_ONCE):
        await asyncio.gather(*(act(item) for item in items[start : start + _AT_ONCE]))


def _read(role: str, names: Iterable[str]) -> Iterator[Record]:
    for name in names:
        found = _NAME.fullmatch(name)
        if found is not None:  # what another release wrote means nothing here, and must not keep a lease from ending
            yield Record(role, int(found[1]), int(found[2]), name)
