"""What a rotation costs, beside the least that it could: round trips, CPU, wall time, and many at once."""

import argparse
import contextlib
import ctypes
import itertools
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import trustme
from floor import LEAST, Calls, Floor, Place, User

from vault_salesforce.dev.ports import on_free_ports
from vault_salesforce.dev.rest import Rest
from vault_salesforce.dev.stack import Stack
from vault_salesforce.dev.waiting import until

PATIENCE_SECONDS = 120
_AN_HOUR = 3600
SLOTS = 256
LATENCIES = (0.0, 0.3)  # of the org
_IN_OPEN = 0x20  # Source: inotify(7)
_TICKS = os.sysconf("SC_CLK_TCK")
_LIMITS = {"VAULT_SALESFORCE_SLOTS": str(SLOTS), "VAULT_SALESFORCE_WEB_THREADS": "32"}


@dataclass(frozen=True)
class Org:
    """A simulator, as those who measure see it."""

    url: str
    control: Rest
    ca_cert: str = ""


class Opened:
    """Counts how often a file is opened, by whomever."""

    def __init__(self, file: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._events = libc.inotify_init1(os.O_NONBLOCK)
        if libc.inotify_add_watch(self._events, bytes(file), _IN_OPEN) < 0:
            raise OSError(ctypes.get_errno(), str(file))

    def count(self) -> int:
        """How often, since this was asked before."""
        size = 16  # of an event without a name
        with contextlib.suppress(BlockingIOError):
            return len(os.read(self._events, size << 16)) // size
        return 0


class Bench:
    """Measurements on a running stack.

    Args:
        stack: It.
        rotations: How many are measured one after another.
    """

    def __init__(self, stack: Stack, rotations: int) -> None:
        self._stack, self._rotations = stack, rotations
        self._vault = stack.vault.api(stack.vault.root_token)
        self._version = f"v1/{stack.mounts.engine}/version"

    def one_by_one(self, org: Org, latency: float, *, by_admin: bool) -> Iterator[str]:
        """The rows of rotations one after another, and of the floor, by turns."""
        admin = self._admin(org) if by_admin else None
        (role,) = self.roles(org, 1, admin)
        place = Place(org.url, org.ca_cert, self._stack.vault.address, self._stack.vault.root_token)
        floor = Floor(place, self._user(org), admin)
        self._rotate(role)
        calls, asked, others = self._counted(org, role)
        by_hand, by_hand_all, cpu, wall = [], [], [], []
        with self._latency(org, latency):
            for _ in range(self._rotations):
                by_hand.append(floor.rotate(LEAST))
                by_hand_all.append(floor.rotate(calls))
                began = self._cpu()
                wall.append(_timed(lambda: self._rotate(role)))
                cpu.append(self._cpu() - began)
        least, same = (_medians(times) for times in (by_hand, by_hand_all))
        own, took = statistics.fmean(cpu), statistics.median(wall)
        yield f"  round trips: org {asked}, KV reads {calls.reads}, KV writes {calls.writes}, other Vault {others}"
        yield (
            f"  CPU   {own * 1e3:6.2f} ms = {own / least[0]:.2f} x the floor ({least[0] * 1e3:.2f} ms), "
            f"{own / same[0]:.2f} x its own round trips by hand ({same[0] * 1e3:.2f} ms)"
        )
        yield (
            f"  wall  {took * 1e3:6.0f} ms = {took / least[1]:.2f} x the floor ({least[1] * 1e3:.0f} ms), "
            f"{took / same[1]:.2f} x its own round trips by hand ({same[1] * 1e3:.0f} ms)"
        )

    def at_once(self, org: Org, number: int, latency: float, *, by_admin: bool) -> str:
        """The row of so many rotations at once."""
        roles = self.roles(org, number, self._admin(org) if by_admin else None)
        with self._latency(org, latency), ThreadPoolExecutor(16) as threads:
            before, began = self._cpu(), time.perf_counter()
            list(threads.map(lambda role: self._rotate(role, wait=0), roles))
            for role in roles:
                until(
                    lambda role=role: self._vault.ask("GET", f"{self._version}/{role}").data["version"] > 1,
                    f"the rotation of {role}",
                    PATIENCE_SECONDS,
                )
            took, cpu = time.perf_counter() - began, self._cpu() - before
        return f"  {number:4d} in {took:5.1f} s, {number / took:5.0f} a second, CPU {cpu / number * 1e3:5.2f} ms each"

    def roles(self, org: Org, number: int, admin: User | None) -> list[str]:
        """Make users with their roles."""
        connection = self._connection(org, admin)
        with ThreadPoolExecutor(8) as threads:
            return list(threads.map(lambda _: self._role(org, connection, self_managed=admin is None), range(number)))

    def _connection(self, org: Org, admin: User | None) -> str:
        name = f"bench{secrets.token_hex(4)}"
        settings: dict[str, object] = {
            "login_url": org.url,
            "allowed_roles": ["*"],
        }
        if admin:
            settings |= {"auth_method": "password", "username": admin.username, "password": admin.password}
            settings |= {"admin_may_rotate": ["*"]}
        self._vault.ask("POST", f"v1/sf/config/{name}", settings)
        return name

    def _role(self, org: Org, connection: str, *, self_managed: bool) -> str:
        user = self._user(org)
        name = user.username.partition("@")[0]
        given = {"config": connection, "username": user.username, "password": user.password}
        self._vault.ask("POST", f"v1/sf/static-roles/{name}", given | {"self_managed": self_managed})
        return name

    @staticmethod
    def _user(org: Org, **settings: object) -> User:
        user = User(f"bench{secrets.token_hex(6)}@example.com", f"Start-1-{secrets.token_urlsafe(12)}")
        org.control.ask("POST", "users", user._asdict() | {"login_ranges": ["127.0.0.1"]} | settings)
        return user

    def _admin(self, org: Org) -> User:
        return self._user(org, manage_users=True)

    def _rotate(self, role: str, wait: int = 10) -> None:
        answer = self._vault.ask("POST", f"v1/sf/rotate/{role}", {"wait": wait})
        if wait and not answer.data["done"]:
            raise RuntimeError(f"the rotation was not done: {answer.data}")

    def _counted(self, org: Org, role: str) -> tuple[Calls, str, int]:
        """What one rotation asks of KV and of the org, and what else of Vault."""
        self._await_chores(role)
        before, seen = self._audited(), self._asked(org)
        self._rotate(role)
        self._await_chores(role)
        asked = self._asked(org)[len(seen) :]
        paths = self._audited()[len(before) :]
        in_kv = [(how, path) for how, path in paths if path.startswith(("salesforce/", "salesforce-engine/"))]
        kv = [how for how, path in in_kv if "/index/" not in path]  # one for all that two seconds brought
        reads = sum(operation in ("read", "list") for operation in kv)
        others = [path for _, path in paths if path.startswith("sf/published/")]
        looks = sum("query" in operation for operation in asked)
        return Calls(reads, len(kv) - reads, looks), f"{len(asked)} ({', '.join(asked)})", len(others)

    def _await_chores(self, role: str) -> None:
        """What follows the answer of a rotation is a part of it."""
        entry = (
            f"v1/salesforce-engine/data/journal/{role}%2540example.com"  # encoded once for the name, once for the way
        )
        until(lambda: not self._vault.ask("GET", entry).data["data"]["owed"], f"the chores of {role}", PATIENCE_SECONDS)

    def _asked(self, org: Org) -> list[str]:
        requests = org.control.ask("GET", "requests?since=0").body
        return [str(one["operation"]) for one in requests.get("data") or requests.get("requests") or ()]

    def _audited(self) -> list[tuple[str, str]]:
        lines = (self._stack.directory / "vault" / "audit.log").read_text().splitlines()
        found = [one for one in map(json.loads, lines) if one.get("auth", {}).get("display_name") != "root"]
        return [(one["request"]["operation"], one["request"]["path"]) for one in found if one["type"] == "response"]

    @contextlib.contextmanager
    def _latency(self, org: Org, seconds: float) -> Iterator[None]:
        if seconds:
            org.control.ask("PATCH", "misbehave", {"latency_seconds": seconds})
        yield
        org.control.ask("DELETE", "misbehave")

    def _cpu(self) -> float:
        """Seconds of CPU that the sidecar's processes have used."""
        leader = self._stack.sidecar.part.pid
        return sum(_cpu_of(stat) for stat in _stats() if leader in (int(stat[0]), int(stat[4])))


def _stats() -> Iterator[list[str]]:
    """Of each process: its id, state, parent, process group …  Source: proc(5)."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            before, _, after = file.read_text().rpartition(")")
            yield [before.partition(" ")[0], "", *after.split()]


def _cpu_of(stat: list[str]) -> float:
    return (int(stat[13]) + int(stat[14])) / _TICKS


def _medians(times: Iterable[tuple[float, float]]) -> tuple[float, float]:
    cpu, wall = zip(*times, strict=True)
    return statistics.median(cpu), statistics.median(wall)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextlib.contextmanager
def secured_org(directory: Path, authority: trustme.CA) -> Iterator[Org]:
    """A simulator that speaks TLS."""
    certificate, key = directory / "org.pem", directory / "org.key"
    issued = authority.issue_cert("127.0.0.1")
    certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(key)
    process: subprocess.Popen[bytes] | None = None
    ports = 0

    def start(port: int) -> None:
        nonlocal process, ports
        command = [sys.executable, "-m", "salesforce_orgsim", "--port", str(port), "--control-port", str(port + 1)]
        process = subprocess.Popen([*command, "--tls-cert", certificate, "--tls-key", key], stdout=subprocess.DEVNULL)
        ports = port
        until(lambda: _answers(port + 1), "the org with TLS")

    on_free_ports(2, start)
    try:
        yield Org(
            f"https://127.0.0.1:{ports}", Rest(f"http://127.0.0.1:{ports + 1}"), authority.cert_pem.bytes().decode()
        )
    finally:
        if process:
            process.terminate()
            process.wait()


def _answers(port: int) -> bool:
    try:
        return Rest(f"http://127.0.0.1:{port}").send("GET", "org").status < 300  # noqa: PLR2004
    except OSError:
        return False


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rotations", type=int, default=20, help="one after another, in each row")
    parser.add_argument("--at-once", type=int, nargs="*", default=[64, 256], help="in flight together")
    asked = parser.parse_args()
    authority = trustme.CA()
    with tempfile.TemporaryDirectory() as place:
        # OpenSSL reads the system's authorities from here, so that it shows when somebody loads them.
        bundle = Path(place, "authorities.pem")
        authority.cert_pem.write_to_path(bundle)
        environment = _LIMITS | {"SSL_CERT_FILE": str(bundle)}
        with (
            Stack(tell=print, sidecar_environment=environment) as stack,
            secured_org(Path(place), authority) as secured,
        ):
            opened = Opened(bundle)
            stack.start()
            run(Bench(stack, asked.rotations), stack, secured, opened, asked.at_once)


def run(bench: Bench, stack: Stack, secured: Org, opened: Opened, numbers: list[int]) -> None:
    """Print the tables."""
    plain = Org(stack.orgsim.url, stack.orgsim.control())
    for org in (plain, secured):
        # A change in the second of the one before it does not show in the org's record, and is waited for.
        org.control.ask("POST", "clock", {"advance_seconds": -_AN_HOUR})
    ways = (("by the user", False), ("by an administrator", True))
    for latency, (way, by_admin) in itertools.product(LATENCIES, ways):
        print(f"One rotation {way}, the org answers after {latency * 1e3:.0f} ms; load {os.getloadavg()[0]:.1f}")
        for row in bench.one_by_one(plain, latency, by_admin=by_admin):
            print(row)
    print(f"With TLS, by the user; load {os.getloadavg()[0]:.1f}")
    at_start = opened.count()
    bench.roles(secured, 1, None)
    first = opened.count()
    for row in bench.one_by_one(secured, 0.0, by_admin=False):
        print(row)
    print(
        f"  the system's authorities were loaded {at_start} times until then, {first} times for the first rotation, "
        f"{opened.count()} times for those after it"
    )
    for latency, (way, by_admin) in itertools.product(LATENCIES, ways):
        print(f"At once {way}, the org answers after {latency * 1e3:.0f} ms; load {os.getloadavg()[0]:.1f}")
        for number in numbers:
            print(bench.at_once(plain, number, latency, by_admin=by_admin))


if __name__ == "__main__":
    main()
