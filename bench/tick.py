"""What ten thousand roles cost a sidecar that has nothing to do: start, tick, listing, digest, memory."""

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from vault_plugin_sdk.framework.fields import from_stored, to_stored
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce.dev.openbao import OpenBao
from vault_salesforce.dev.setup import Mounts, mount_kv
from vault_salesforce_contract.api.config import Config
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_contract.published import PublishedCredential
from vault_salesforce_sidecar.clock import SystemClock
from vault_salesforce_sidecar.records import journal_entry
from vault_salesforce_sidecar.rotation.journal import Journal, fresh, key
from vault_salesforce_sidecar.rotation.parts import Parts
from vault_salesforce_sidecar.rotation.slots import Slots
from vault_salesforce_sidecar.rotation.start import Rotations
from vault_salesforce_sidecar.store import Kv, Store
from vault_salesforce_sidecar.vault.client import Vault
from vault_salesforce_sidecar.vault.transport import open_pool

SIZES = (1_000, 10_000)
TICKS = 100
HANDS = 16
HEARD_SECONDS = 60.0
NEXT_VERSION = 2


class Clock(SystemClock):
    """The machine's time, some of it ahead."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        """The time of day, moved."""
        return super().now() + self.ahead


def main() -> None:
    """Measure, and print the table."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    columns = [dict(measured(size)) for size in SIZES]
    width = max(len(name) for name in columns[0])
    print(" " * width, *(f"{size:>14,} roles" for size in SIZES))
    for name in columns[0]:
        print(f"{name:<{width}}", *(f"{column[name]:>20}" for column in columns))


def measured(size: int) -> Iterator[tuple[str, str]]:
    """The rows of one size, each with its figure."""
    with filled(size) as vault:
        clock, before = Clock(), resident_megabytes()
        one = sidecar(vault, "one", clock)
        cpu = time.process_time()
        yield "start: every role and entry is read", seconds(timed(one.start))
        yield "… CPU time of the sidecar", seconds(time.process_time() - cpu)
        yield "resident memory for them", f"{resident_megabytes() - before:.0f} MB"
        yield "tick, nothing due (median)", milliseconds(statistics.median(ticks(one)))
        yield "tick, nothing due (longest)", milliseconds(max(ticks(one)))
        yield "listing of all roles", milliseconds(timed(one.statuses))
        yield "digest's source: versions held", milliseconds(timed(one.held))
        yield "another sidecar's work is heard of after", heard(vault, one, size)
        clock.ahead = timedelta(days=99)
        yield "first tick with all of them due", milliseconds(timed(one.tick))
        yield "tick with all of them due (median)", milliseconds(statistics.median(ticks(one)))
        one.stop(5)


@contextmanager
def filled(size: int) -> Iterator[Vault]:
    """A server that holds so many roles, which were rotated a moment ago."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name).resolve()
        bao = OpenBao(directory, {"PATH": "/usr/bin:/bin", "HOME": name}, lambda _: None)
        try:
            bao.start()
            api = bao.api(bao.root_token)
            mount_kv(api, Mounts())
            vault = Vault(open_pool("", 2 * HANDS), bao.address)
            vault.use(SecretStr(bao.root_token))
            fill(vault.kv("salesforce-engine"), size)
            yield vault
        finally:
            bao.stop()


def fill(kv: Kv, size: int) -> None:
    """Write the roles and their journal entries."""

    def write(number: int) -> None:
        username = f"integration-{number}@acme.example"
        role = StaticRole(config="none", username=username, rotation_period=30 * 86_400)
        kv.write(f"static-roles/role-{number}", {"schema": 1} | to_stored(role), 0)
        now = datetime.now(UTC)
        entry = replace(
            fresh(username, f"role-{number}"),
            state="settled",
            since=now,
            current_password=SecretStr("x" * 32),
            published_version=1,
            published_id="0" * 32,
            last_rotation=now,
        )
        kv.write(f"journal/{key(username)}", journal_entry.dump(entry), 0)

    with ThreadPoolExecutor(HANDS) as pool:
        for done in [pool.submit(write, number) for number in range(size)]:
            done.result()


def sidecar(vault: Vault, instance: str, clock: Clock) -> Rotations:
    """The part of a sidecar that keeps roles; it reaches no org and no plugin."""
    engine_kv = vault.kv("salesforce-engine")
    parts = Parts(
        engine_kv=engine_kv,
        creds_kv=vault.kv("salesforce"),
        roles=Store(engine_kv, "static-roles", dump=to_stored, load=partial(from_stored, StaticRole)),
        connections=Store(engine_kv, "config", dump=to_stored, load=partial(from_stored, Config)),
        open_org=nothing_to_open,
        open_mailbox=nothing_to_open,
        password_from_policy=nothing_to_open,
        push=nothing_to_push,
        changed=lambda: 0,
        announced=lambda _: None,
        clock=clock,
        instance=instance,
    )
    return Rotations(parts, pool=Slots(HANDS))


def nothing_to_open(*_: object) -> Any:
    """No rotation begins here."""
    raise AssertionError


def nothing_to_push(_role: str, _credential: PublishedCredential) -> None:
    """No rotation ends here."""
    raise AssertionError


def heard(vault: Vault, listener: Rotations, size: int) -> str:
    """Write the last role's entry as another sidecar would, and wait until the first one has read it."""
    other = sidecar(vault, "two", Clock())
    journal, username = Journal(vault.kv("salesforce-engine")), f"integration-{size - 1}@acme.example"
    stored = journal.get(username)
    if stored is None:
        raise RuntimeError(username)
    entry = replace(stored.record, published_version=NEXT_VERSION)
    other.start()
    other.carrier.roster.note(journal.put(username, entry, stored.version))
    begin = time.perf_counter()
    while time.perf_counter() - begin < HEARD_SECONDS:
        for rotations in (listener, other):
            rotations.tick()
        if listener.statuses()[f"role-{size - 1}"].version == NEXT_VERSION:
            break
        threading.Event().wait(1.0)
    took = time.perf_counter() - begin
    other.stop(5)
    return seconds(took) if took < HEARD_SECONDS else f"more than {HEARD_SECONDS:.0f} s"


def ticks(rotations: Rotations) -> list[float]:
    """How long so many ticks take, each."""
    return [timed(rotations.tick) for _ in range(TICKS)]


def timed(work: Callable[[], object]) -> float:
    """How long it takes, in seconds."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def resident_megabytes() -> float:
    """This process's VmRSS."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def seconds(value: float) -> str:
    """For the table."""
    return f"{value:.1f} s"


def milliseconds(value: float) -> str:
    """For the table."""
    return f"{value * 1000:.2f} ms"


if __name__ == "__main__":
    main()
