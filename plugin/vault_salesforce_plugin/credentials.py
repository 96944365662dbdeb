"""Published credentials: in the mount's storage, wrapped by the seal, with a copy in memory for fast reads."""

import asyncio
import json
import logging
from datetime import datetime
from http import HTTPStatus
from typing import Any
from weakref import WeakValueDictionary

from vault_plugin_sdk.framework.fields import from_stored, to_stored
from vault_plugin_sdk.logical.errors import CallerError
from vault_plugin_sdk.logical.storage import Storage
from vault_salesforce_contract.published import PublishedCredential
from vault_salesforce_contract.registration import Held, digest

_log = logging.getLogger(__name__)

PREFIX = "credentials/"
# An agent that is told 0 asks every second: an overdue rotation costs one read in so many seconds instead.
LEAST_HINT_SECONDS = 10
_READS_AT_ONCE = 64


class Credentials:
    """The copies of what the sidecars committed. A copy may lag behind KV, and never leads."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: dict[str, PublishedCredential] = {}
        self._complete = False  # whether `_known` has every role
        self._digest: str | None = None
        self._changes = 0  # what was read from storage before a change is not remembered after it
        self._loading = asyncio.Lock()
        self._writing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def get(self, role: str) -> PublishedCredential | None:
        """What is held of a role, or None; `deleted` is the caller's to look at. Raises: StorageError."""
        known = self._known.get(role)
        if known is not None or self._complete:
            return known
        before = self._changes
        found = _read(role, await self._storage.get(PREFIX + role))
        if found is not None and before == self._changes:
            self._known[role] = found
        return found

    async def put(self, role: str, credential: PublishedCredential) -> None:
        """Take over a committed credential.

        Raises:
            CallerError: 409: what is held is newer, or another rotation made the same version.
            StorageError: It could not be written; what was held still is.
        """
        async with self._writing.setdefault(role, asyncio.Lock()):
            held = await self.get(role)
            if held == credential:
                return
            if held is not None and not _may_follow(held, credential):
                raise CallerError(
                    f"version {held.version} of {role!r} is held, made by rotation {held.rotation_id}; "
                    f"version {credential.version} of rotation {credential.rotation_id} cannot follow it",
                    status=HTTPStatus.CONFLICT,
                    code="superseded",
                )
            await self._storage.put(PREFIX + role, json.dumps(to_stored(credential)).encode())
            self._changed()
            self._known[role] = credential

    async def remove(self, role: str) -> None:
        """Forget a role altogether, its count too. Raises: StorageError."""
        async with self._writing.setdefault(role, asyncio.Lock()):
            await self._storage.delete(PREFIX + role)
            self._changed()
            self._known.pop(role, None)

    async def roles(self) -> list[str]:
        """The names of all roles of which something is held. Raises: StorageError."""
        return sorted(self._known) if self._complete else await self._storage.list(PREFIX)

    async def held(self) -> dict[str, Held]:
        """The version of every role, deleted ones too. Raises: StorageError."""
        await self._load()
        return {role: Held(item.version, item.rotation_id) for role, item in self._known.items()}

    async def digest(self) -> str:
        """The digest over `held()`, as a sidecar computes it over what KV holds. Raises: StorageError."""
        held = await self.held()
        if self._digest is None:
            self._digest = digest(held.items())
        return self._digest

    def invalidate(self, role: str) -> None:
        """Another node wrote this role: read it anew when it is next asked for."""
        self._changed()
        self._complete = False
        self._known.pop(role, None)

    def _changed(self) -> None:
        self._changes += 1
        self._digest = None

    async def _load(self) -> None:
        async with self._loading:
            while not self._complete:
                before = self._changes
                missing = [role for role in await self._storage.list(PREFIX) if role not in self._known]
                for start in range(0, len(missing), _READS_AT_ONCE):
                    await asyncio.gather(*(self.get(role) for role in missing[start : start + _READS_AT_ONCE]))
                self._complete = before == self._changes


def for_readers(credential: PublishedCredential, now: datetime) -> dict[str, Any]:
    """What a reader gets: the same between two reads of one version, but for `ttl` where the role asks for it.

    Args:
        credential: What is held.
        now: The time of day.

    Returns:
        The credential's fields; with `consumer_hints=ttl` also `rotation_period` and `ttl` in seconds.
    """
    data = credential.for_readers()
    if credential.rotation_period and credential.next_rotation:
        left = int((credential.next_rotation - now).total_seconds())
        data |= {"rotation_period": credential.rotation_period, "ttl": max(LEAST_HINT_SECONDS, left)}
    return data


def _may_follow(held: PublishedCredential, credential: PublishedCredential) -> bool:
    same = (held.version, held.rotation_id) == (credential.version, credential.rotation_id)
    return same or credential.version > held.version


def _read(role: str, stored: bytes | None) -> PublishedCredential | None:
    if stored is None:
        return None
    try:
        return from_stored(PublishedCredential, json.loads(stored))
    except (ValueError, TypeError, AttributeError) as exc:
        # As if it were not there: then the digests differ, and a sidecar hands it over again.
        _log.error("a stored credential cannot be read", extra={"role": role, "error_type": type(exc).__name__})
        return None
