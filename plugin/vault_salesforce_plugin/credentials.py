"""Published credentials: in the mount's storage, wrapped by the seal, with a copy in memory for fast reads."""

import asyncio
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Any
from weakref import WeakValueDictionary

from vault_plugin_sdk.framework.fields import from_stored, to_stored
from vault_plugin_sdk.logical.errors import CallerError
from vault_plugin_sdk.logical.storage import Storage
from vault_salesforce_contract.published import PublishedCredential
from vault_salesforce_contract.registration import HELD_AT_MOST, PARTS, Held, digests, part_of

_log = logging.getLogger(__name__)

PREFIX = "credentials/"
# An agent that is told 0 asks every second: an overdue rotation costs one read in so many seconds instead.
LEAST_HINT_SECONDS = 10
_READS_AT_ONCE = 16  # while all are loaded: whoever asks for something else meanwhile waits for no more than these


class Credentials:
    """The copies of what the sidecars committed. A copy may lag behind KV, and never leads."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: dict[str, PublishedCredential] = {}
        self._parts: tuple[dict[str, Held], ...] = tuple({} for _ in range(PARTS))  # of what is known
        self._digests: list[str | None] = [None] * PARTS
        self._loaded = False  # whether every role is known
        self._changes: Counter[str] = Counter()  # what was read from storage before a change is not known after it
        self._invalidated = 0
        self._loading = asyncio.Lock()
        self._writing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def loaded(self) -> bool:
        """Whether every role is known, so that one that is not known is not held."""
        return self._loaded

    async def load(self) -> None:
        """Read every role that is not known yet; until then each is read when it is asked for. Raises: StorageError."""
        async with self._loading:
            while not self._loaded:
                before = self._invalidated
                missing = [role for role in await self._storage.list(PREFIX) if role not in self._known]
                for start in range(0, len(missing), _READS_AT_ONCE):
                    await asyncio.gather(*(self._fetch(role) for role in missing[start : start + _READS_AT_ONCE]))
                self._loaded = before == self._invalidated

    async def get(self, role: str) -> PublishedCredential | None:
        """What is held of a role, or None; `deleted` is the caller's to look at. Raises: StorageError."""
        known = self._known.get(role)
        return known if known is not None or self._loaded else await self._fetch(role)

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
            self._changes[role] += 1
            self._know(role, credential)

    async def remove(self, role: str) -> None:
        """Forget a role altogether, its count too. Raises: StorageError."""
        async with self._writing.setdefault(role, asyncio.Lock()):
            await self._storage.delete(PREFIX + role)
            self._forget(role)

    async def roles(self) -> list[str]:
        """The names of all roles of which something is held. Raises: StorageError."""
        return sorted(self._known) if self._loaded else await self._storage.list(PREFIX)

    def digests(self) -> tuple[str, ...]:
        """The digests of what is known, as a sidecar computes them over what KV holds."""
        for part, digest in enumerate(self._digests):
            if digest is None:
                self._digests[part] = digests((self._parts[part],))[0]
        return tuple(digest or "" for digest in self._digests)

    def differing(self, theirs: Sequence[str]) -> tuple[int, ...] | None:
        """The parts whose digests are not these; None while not every role is known."""
        if not self._loaded:
            return None
        ours = self.digests()
        return tuple(part for part in range(PARTS) if len(theirs) != PARTS or ours[part] != theirs[part])

    def held(self, parts: Iterable[int]) -> dict[int, dict[str, Held]]:
        """What is held of some parts, deleted roles too: of as many as make one answer, and of the first always."""
        told: dict[int, dict[str, Held]] = {}
        for part in parts:
            if told and sum(map(len, told.values())) + len(self._parts[part]) > HELD_AT_MOST:
                break
            told[part] = dict(self._parts[part])
        return told

    def invalidate(self, role: str) -> None:
        """Another node wrote this role: read it anew when it is next asked for."""
        self._loaded = False
        self._invalidated += 1
        self._forget(role)

    async def _fetch(self, role: str) -> PublishedCredential | None:
        before = self._changes[role]
        found = _read(role, await self._storage.get(PREFIX + role))
        if found is not None and before == self._changes[role]:
            self._know(role, found)
        return found

    def _know(self, role: str, credential: PublishedCredential) -> None:
        part = part_of(role)
        # Of thousands of roles most are in a few orgs.
        credential = replace(
            credential,
            login_url=sys.intern(credential.login_url),
            instance_url=sys.intern(credential.instance_url),
            organization_id=sys.intern(credential.organization_id),
            rotate_on_lease_end=sys.intern(credential.rotate_on_lease_end),
        )
        self._known[role] = credential
        self._parts[part][role] = Held(credential.version, credential.rotation_id)
        self._digests[part] = None

    def _forget(self, role: str) -> None:
        part = part_of(role)
        self._changes[role] += 1
        self._known.pop(role, None)
        self._parts[part].pop(role, None)
        self._digests[part] = None


def hinted(credential: PublishedCredential, now: datetime) -> dict[str, Any]:
    """What a reader without a lease gets: it stays the same within a version, but for a `ttl` that the role asks for.

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
