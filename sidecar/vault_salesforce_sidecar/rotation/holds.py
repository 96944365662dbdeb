"""Holds: in KV for all sidecars, and in memory, so that what is held costs a tick nothing."""

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Final

import structlog

from vault_plugin_sdk.logical.errors import CallerError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_sidecar.clock import Clock
from vault_salesforce_sidecar.log import asked_by
from vault_salesforce_sidecar.records import hold
from vault_salesforce_sidecar.records.hold import ANOTHER_ORG, ENGINE, Hold
from vault_salesforce_sidecar.rotation.machine import Entry, Fate
from vault_salesforce_sidecar.store import Conflict, Kv, Store, Stored

log = structlog.get_logger(__name__)

ALL: Final = ""  # the hold on every connection
REFRESH_SECONDS: Final = 10.0
ROLES_PER_SECOND: Final = 4.0  # that begin again after a hold
LONGEST_SPREAD_SECONDS: Final = 600.0
HELD: Final = "held"
_ALL_KEY: Final = "-all"  # no connection has such a name
_TRIES: Final = 5


@dataclass(frozen=True)
class Held:
    """A hold that is on.

    Attributes:
        config: The connection; `ALL`: every one.
        hold: What was said of it.
    """

    config: str
    hold: Hold

    @property
    def sentence(self) -> str:
        """Who holds what, and why."""
        what = f"the connection {self.config!r} is held" if self.config else "every connection is held"
        since = f" since {self.hold.since:%Y-%m-%d %H:%M} UTC" if self.hold.since else ""
        until = f", until {self.hold.until:%Y-%m-%d %H:%M} UTC" if self.hold.until else ""
        return f"{what} by {self.hold.held_by}{since}{until}: {self.hold.reason}"

    def next_step(self, mount: str) -> str:
        """The command that ends it, once its cause is mended."""
        if self.hold.cause == ANOTHER_ORG:
            return f"vault write {mount}/config/{self.config} organization_id={self.hold.organization_id}"
        return f"vault delete {mount}/hold/{self.config}".rstrip("/")

    def refusal(self, mount: str) -> CallerError:
        """The error for who asks for a rotation."""
        return CallerError(self.sentence, status=HTTPStatus.CONFLICT, code=HELD, remedy=self.next_step(mount))


