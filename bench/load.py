"""What a crowd does to the stack: many roles due at once, leases ending together, rotations asked for, steady reads."""

import argparse
import contextlib
import itertools
import os
import ssl
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus
from urllib.parse import urlsplit

import urllib3
from read import Process, only_child
from rotation import Bench, Org

from vault_salesforce.dev.rest import Rest
from vault_salesforce.dev.stack import Stack
from vault_salesforce.dev.waiting import until

PATIENCE_SECONDS = 900
HANDS = 16
IDLE_SECONDS = 20.0
PROBES_A_SECOND = 5
READS_A_SECOND = 50
ROTATING = 4
LEASES_EACH = 100


@dataclass
class Seen:
    """What the probes of one kind saw: seconds from when each was to be sent, and what was not answered with 200."""

    seconds: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def percentile(self, of: float) -> float:
        """In milliseconds."""
        return sorted(self.seconds)[int(of * (len(self.seconds) - 1))] * 1e3


class Probe(threading.Thread):
    """Asks one address so many times a second, whether it has been answered or not: a late answer counts from its time.

    Args:
        ask: One request; gives what is wrong with the answer, or nothing.
        a_second: How often.
        hands: How many may wait for an answer.
    """

    def __init__(self, ask: Callable[[], str | None], a_second: float, hands: int) -> None:
        super().__init__(daemon=True)
        self.seen = Seen()
        self._ask, self._apart, self._hands = ask, 1 / a_second, hands
        self._over = threading.Event()

    def run(self) -> None:
        """Ask until `end`."""
        began = time.perf_counter()
        with ThreadPoolExecutor(self._hands) as hands:
            for number in itertools.count():
                due = began + number * self._apart
                if self._over.wait(max(0.0, due - time.perf_counter())):
                    return
                hands.submit(self._one, due)

    def end(self) -> Seen:
        """End it, once everything is answered."""
        self._over.set()
        self.join()
        return self.seen

    def _one(self, due: float) -> None:
        try:
            fault = self._ask()
        except (OSError, urllib3.exceptions.HTTPError) as exc:
            fault = type(exc).__name__
        self.seen.seconds.append(time.perf_counter() - due)
        if fault:
            self.seen.refused.append(fault)


