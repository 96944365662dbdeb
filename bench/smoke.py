"""How fast it is, on this machine, in one run: every figure stands beside what it has to be compared with."""

import contextlib
import json
import re
import secrets
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from floor import Calls, Floor, Place, User

from vault_plugin_sdk.wire.handshake import APP_PROTOCOL, COOKIE_NAME, COOKIE_VALUE
from vault_salesforce.dev.stack import Stack
from vault_salesforce_plugin.install import install

STARTS = 7
ROTATIONS = 10
READS = 400
LATENCY_SECONDS = 0.1  # of an org that is not on this machine

Found = TypeVar("Found")


def main() -> None:
    """Measure, and print the table."""
    rows = [("exec → handshake line", milliseconds(start_times()), "")]
    with Stack(tell=print) as stack:
        stack.start()
        bench = Bench(stack)
        served, kept = bench.reads()
        rows.append(("static-creds, p50", milliseconds(served), f"{ratio(served, kept)} times a KV v2 read"))
        rows.append(("KV v2 read, p50", milliseconds(kept), ""))
        for latency in (0.0, LATENCY_SECONDS):
            rotated, direct = bench.rotations(latency)
            org = f"org answers after {latency * 1000:.0f} ms"
            rows.append(
                (f"one rotation ({org})", milliseconds(rotated), f"{ratio(rotated, direct)} times its round trips")
            )
            rows.append(("  login, change, login, its KV calls", milliseconds(direct), "made one by one, by hand"))
        rows.append(("plugin's resident memory", f"{bench.plugin_megabytes():6.0f} MB", ""))
    width = max(len(name) for name, _, _ in rows)
    for name, figure, remark in rows:
        print(f"{name:<{width}}  {figure:>10}  {remark}")


def milliseconds(seconds: list[float]) -> str:
    """The median."""
    return f"{statistics.median(seconds) * 1000:7.1f} ms"


def ratio(one: list[float], other: list[float]) -> str:
    """Median over median."""
    return f"{statistics.median(one) / statistics.median(other):.2f}"


def checked(found: Found | None) -> Found:
    """What must be there."""
    if found is None:
        raise RuntimeError("something that is always there was not")
    return found


def timed(work: Callable[[], object]) -> float:
    """How long it takes, in seconds."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def start_times() -> list[float]:
    """From exec to the handshake line, as the server sees it; the first start, on cold files, is left out."""
    with tempfile.TemporaryDirectory() as directory:
        launcher = install(Path(directory)).path
        environment = {
            "PATH": "/usr/bin:/bin",
            "TMPDIR": directory,
            COOKIE_NAME: COOKIE_VALUE,
            "PLUGIN_PROTOCOL_VERSIONS": str(APP_PROTOCOL),
            "PLUGIN_CLIENT_CERT": host_certificate(),
        }
        return [start_time(launcher, environment) for _ in range(STARTS + 1)][1:]


def start_time(launcher: Path, environment: dict[str, str]) -> float:
    """One start."""
    begin = time.perf_counter()
    with subprocess.Popen((launcher,), env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        line = checked(process.stdout).readline()
        took = time.perf_counter() - begin
        process.send_signal(signal.SIGTERM)
    if not line.startswith(b"1|5|unix|"):
        raise RuntimeError(f"no handshake line: {line!r}")
    return took


def host_certificate() -> str:
    """A one-time certificate on P-521, as a Go host makes it."""
    key = ec.generate_private_key(ec.SECP521R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    end = now + timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, end)
    return builder.sign(key, SHA512()).public_bytes(Encoding.PEM).decode()


class Bench:
    """Measurements on a running stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._vault = stack.vault.api(stack.vault.root_token)
        self._org = stack.orgsim.control()

    def reads(self) -> tuple[list[float], list[float]]:
        """Reads of `static-creds` and of the same credential in KV, by turns."""
        paths = ("v1/sf/static-creds/crm", "v1/salesforce/data/creds/crm")
        for path in paths * 20:
            self._vault.ask("GET", path)
        times = [[timed(partial(self._vault.ask, "GET", path)) for path in paths] for _ in range(READS)]
        return [served for served, _ in times], [kept for _, kept in times]

    def rotations(self, latency_seconds: float) -> tuple[list[float], list[float]]:
        """Rotations, and the calls that each of them makes, made one by one; by turns."""
        role = self._role()
        vault = self._stack.vault
        floor = Floor(Place(self._stack.orgsim.url, "", vault.address, vault.root_token), self._user())
        with self._latency(latency_seconds):
            before = self._kv_calls()
            self._rotate(role)
            reads, writes = (after - earlier for after, earlier in zip(self._kv_calls(), before, strict=True))
            calls = Calls(reads, writes, looks=0)
            times = [(timed(lambda: self._rotate(role)), floor.rotate(calls)[1]) for _ in range(ROTATIONS)]
        return [rotated for rotated, _ in times], [by_hand for _, by_hand in times]

    def plugin_megabytes(self) -> float:
        """Resident memory of the plugin: the server's only child."""
        parent = self._stack.vault.part.pid
        statuses = (path.read_text() for path in Path("/proc").glob("[0-9]*/status"))
        (plugin,) = (text for text in statuses if f"PPid:\t{parent}\n" in text)
        return int(checked(re.search(r"VmRSS:\s+(\d+) kB", plugin))[1]) / 1024

    def _rotate(self, role: str) -> None:
        answer = self._vault.ask("POST", f"v1/sf/rotate/{role}", {})
        if not answer.data["done"]:
            raise RuntimeError(f"the rotation was not done: {answer.data}")

    def _user(self) -> User:
        user = User(f"bench{secrets.token_hex(4)}@example.com", f"Start-1-{secrets.token_urlsafe(12)}")
        self._org.ask("POST", "users", user._asdict() | {"login_ranges": ["127.0.0.1"]})
        return user

    def _role(self) -> str:
        user = self._user()
        name = user.username.partition("@")[0]
        self._vault.ask("POST", f"v1/sf/static-roles/{name}", {"config": "demo"} | user._asdict())
        return name

    def _kv_calls(self) -> tuple[int, int]:
        """Reads and writes of KV that the server has answered so far, by its audit log."""
        reads = writes = 0
        for line in (self._stack.directory / "vault" / "audit.log").read_text().splitlines():
            record = json.loads(line)
            if record["type"] == "response" and record["request"]["path"].startswith(
                ("salesforce/", "salesforce-engine/")
            ):
                is_read = record["request"]["operation"] in ("read", "list")
                reads, writes = reads + is_read, writes + (not is_read)
        return reads, writes

    @contextlib.contextmanager
    def _latency(self, seconds: float) -> Iterator[None]:
        if seconds:
            self._org.ask("PATCH", "misbehave", {"latency_seconds": seconds})
        yield
        self._org.ask("DELETE", "misbehave")


if __name__ == "__main__":
    main()
