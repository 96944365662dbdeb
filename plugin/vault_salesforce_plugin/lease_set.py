"""The live leases of each role, a record for each in storage: "the last one" is for a set to say, not for a counter."""

import asyncio
import re
import secrets
from collections.abc import Iterator

from vault_plugin_sdk.logical.storage import Storage

PREFIX = "leases/"
_NAME = re.compile(r"([0-9]{1,18})-([0-9]{1,18})-[0-9a-f]+")


class LeaseSet:
    """Live leases by role. A record's name is `<version>-<latest end>-<random>`, so that a list reads them all.

    Only the active node uses it: what it remembers is what storage holds.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._records: dict[str, set[str]] = {}
        self._loading = asyncio.Lock()
        self._all_known = False
        self._unsure: set[tuple[str, str]] = set()  # not lent, for the write failed; stored all the same, perhaps

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
        records = await self._of(role)
        record = f"{version}-{int(latest_end) + 1}-{secrets.token_hex(8)}"
        # Seen before it is stored: the end of another lease, meanwhile, must not take itself for the last.
        records.add(record)
        try:
            await self._storage.put(f"{PREFIX}{role}/{record}", b"{}")
        except BaseException:
            records.discard(record)
            self._unsure.add((role, record))
            raise
        return record

    async def end(self, role: str, record: str) -> None:
        """Delete a record; one that is gone already is no error."""
        await self._storage.delete(f"{PREFIX}{role}/{record}")
        (await self._of(role)).discard(record)

    async def lives(self, role: str, version: int, now: float) -> bool:
        """Whether any lease on this version lives at `now`, in seconds since the epoch."""
        return any(version == of and end > now for of, end, _ in _parsed(await self._of(role)))

    async def ended(self, now: float) -> set[tuple[str, int]]:
        """Role and version of the records that are past their latest end and were not swept yet."""
        return {(role, version) for role, version, _ in await self._past(now)}

    async def sweep(self, now: float) -> None:
        """Delete the records that are past their latest end, once what they mean has been done."""
        for role, record in [*self._unsure, *((role, record) for role, _, record in await self._past(now))]:
            await self.end(role, record)
            self._unsure.discard((role, record))

    async def _of(self, role: str) -> set[str]:
        async with self._loading:
            if role not in self._records:
                self._records[role] = set() if self._all_known else await self._list(role)
            return self._records[role]

    async def _past(self, now: float) -> list[tuple[str, int, str]]:
        await self._load_all()
        return [
            (role, version, record)
            for role, records in self._records.items()
            for version, end, record in _parsed(records)
            if end <= now
        ]

    async def _load_all(self) -> None:
        async with self._loading:
            if self._all_known:
                return
            for folder in await self._storage.list(PREFIX):
                role = folder.rstrip("/")
                if role not in self._records:
                    self._records[role] = await self._list(role)
            self._all_known = True

    async def _list(self, role: str) -> set[str]:
        return set(await self._storage.list(f"{PREFIX}{role}/"))


def _parsed(records: set[str]) -> Iterator[tuple[int, int, str]]:
    for record in records:
        found = _NAME.fullmatch(record)
        if found is not None:  # what another release wrote means nothing here, and must not keep a lease from ending
            yield int(found[1]), int(found[2]), record
