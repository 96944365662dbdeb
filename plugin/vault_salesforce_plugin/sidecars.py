"""Registered sidecars: in storage only what seldom changes, in memory when each was last heard and what it said."""

import asyncio
import contextlib
import hashlib
import json
import logging
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from vault_plugin_sdk.framework.fields import from_stored, to_stored
from vault_plugin_sdk.logical.errors import CallerError
from vault_plugin_sdk.logical.request import Caller
from vault_plugin_sdk.logical.storage import Storage
from vault_salesforce_contract.registration import FORGOTTEN_SECONDS, STALE_SECONDS, Registration
from vault_salesforce_plugin.clock import Clock

_log = logging.getLogger(__name__)

PREFIX = "sidecars/"
_REFUSED_AT_MOST = 16
# What a heartbeat changes all the time is not stored.
_VOLATILE = ("published", "lacking", "changing", "reason")


@dataclass
class Sidecar:
    """One registered sidecar.

    Attributes:
        instance: Its name.
        owner: Whose name it is: only this identity may write it again.
        registration: What it said of itself last.
        heard: When that was, on the monotonic clock; the plugin's start for one that is known from storage.
        beats: How often it was heard by this process.
        reachable: Whether the last try to connect to it succeeded; a heartbeat gives it another chance.
        complete: Whether, at its last heartbeat, this plugin held all that KV holds.
        compared: The digests of both halves at that heartbeat, its own first.
        told: The last part of whose roles it was told what is held.
        changing: Roles whose password it is changing.
    """

    instance: str
    owner: str
    registration: Registration
    heard: float
    beats: int = 0
    reachable: bool = True
    complete: bool = False
    compared: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    told: int = -1
    changing: frozenset[str] = frozenset()


def owner_of(caller: Caller) -> str:
    """The identity that owns an instance name: the entity, or the display name of a token that has none.

    The accessor would not do: it changes with every login, and a restarted sidecar would be a stranger for a day.
    """
    return f"entity:{caller.entity_id}" if caller.entity_id else f"display name:{caller.display_name}"


