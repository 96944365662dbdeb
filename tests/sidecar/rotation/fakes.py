"""The world in memory: KV with check-and-set, time, and accidents."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_sidecar.store import Conflict, KvUnavailable, KvVersion

START = datetime(2030, 1, 1, tzinfo=UTC)
CALLER = Caller(request_id="req-1", display_name="operator", entity_id="ent-1", accessor="acc-1")
CRM = "integration@acme.example"
JOURNAL = "journal/integration%40acme.example"


class Killed(BaseException):
    """The process dies here."""


class ManualClock:
    """Time that only a test, or somebody who waits, moves on."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if not event.is_set():
            self.seconds += seconds
        return event.is_set()


class InlinePool:
    """Does everything at once, in the thread that asks."""

    def submit(self, work: Callable[[], None], whose: str = "") -> None:
        work()

    def stop(self, timeout_seconds: float) -> None:
        """Nothing runs by itself."""


@dataclass
class Accidents:
    """Counts the calls that leave the process, and kills it at one of them, or has something else happen to it."""

    calls: int = 0
    kill_at: int | None = None
    after: bool = False  # the call takes effect, and nobody hears of it
    strike_at: int | None = None
    strike: Callable[[str, Callable[[], Any]], Any] = lambda _, call: call()
    names: list[str] = field(default_factory=list)

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        self.calls += 1
        self.names.append(name)
        fatal = self.calls == self.kill_at
        if fatal and not self.after:
            raise Killed(name)
        result = self.strike(name, call) if self.calls == self.strike_at else call()
        if fatal:
            raise Killed(name)
        return result


class MemoryKv:
    """A KV v2 mount."""

    def __init__(self, name: str, accidents: Accidents, clock: ManualClock) -> None:
        self.name, self.accidents, self._clock = name, accidents, clock
        self.versions: dict[str, list[dict[str, Any] | None]] = {}
        self.metadata: dict[str, dict[str, Any]] = {}
        self.sealed = False
        self.lost_writes = 0  # so many writes happen and are answered with an error
        self.written_at: dict[str, float] = {}
        self.earlier: dict[str, KvVersion | None] = {}  # what was there before the last write
        self._lock = threading.Lock()

    def read(self, path: str) -> KvVersion | None:
        return self._call(f"read {path}", lambda: self._newest(path))

    def write(self, path: str, data: Mapping[str, Any], cas: int) -> int:
        def write() -> int:
            before = self._newest(path)
            with self._lock:
                if cas != len(self.versions.get(path, ())):
                    raise Conflict(path)
                kept = self.versions.setdefault(path, [])
                limit = self.metadata.get(path, {}).get("max_versions")
                if limit:
                    kept[: len(kept) + 1 - limit] = [None] * (len(kept) + 1 - limit)
                kept.append(dict(data))
                self.earlier[path] = before
                self.written_at[path] = self._clock.seconds
                return len(kept)

        version = self._call(f"write {path}", write)
        if self.lost_writes:
            self.lost_writes -= 1
            raise KvUnavailable("no answer")
        return version

    def set_metadata(
        self, path: str, *, max_versions: int | None = None, custom_metadata: Mapping[str, str] | None = None
    ) -> None:
        def change() -> None:
            known = self.metadata.setdefault(path, {})
            if max_versions is not None:
                known["max_versions"] = max_versions
            if custom_metadata is not None:
                known["custom_metadata"] = dict(custom_metadata)

        self._call(f"metadata {path}", change)

    def list(self, prefix: str) -> list[str]:
        def names() -> list[str]:
            rests = {path.removeprefix(prefix).partition("/") for path in self.versions if path.startswith(prefix)}
            return sorted({head + slash for head, slash, _ in rests})

        return self._call(f"list {prefix}", names)

    def newest(self, path: str) -> dict[str, Any]:
        """What a person would read there."""
        return self.versions[path][-1] or {}

    def _newest(self, path: str) -> KvVersion | None:
        with self._lock:
            versions = self.versions.get(path)
            if not versions:
                return None
            return KvVersion(versions[-1], len(versions), self.metadata.get(path, {}).get("custom_metadata", {}))

    def _call(self, name: str, call: Callable[[], Any]) -> Any:
        if self.sealed:
            raise KvUnavailable("Vault is sealed", "unseal it")
        return self.accidents.around(f"{self.name}: {name}", call)