class Holds:
    """The holds of all connections; thread-safe.

    Args:
        kv: The engine's own mount.
        clock: Time.
    """

    def __init__(self, kv: Kv, clock: Clock) -> None:
        self._store = Store(kv, "hold", dump=hold.dump, load=hold.load)
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, Stored[Hold]] = {}
        self._was_on: dict[str, bool] = {}
        self._released: dict[str, float] = {}  # when rotations might begin again, by our own monotonic clock
        self._fleet: Mapping[str, int] = {}
        self._refresh_at = 0.0

    def on(self, config: str) -> Held | None:
        """The hold that stands against a connection's rotations, as far as memory knows."""
        with self._lock:
            found = [(name, self._known.get(name)) for name in (ALL, config)]
        now = self._clock.now()
        return next((Held(name, known.record) for name, known in found if known and known.record.is_on(now)), None)

    def stopping(self) -> Held | None:
        """The hold under which not even what has left is finished by itself, as far as memory knows."""
        held = self.on(ALL)
        return held if held is not None and held.hold.stops else None

    def stops(self, entry: Entry) -> bool:
        """Whether a rotation under way stops where it is; what a person asks for to repair a role goes on."""
        return self.stopping() is not None and entry.given is None and not entry.mends

    def check(self, config: str) -> Held | None:
        """The same as KV has it now. Raises: KvUnavailable."""
        listed = {_name(key) for key in self._store.list()}  # most connections were never held: one call says so
        with self._lock:
            named = listed.union(self._known)
        for name in (ALL, config):
            if name in named:
                self._read(name)
        return self.on(config)

    def waits(self, role: str, config: str) -> bool:
        """Whether triggers leave a role alone: it is held, or was, and its turn has not come yet."""
        if self.on(config) is not None:
            return True
        with self._lock:
            released = [(self._released.get(name), self._fleet_of(name)) for name in (ALL, config)]
        now = self._clock.monotonic()
        return any(at is not None and now - at < turn(role, fleet) for at, fleet in released)

    def is_refresh_due(self) -> bool:
        """Whether memory is old."""
        return self._clock.monotonic() >= self._refresh_at

    def refresh(self, fleet: Mapping[str, int]) -> None:
        """Read all holds anew, and write down those whose end has come.

        Args:
            fleet: How many roles each connection has.

        Raises: KvUnavailable: memory is as it was.
        """
        self._refresh_at = self._clock.monotonic() + REFRESH_SECONDS
        for key in {*self._store.list(), _ALL_KEY}:
            name = _name(key)
            known = self._read(name)
            if known is not None and known.record.released_at is None and known.record.has_lapsed(self._clock.now()):
                self._lapse(name, known)
        with self._lock:
            self._fleet = fleet

    def get(self, config: str) -> Hold | None:
        """The hold of a connection, if it is on. Raises: KvUnavailable."""
        known = self._read(config)
        return known.record if known and known.record.is_on(self._clock.now()) else None

    def names(self) -> list[str]:
        """The connections that are held, `ALL` first. Raises: KvUnavailable."""
        names = sorted(_name(key) for key in self._store.list())
        return [name for name in names if self.get(name) is not None]

    def over_since(self, config: str) -> datetime | None:
        """When the last hold of this connection ended, as far as memory knows; None: it is on, or there was none."""
        with self._lock:
            known = self._known.get(config)
        return known.record.over_since(self._clock.now()) if known else None

    def write(self, config: str, caller: Caller, reason: str | None, until: datetime | None, *, keep_end: bool) -> None:
        """Somebody holds a connection, or changes why and how long.

        Args:
            config: Which; `ALL`: every one.
            caller: Who.
            reason: Why; None: as before.
            until: When it ends by itself; None: it does not.
            keep_end: Leave the end of a hold that is on as it is.

        Raises: CallerError 400 without a reason. Conflict, KvUnavailable.
        """

        def change(known: Hold | None) -> Hold:
            if known is not None:
                return replace(known, reason=reason or known.reason, until=known.until if keep_end else until)
            if reason is None:
                raise CallerError("reason is missing: whoever asks for a rotation is told why")
            return Hold(
                reason=reason,
                since=self._clock.now(),
                until=until,
                held_by=caller.display_name or "somebody",
                entity_id=caller.entity_id,
                request_id=caller.request_id,
            )

        written = self._change(config, change)
        log.warning(
            "rotations held", config=config or "(all)", reason=written.reason, until=written.until, **_by(caller)
        )

    def release(self, config: str, caller: Caller, *, only: Callable[[Hold], bool] = lambda _: True) -> None:
        """Somebody ends a hold; one that is not on is no error.

        Args:
            config: Which; `ALL`: every one.
            caller: Who.
            only: Whether this one is meant.

        Raises: Conflict, KvUnavailable.
        """
        known = self._read(config)
        if known is None or not known.record.is_on(self._clock.now()) or not only(known.record):
            return
        over = replace(known.record, released_at=self._clock.now(), released_by=caller.display_name or "somebody")
        self._put(config, over, known.version)
        log.warning("hold released", config=config or "(all)", reason=over.reason, **_by(caller))

    def pull(self, config: str, made: Hold) -> bool:
        """The engine holds a connection by itself. False: it is held already, by this or by another hand.

        A person's hold with an end of its own would lapse over the cause: then the engine's takes its place.
        """
        pulled = False

        def change(known: Hold | None) -> Hold:
            nonlocal pulled
            pulled = known is None or known.until is not None or _is_worse(made, known)
            if not pulled:
                return known or made
            reason = f"{made.reason} (Held before by {known.held_by}: {known.reason})" if known else made.reason
            return replace(made, reason=reason, since=self._clock.now())

        written = self._change(config, change)
        if pulled:
            log.warning(
                "rotations held by the engine",
                config=config,
                cause=written.cause,
                reason=written.reason,
                code=written.code,
                roles=written.roles,
            )
        return pulled

    def _change(self, config: str, change: Callable[[Hold | None], Hold]) -> Hold:
        """Write what `change` makes of the hold that is on, or of none."""
        for _ in range(_TRIES):
            known = self._read(config)
            before = known.record if known and known.record.is_on(self._clock.now()) else None
            after = change(before)
            if known is not None and after == known.record:
                return after
            try:
                self._put(config, after, known.version if known else None)
            except Conflict:
                continue
            return after
        raise Conflict(config)

    def _put(self, config: str, record: Hold, version: int | None) -> None:
        stored = self._store.put(config or _ALL_KEY, record, version)
        with self._lock:
            self._known[config] = stored
        self._notice(config)

    def _read(self, name: str) -> Stored[Hold] | None:
        try:
            stored = self._store.get(name or _ALL_KEY)
        except ValueError as exc:  # of a newer release, or spoilt: to go on would be to let the brake go
            log.warning("a hold cannot be read, and counts as on", config=name or "(all)", reason=str(exc))
            stored = Stored(Hold(f"what is stored of the hold cannot be read: {exc}"), 0)
        with self._lock:
            known = self._known.get(name)
            if stored is None:
                self._known.pop(name, None)
            elif known is None or not 0 < stored.version < known.version or _is_later(stored.record, known.record):
                self._known[name] = stored
        self._notice(name)
        return stored

    def _lapse(self, name: str, known: Stored[Hold]) -> None:
        over = replace(known.record, released_at=known.record.until, released_by=ENGINE)
        try:
            self._put(name, over, known.version)
        except Conflict:
            return  # another sidecar was faster
        log.info("hold is over", config=name or "(all)", reason=over.reason)

    def _notice(self, name: str) -> None:
        """Mark the moment at which a hold was seen to be over."""
        with self._lock:
            known = self._known.get(name)
            is_on = known is not None and known.record.is_on(self._clock.now())
            if self._was_on.get(name) and not is_on:
                self._released[name] = self._clock.monotonic()
            self._was_on[name] = is_on

    def _fleet_of(self, name: str) -> int:
        return sum(self._fleet.values()) if name == ALL else self._fleet.get(name, 0)


