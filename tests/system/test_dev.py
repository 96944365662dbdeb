"""`vault-salesforce dev --json`: the stack for others to drive, and nothing left of it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from vault_salesforce.dev.rest import Rest
from vault_salesforce.dev.waiting import until

pytestmark = pytest.mark.system

MEMBERS = {
    "vault_addr",
    "root_token",
    "mount",
    "kv_mount",
    "engine_kv_mount",
    "sidecar_url",
    "orgsim_url",
    "orgsim_control_url",
    "pids",
}


class Dev:
    """The command in a process of its own, with a home and a place for temporary files that start out empty."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.home, self.temporary = directory / "home", directory / "tmp"
        self.home.mkdir(exist_ok=True)
        self.temporary.mkdir(exist_ok=True)
        self.errors = directory / "errors"
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                (sys.executable, "-m", "vault_salesforce", "dev", "--json", *options),
                env={"PATH": os.environ["PATH"], "HOME": str(self.home), "TMPDIR": str(self.temporary)},
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.process.stdout
        self.line = self.process.stdout.readline()
        assert self.line, self.errors.read_text()
        self.said = json.loads(self.line)
        self.vault = Rest(self.said["vault_addr"], {"X-Vault-Token": self.said["root_token"]})

    def processes(self) -> set[int]:
        """Every process that has our place for temporary files in its environment, but the command itself."""
        mark = f"TMPDIR={self.temporary}/".encode()
        found = set()
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                    found.add(int(entry.name))
            except OSError:
                continue
        return found

    def version(self) -> int:
        """The version of crm that the engine serves; 0 while it serves nothing."""
        try:
            return int(self.vault.send("GET", "v1/sf/version/crm").data.get("version") or 0)
        except OSError:
            return 0

    def rotate(self) -> bool:
        """Whether a rotation was done."""
        try:
            return bool(self.vault.send("POST", "v1/sf/rotate/crm").data.get("done"))
        except OSError:
            return False

    def end(self, number: signal.Signals) -> int:
        """Send a signal, and wait for the end."""
        self.process.send_signal(number)
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            assert self.process.stdout
            self.process.stdout.close()


@pytest.fixture(scope="module")
def place():
    """A directory with a short path: sockets go into it."""
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


@pytest.fixture(scope="module")
def dev(place):
    made = Dev(place)
    yield made
    if made.process.poll() is None:
        made.end(signal.SIGTERM)


def test_it_says_where_everything_is_in_one_line(dev):
    assert set(dev.said) == MEMBERS
    assert set(dev.said["pids"]) == {"vault", "sidecar", "orgsim"}
    assert (dev.said["mount"], dev.said["kv_mount"]) == ("sf", "salesforce")
    for pid in dev.said["pids"].values():
        assert os.getpgid(pid) == pid
    assert dev.version() == 1


def test_everything_works_through_its_addresses(dev):
    assert dev.rotate()
    assert dev.version() == 2


@pytest.mark.parametrize("part", ["vault", "sidecar", "orgsim"])
def test_a_part_that_is_killed_comes_back(dev, part):
    before = dev.version()
    os.killpg(dev.said["pids"][part], signal.SIGKILL)
    until(lambda: f"{part} was ended by SIGKILL" in dev.errors.read_text(), "the notice on stderr")
    until(dev.rotate, "a rotation after the restart", within_seconds=60)
    until(lambda: dev.version() > before, "a new version")


def test_a_request_to_end_leaves_nothing_behind(dev):
    assert dev.processes()
    assert dev.end(signal.SIGTERM) == 0
    until(lambda: not dev.processes(), "the end of every process")
    assert list(dev.home.iterdir()) == []
    assert list(dev.temporary.iterdir()) == []


def test_its_parts_die_with_it_and_what_it_left_goes_with_the_next_start(place):
    dev = Dev(place)
    assert dev.processes()
    dev.end(signal.SIGKILL)
    until(lambda: not dev.processes(), "the end of every process")
    (left,) = dev.temporary.iterdir()
    again = Dev(place, "--nodes", "3", "--sidecars", "2")
    try:
        assert not left.exists()
        is_a_cluster(again)
    finally:
        assert again.end(signal.SIGTERM) == 0
    until(lambda: not again.processes(), "the end of every process")
    assert list(place.joinpath("tmp").iterdir()) == []


def is_a_cluster(dev):
    assert set(dev.said) == MEMBERS | {"nodes", "sidecars"}
    nodes, sidecars = dev.said["nodes"], dev.said["sidecars"]
    assert (len(nodes), len(sidecars)) == (3, 2)
    assert nodes[0] == {"address": dev.said["vault_addr"], "pid": dev.said["pids"]["vault"]}
    assert sidecars[0] == {"url": dev.said["sidecar_url"], "pid": dev.said["pids"]["sidecar"]}
    for part in nodes + sidecars:
        assert os.getpgid(part["pid"]) == part["pid"]
    assert dev.rotate()
    before = dev.version()
    os.killpg(nodes[0]["pid"], signal.SIGKILL)  # the leader
    os.killpg(sidecars[1]["pid"], signal.SIGKILL)
    for part in ("vault", "sidecar-2"):
        until(lambda part=part: f"{part} was ended by SIGKILL" in dev.errors.read_text(), "the notice on stderr")
    until(dev.rotate, "a rotation after the restart", within_seconds=60)
    until(lambda: dev.version() > before, "a new version")
