"""Due marks: made when a lease's end makes a version due, void once another version is published."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable

from vault_plugin_sdk.logical.storage import Storage, StorageError
from vault_salesforce_contract.registration import DueMark
from vault_salesforce_plugin.credentials import Credentials
from vault_salesforce_plugin.http import Busy, Http, Lost, Target, Unreachable
from vault_salesforce_plugin.sidecars import Sidecars

_log = logging.getLogger(__name__)

PREFIX = "due/"
_WAKE_SECONDS = 5.0


class DueMarks:
    """The versions that are to be rotated because leases on them ended.

    A mark is only ever read together with what is held: a crash between a publication and the removal of its mark
    leaves behind a record that means nothing.

    Args:
        storage: The mount's.
        credentials: What is held.
        wake: Asks a sidecar for its heartbeat, which takes the marks along.
    """

    def __init__(self, storage: Storage, credentials: Credentials, wake: Callable[[], None]) -> None:
        self._storage = storage
        self._credentials = credentials
        self._wake = wake
        self._marks: dict[str, DueMark] | None = None
        self._invalidated = 0  # what was read before is not remembered after
        self._told = 0  # marks, where there are more than one answer takes
        self._loading = asyncio.Lock()
        self._writing = asyncio.Lock()

    async def mark(self, mark: DueMark) -> None:
        """Remember that a version is due, and wake a sidecar. Once is as good as twice. Raises: StorageError."""
        marks = await self._load()
        if marks.get(mark.role) == mark:
            return
        marks[mark.role] = mark  # seen before it is stored: from this turn on the version is lent briefly
        try:
            async with self._writing:
                await self._storage.put(PREFIX + mark.role, json.dumps(mark.to_data()).encode())
        except BaseException:
            if marks.get(mark.role) == mark:
                del marks[mark.role]
            raise
        self._wake()

    async def is_due(self, role: str) -> bool:
        """Whether the version that is held of `role` is due. Raises: StorageError."""
        mark = (await self._load()).get(role)
        return mark is not None and await self._holds(mark)

    async def all(self) -> tuple[DueMark, ...]:
        """The marks that are to be served. Raises: StorageError."""
        return tuple([mark for mark in list((await self._load()).values()) if await self._holds(mark)])

    async def next(self, most: int) -> tuple[DueMark, ...]:
        """As many of them as one answer takes, each time from where the last one ended. Raises: StorageError."""
        marks = await self.all()
        if len(marks) <= most:
            return marks
        start = self._told % len(marks)
        self._told = start + most
        return (*marks[start:], *marks[:start])[:most]

    async def prune(self) -> None:
        """Remove the marks that are void. Raises: StorageError."""
        marks = await self._load()
        for role, mark in list(marks.items()):
            async with self._writing:
                # In this order: while what is held is looked up, a new mark may take the place of this one.
                if await self._holds(mark) or marks.get(role) != mark:
                    continue
                del marks[role]
                try:
                    await self._storage.delete(PREFIX + role)
                except BaseException:
                    marks.setdefault(role, mark)
                    raise

    def invalidate(self) -> None:
        """Another node wrote: read the marks anew when they are next asked for."""
        self._marks = None
        self._invalidated += 1

    async def _holds(self, mark: DueMark) -> bool:
        held = await self._credentials.get(mark.role)
        return (
            held is not None
            and (held.version, held.rotation_id) == (mark.version, mark.rotation_id)
            and held.rotate_on_lease_end != "never"
        )

    async def _load(self) -> dict[str, DueMark]:
        async with self._loading:
            if self._marks is None:
                found, before = {}, self._invalidated
                for role in await self._storage.list(PREFIX):
                    stored = await self._storage.get(PREFIX + role)
                    mark = _read(role, stored)
                    if mark is not None:
                        found[role] = mark
                if before != self._invalidated:
                    return found
                self._marks = found
            return self._marks


def _read(role: str, stored: bytes | None) -> DueMark | None:
    if stored is None:
        return None
    try:
        return DueMark.from_data(json.loads(stored) | {"role": role})
    except (ValueError, TypeError, KeyError, AttributeError):
        # As if it were not there: a mark may cost a rotation, and must not cost the mount.
        _log.warning("a stored due mark cannot be read", extra={"role": role})
        return None


class Waker:
    """Asks a sidecar to write its heartbeat now. A lost wake costs the time to the next heartbeat, and no more."""

    def __init__(self, sidecars: Sidecars, http: Http) -> None:
        self._sidecars = sidecars
        self._http = http
        self._wanted = False
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Begin to wake one; many calls at once are few wakes."""
        self._wanted = True
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def close(self) -> None:
        """Wake nobody any more."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while self._wanted:
            self._wanted = False
            with contextlib.suppress(StorageError, Busy, Lost):
                await self._wake_one()

    async def _wake_one(self) -> None:
        for sidecar in await self._sidecars.in_order("wake"):
            target = Target.of(sidecar.registration.url, sidecar.registration.certificate)
            try:
                await self._http.send(target, "POST", "/wake", limit_seconds=_WAKE_SECONDS)
            except Unreachable:
                sidecar.reachable = False
            else:
                return