def turn(role: str, fleet: int) -> float:
    """How many seconds after the end of a hold a role's triggers begin again, so that not all do at once.

    Args:
        role: Its name; the same name has always the same turn.
        fleet: How many roles waited with it.
    """
    share = int.from_bytes(hashlib.sha256(role.encode()).digest()[:4]) / 2**32
    return share * min(fleet / ROLES_PER_SECOND, LONGEST_SPREAD_SECONDS)


def is_stoppable(entry: Entry) -> bool:
    """Whether a rotation is one that a hold keeps from going on: nothing was sent for it, and it mends nothing."""
    return entry.fate is Fate.UNSENT and entry.given is None and not entry.mends


def _is_later(found: Hold, known: Hold) -> bool:
    """Whether a hold with a lower number is a newer one all the same: KV went back since."""
    return found.since is not None and (known.since is None or found.since > known.since)


def _is_worse(made: Hold, known: Hold) -> bool:
    """Whether a hold must be told besides the one that is on: it stops more, or asks for another next step."""
    if made.stops or known.stops:
        return made.stops and not known.stops
    return made.cause == ANOTHER_ORG and (known.cause, known.organization_id) != (made.cause, made.organization_id)


def _by(caller: Caller) -> dict[str, str]:
    return asked_by(caller) | {"remote_address": caller.remote_address}


def _name(key: str) -> str:
    return ALL if key == _ALL_KEY else key