class Sidecars:
    """The sidecars of this mount."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self.refused: dict[str, Sidecar] = {}  # of another contract, by name: for people to see
        self._complained: dict[tuple[str, str], str] = {}  # why whom was refused a name, as it was logged
        self._known: dict[str, Sidecar] | None = None
        self._invalidated = 0  # what was read before is not remembered after
        self._loading = asyncio.Lock()
        self._registering = asyncio.Lock()
        self._beat = asyncio.Event()

    async def register(self, instance: str, registration: Registration, caller: Caller) -> Sidecar:
        """Take a registration or heartbeat; storage is written only where something that lasts has changed.

        Raises:
            CallerError: 409: the name belongs to another identity.
            StorageError: It could not be written.
        """
        async with self._registering:
            known = await self._load()
            sidecar = known.get(instance)
            owner = owner_of(caller)
            if sidecar is not None and sidecar.owner != owner:
                raise CallerError(
                    f"the name {instance!r} belongs to the sidecar that registered it first, with another identity",
                    status=HTTPStatus.CONFLICT,
                    code="instance_taken",
                    remedy=f"give this sidecar another name, or delete sidecar/{instance} at this mount",
                )
            is_news = sidecar is None or _lasting(sidecar.registration) != _lasting(registration)
            if is_news:
                record = {"owner": owner, "registration": _lasting(registration)}
                await self._storage.put(PREFIX + instance, json.dumps(record).encode())
            if sidecar is None:
                sidecar = known[instance] = Sidecar(instance, owner, registration, self._clock.monotonic())
        self.refused.pop(instance, None)
        was_refused = self._complained.pop((instance, owner), None)
        if is_news or was_refused or not sidecar.beats:
            _log.info("a sidecar registered", extra={"instance": instance, "url": registration.url} | _of(registration))
        sidecar.registration = registration
        sidecar.heard = self._clock.monotonic()
        sidecar.beats += 1
        sidecar.reachable = True
        sidecar.changing = frozenset(registration.changing)
        self._beat.set()
        self._beat = asyncio.Event()
        return sidecar

    def refuse(self, instance: str, registration: Registration, caller: Caller) -> None:
        """Remember, and do not use, one that speaks another contract."""
        while len(self.refused) >= _REFUSED_AT_MOST:
            del self.refused[next(iter(self.refused))]
        self.refused[instance] = Sidecar(instance, owner_of(caller), registration, self._clock.monotonic())

    def complain(self, instance: str, caller: Caller, reason: str) -> None:
        """Log that a registration was refused; once, and not with every heartbeat, until it is refused otherwise."""
        who = instance, owner_of(caller)
        if self._complained.get(who) == reason:
            return
        while len(self._complained) >= _REFUSED_AT_MOST:
            del self._complained[next(iter(self._complained))]
        self._complained[who] = reason
        said = {"instance": instance, "reason": reason, "display_name": caller.display_name}
        _log.warning("a sidecar was refused", extra=said | {"entity_id": caller.entity_id})

    async def all(self) -> list[Sidecar]:
        """All that are registered, by name. Raises: StorageError."""
        return sorted((await self._load()).values(), key=lambda sidecar: sidecar.instance)

    async def get(self, instance: str) -> Sidecar | None:
        """One of them. Raises: StorageError."""
        return (await self._load()).get(instance)

    async def remove(self, instance: str) -> None:
        """Forget one. Raises: StorageError."""
        async with self._registering:
            await self._storage.delete(PREFIX + instance)
            (await self._load()).pop(instance, None)

    async def forget_silent(self) -> None:
        """Remove those that were not heard for a day. Raises: StorageError."""
        for sidecar in await self.all():
            if self.silent_seconds(sidecar) >= FORGOTTEN_SECONDS:
                await self.remove(sidecar.instance)
        for stranger in list(self.refused.values()):
            if self.silent_seconds(stranger) >= STALE_SECONDS:
                del self.refused[stranger.instance]

    async def in_order(self, subject: str) -> list[Sidecar]:
        """Those that were heard lately, in the order to try them. Raises: StorageError.

        Requests about one `subject` go to the same sidecar first, for a request joins a rotation sooner where it runs;
        different subjects spread over all. One that could not be reached comes last until it is heard again, and after
        those that have nothing to complain of comes one that has.
        """

        def rank(sidecar: Sidecar) -> tuple[bool, bool, bytes]:
            troubled = bool(sidecar.registration.reason)
            return not sidecar.reachable, troubled, hashlib.sha256(f"{sidecar.instance} {subject}".encode()).digest()

        # One that is known from storage may be of a release that this one does not work with.
        usable = (one for one in await self.all() if self.is_fresh(one) and not one.registration.half_to_upgrade)
        return sorted(usable, key=rank)

    async def heard_again(self, sidecar: Sidecar, beats: int, limit_seconds: float) -> bool:
        """Wait until `sidecar` has been heard more than `beats` times; whether it was within the limit."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_seconds):
                while sidecar.beats <= beats:
                    await self._beat.wait()
        return sidecar.beats > beats

    def silent_seconds(self, sidecar: Sidecar) -> float:
        """For how long it was not heard."""
        return self._clock.monotonic() - sidecar.heard

    def is_fresh(self, sidecar: Sidecar) -> bool:
        """Whether it was heard lately enough to be used."""
        return self.silent_seconds(sidecar) < STALE_SECONDS

    def missing(self) -> int | None:
        """How many copies those that were heard lately say are lacking here; None where none of them compared yet."""
        said = [one.registration.lacking for one in (self._known or {}).values() if self.is_fresh(one)]
        return max((number for number in said if number is not None), default=None)

    def is_changing(self, role: str) -> bool:
        """Whether a sidecar said of late that it is changing this role's password."""
        return any(role in one.changing and self.is_fresh(one) for one in (self._known or {}).values())

    def has_published(self, role: str) -> None:
        """A new version came: what was said of the change before it is over."""
        for sidecar in (self._known or {}).values():
            sidecar.changing -= {role}

    def nobody_is_sure(self) -> None:
        """What was said of completeness before holds no longer, nor do the digests: KV may hold more since."""
        for sidecar in (self._known or {}).values():
            sidecar.complete = False
            sidecar.registration = replace(sidecar.registration, published=())

    def knows(self, instance: str) -> bool | None:
        """Whether the name is registered, from memory; None where that is not known."""
        return None if self._known is None else instance in self._known

    def invalidate(self) -> None:
        """Another node wrote: read all anew when they are next asked for."""
        self._known = None
        self._invalidated += 1

    async def _load(self) -> dict[str, Sidecar]:
        async with self._loading:
            if self._known is None:
                found, before = {}, self._invalidated
                for instance in await self._storage.list(PREFIX):
                    stored = await self._storage.get(PREFIX + instance)
                    sidecar = _read(instance, stored, self._clock.monotonic())
                    if sidecar is not None:
                        found[instance] = sidecar
                if before != self._invalidated:
                    return found
                self._known = found
            return self._known


def _of(registration: Registration) -> dict[str, Any]:
    return {"version": registration.version, "contract": registration.contract}


def _lasting(registration: Registration) -> dict[str, Any]:
    return {name: value for name, value in to_stored(registration).items() if name not in _VOLATILE}


def _read(instance: str, stored: bytes | None, now: float) -> Sidecar | None:
    if stored is None:
        return None
    try:
        record = json.loads(stored)
        return Sidecar(instance, str(record["owner"]), from_stored(Registration, record["registration"]), now)
    except (ValueError, TypeError, KeyError, AttributeError):
        # Another release wrote it: as if it were not there, until the sidecar is heard.
        _log.warning("a stored registration cannot be read", extra={"instance": instance})
        return None