class Crowd:
    """A running stack, and what is done to it.

    Args:
        stack: It.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._vault = stack.vault.api(stack.vault.root_token)
        self._org = Org(stack.orgsim.url, stack.orgsim.control())
        self._makes = Bench(stack, 0)
        self._counting = threading.Lock()
        self._vault.ask("POST", "v1/sys/mounts/neighbour", {"type": "kv"})
        self._vault.ask("POST", "v1/neighbour/secret", {"value": "of another team"})
        pid = stack.vault.part.pid
        self._processes = {
            "server": Process(pid),
            "plugin": Process(only_child(pid)),
            "sidecar": Process(only_child(stack.sidecar.part.pid)),
        }
        host = urlsplit(stack.sidecar.url)
        certificate = ssl.get_server_certificate((str(host.hostname), int(host.port or 0)))
        pinned = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        pinned.check_hostname, pinned.verify_mode = (
            False,
            ssl.CERT_NONE,
        )  # it is the certificate itself that is compared
        self._pinned = urllib3.PoolManager(
            ssl_context=pinned,
            assert_fingerprint=sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest(),
            retries=False,
            maxsize=HANDS,
            timeout=30.0,
        )
        (self._read,) = self._makes.roles(self._org, 1, None)

    def idle(self) -> Iterator[str]:
        """What the probes see of a stack that has nothing to do."""
        with self._probed("idle") as rows:
            threading.Event().wait(IDLE_SECONDS)
        yield from rows

    def due_at_once(self, number: int) -> Iterator[str]:
        """So many roles whose time comes in the same second."""
        roles = self._makes.roles(self._org, number, None)
        moment = datetime.fromtimestamp(time.time() + 5 + number / 50, UTC).isoformat(timespec="seconds")
        self._each(roles, lambda role: self._write(f"sf/static-roles/{role}", {"initial_rotation_at": moment}))
        with self._probed(f"{number} roles due at once") as rows:
            until(lambda: datetime.now(UTC).isoformat(timespec="seconds") >= moment, "the moment", PATIENCE_SECONDS)
            took = _timed(lambda: self._await_versions(roles, 2))
        yield from rows
        yield self._outcome(roles, took, 1)

    def leases_end(self, roles_number: int, leases_each: int) -> Iterator[str]:
        """Leases that one token holds end with it."""
        roles = self._makes.roles(self._org, roles_number, None)
        self._each(roles, lambda role: self._write(f"sf/static-roles/{role}", {"lease_rotation_interval": 0}))
        token = self._vault.ask("POST", "v1/auth/token/create", {"policies": ["root"], "ttl": "1h"}).body["auth"]
        holder = self._stack.vault.api(token["client_token"])
        self._each(roles * leases_each, lambda role: holder.ask("GET", f"v1/sf/creds/{role}"))
        with self._probed(f"{roles_number * leases_each} leases of {roles_number} roles end together") as rows:
            took = _timed(
                lambda: (
                    self._vault.ask("POST", "v1/auth/token/revoke", {"token": token["client_token"]}),
                    self._await_versions(roles, 2),
                )
            )
        yield from rows
        yield self._outcome(roles, took, 1)

    def asked_at_once(self, number: int) -> Iterator[str]:
        """So many people say `rotate`, each for a role of their own."""
        roles = self._makes.roles(self._org, number, None)
        answers: list[str] = []

        def rotate(role: str) -> None:
            answer = self._vault.send("POST", f"v1/sf/rotate/{role}", {"wait": 10})
            answers.append(f"{answer.status} {'done' if answer.data.get('done') else answer.data.get('state', '')}")

        def all_of_them() -> None:
            with ThreadPoolExecutor(number) as people:
                list(people.map(rotate, roles))
            again = [role for role in roles if self._version(role) == 1]
            refused = [role for role in again if self._status(role) == "ok"]
            self._each(refused, lambda role: self._write(f"sf/rotate/{role}", {"wait": 0}))
            self._await_versions(roles, 2)

        with self._probed(f"{number} people say rotate") as rows:
            took = _timed(all_of_them)
        yield from rows
        yield f"  answers: {', '.join(f'{count} x {what}' for what, count in sorted(_counted(answers).items()))}"
        yield self._outcome(roles, took, 1)

    def steady(self, minutes: float, reads_a_second: int, rotating: int) -> Iterator[str]:
        """Reads at a steady rate while roles are rotated one after another."""
        roles = self._makes.roles(self._org, rotating, None)
        over, rotations = threading.Event(), itertools.count()

        def rotate(role: str) -> int:
            done = 0
            while not over.is_set():
                answer = self._vault.send("POST", f"v1/sf/rotate/{role}", {"wait": 10})
                done += bool(answer.data.get("done"))
                next(rotations)
                over.wait(1.0)
            return done

        with ThreadPoolExecutor(rotating) as people:
            going = [people.submit(rotate, role) for role in roles]
            with self._probed(f"{reads_a_second} reads a second for {minutes:g} min", reads_a_second) as rows:
                for _ in range(max(1, round(minutes))):
                    over.wait(60 * minutes / max(1, round(minutes)))
                    rows.append(f"  memory: {self._memory()}; {self._connections()}")
            over.set()
            done = [one.result() for one in going]
        yield from rows
        for role, versions in zip(roles, done, strict=True):
            self._await_versions([role], 1 + versions)
        yield self._outcome(roles, 60 * minutes, statistics.fmean(done))

    @contextlib.contextmanager
    def _probed(self, what: str, reads_a_second: int = PROBES_A_SECOND) -> Iterator[list[str]]:
        """Probe meanwhile; afterwards the list holds the rows."""
        rows: list[str] = []
        vault = self._vault
        asked: Mapping[str, tuple[Callable[[], str | None], int]] = {
            "sidecar, health": (self._health, PROBES_A_SECOND),
            "sf/static-creds": (lambda: _fault(vault, f"v1/sf/static-creds/{self._read}"), reads_a_second),
            "sf/status": (lambda: _fault(vault, f"v1/sf/status/{self._read}"), PROBES_A_SECOND),
            "another KV mount": (lambda: _fault(vault, "v1/neighbour/secret"), PROBES_A_SECOND),
        }
        probes = {name: Probe(ask, rate, HANDS) for name, (ask, rate) in asked.items()}
        before = self._memory()
        for probe in probes.values():
            probe.start()
        yield rows
        rows.insert(0, f"\n{what}; load {os.getloadavg()[0]:.1f}; memory before: {before}; after: {self._memory()}")
        for name, probe in probes.items():
            seen = probe.end()
            refused = f", not 200: {_counted(seen.refused)}" if seen.refused else ""
            rows.append(
                f"  {name:18} p50 {seen.percentile(0.5):7.1f} ms, p99 {seen.percentile(0.99):7.1f} ms, "
                f"longest {max(seen.seconds) * 1e3:7.0f} ms of {len(seen.seconds)}{refused}"
            )

    def _health(self) -> str | None:
        answer = self._pinned.request("GET", f"{self._stack.sidecar.url}/health/ready")
        return None if answer.status == HTTPStatus.OK else str(answer.status)

    def _write(self, path: str, fields: Mapping[str, object]) -> None:
        self._vault.ask("POST", f"v1/{path}", fields)

    def _version(self, role: str) -> int:
        return int(self._vault.ask("GET", f"v1/sf/version/{role}").data["version"])

    def _status(self, role: str) -> str:
        return str(self._vault.ask("GET", f"v1/sf/status/{role}").data["state"])

    def _await_versions(self, roles: list[str], version: int) -> None:
        for role in roles:
            until(lambda role=role: self._version(role) >= version, f"version {version} of {role}", PATIENCE_SECONDS)

    @staticmethod
    def _each(roles: list[str], do: Callable[[str], object]) -> None:
        with ThreadPoolExecutor(HANDS) as hands:
            list(hands.map(do, roles))

    def _outcome(self, roles: list[str], seconds: float, expected: float) -> str:
        """Whether what Vault holds is live, for each role, and what the org counted."""
        counts = {"lost": 0, "lockouts": 0, "changes": 0, "failed logins": 0}

        def look(role: str) -> None:
            username = f"{role}@example.com"
            held = self._vault.ask("GET", f"v1/salesforce/data/creds/{role}").data["data"]
            sent = {name: held[name] for name in ("password", "security_token")}
            live = self._org.control.ask("POST", f"users/{username}/check", sent).body["password"]
            user = self._org.control.ask("GET", f"users/{username}").body
            with self._counting:
                counts["lost"] += not live
                counts["lockouts"] += user["lockouts"]
                counts["changes"] += user["password_changes"]
                counts["failed logins"] += user["failed_logins"]

        self._each(roles, look)
        said = ", ".join(f"{number} {name}" for name, number in counts.items())
        return f"  {len(roles)} roles in {seconds:.1f} s: {said} ({expected * len(roles):.0f} changes expected)"

    def _memory(self) -> str:
        return ", ".join(f"{name} {process.megabytes():.0f} MB" for name, process in self._processes.items())

    def _connections(self) -> str:
        return ", ".join(f"{name} {process.sockets()} sockets" for name, process in self._processes.items())


def _fault(vault: Rest, path: str) -> str | None:
    answer = vault.send("GET", path)
    return None if answer.status == HTTPStatus.OK else str(answer.status)


def _counted(words: list[str]) -> dict[str, int]:
    return {word: words.count(word) for word in set(words)}


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """Measure, and print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--due", type=int, default=1000, help="roles that are due at once")
    parser.add_argument(
        "--leases", type=int, default=2000, help="leases that end together, of a hundredth as many roles"
    )
    parser.add_argument("--people", type=int, default=200, help="rotations asked for at once")
    parser.add_argument("--minutes", type=float, default=10, help="of steady reads while roles are rotated")
    asked = parser.parse_args()
    with Stack(tell=print) as stack:
        stack.start()
        crowd = Crowd(stack)
        for rows in (
            crowd.idle(),
            crowd.due_at_once(asked.due),
            crowd.leases_end(max(1, asked.leases // LEASES_EACH), LEASES_EACH),
            crowd.asked_at_once(asked.people),
            crowd.steady(asked.minutes, READS_A_SECOND, ROTATING),
            crowd.idle(),
        ):
            for row in rows:
                print(row, flush=True)


if __name__ == "__main__":
    main()
