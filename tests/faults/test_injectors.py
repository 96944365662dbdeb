"""What happens to everything does happen, to those whom it names, and is over when it is healed."""

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from faults.harness.injectors import injector
from faults.harness.plan import SHAPES, shape_of
from faults.harness.stage import missing

from vault_salesforce.dev.waiting import until

PATIENCE_SECONDS = 20.0
PARTY = (
    "import subprocess, sys; c = subprocess.Popen([sys.executable, '-c', 'input()']); print(c.pid, flush=True); input()"
)
KILLED = {
    "kill sidecar": {"sidecar", "worker"},
    "kill other sidecar": {"other sidecar", "other worker"},
    "kill sidecar's worker": {"worker"},
    "end sidecar": {"sidecar"},
    "kill plugin": {"plugin"},
    "kill server": {"server", "plugin"},
    "kill all": {"server", "plugin", "sidecar", "worker"},
}
ASLEEP = {
    "stop sidecar": {"sidecar", "worker"},
    "stop sidecar beyond its hold": {"sidecar", "worker"},
    "stop plugin": {"plugin"},
    "stop server": {"server"},
}
NOTED = re.compile("clock|server says|.*: ")


class Part:
    """A process with a child, in a group of their own."""

    def __init__(self):
        self._process = subprocess.Popen(
            (sys.executable, "-c", PARTY), stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self.pid = self._process.pid
        self.child = int(self._process.stdout.readline())

    def signal(self, number, *, group=False):
        (os.killpg if group else os.kill)(self.pid, number)

    def end(self):
        self.signal(signal.SIGKILL, group=True)
        self._process.communicate()


class Line:
    """Notes how it is to behave."""

    def __init__(self):
        self.told = []

    def behave(self, mode):
        self.told.append(mode)

    def refuse_all(self, deed):
        self.told.append(deed.name if deed else "")


@pytest.fixture
def parts():
    made = {"sidecar": Part(), "other sidecar": Part(), "server": Part()}
    yield made
    for part in made.values():
        part.end()


def staged(directory, sidecar=None, other=None, server=None):
    """A stage of these parts, or of none, whose lines and clocks note what they are told."""
    clocks = []
    return SimpleNamespace(
        stack=SimpleNamespace(sidecars=[sidecar, other], sidecar=sidecar, vault=server),
        to_server=[Line(), Line()],
        to_sidecar=[Line(), Line()],
        to_org=Line(),
        clocks=clocks,
        set_clock=lambda number, offset: clocks.append((number, offset)),
        server_directory=directory,
    )


@pytest.fixture
def stage(parts, tmp_path):
    return staged(tmp_path, *(SimpleNamespace(part=part) for part in parts.values()))


def names_of(parts):
    """Each process by what it stands for."""
    leaders = {name: part.pid for name, part in parts.items()}
    names = ("worker", "other worker", "plugin")
    return leaders | {name: part.child for name, part in zip(names, parts.values(), strict=True)}


def state(pid):
    """The kernel's letter for a process; nothing where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def those(parts, letters):
    """The processes that are in one of these states."""
    return {name for name, pid in names_of(parts).items() if state(pid) in letters}


@pytest.mark.parametrize("name", KILLED)
def test_a_kill_ends_those_whom_it_names_and_nobody_else(stage, parts, name):
    injector(name, stage).strike()
    until(lambda: those(parts, ("", "Z")) == KILLED[name], "their end", PATIENCE_SECONDS)


@pytest.mark.parametrize("name", ASLEEP)
def test_who_is_stopped_sleeps_until_it_is_healed(stage, parts, name):
    happens = injector(name, stage)
    happens.strike()
    until(lambda: those(parts, ("T",)) == ASLEEP[name], "their sleep", PATIENCE_SECONDS)
    happens.heal()
    until(lambda: not those(parts, ("T",)), "that they wake", PATIENCE_SECONDS)
    assert those(parts, ("", "Z")) == set()


def test_every_fault_that_a_plan_names_is_one():
    made = {name: type(injector(name, staged(Path()))).__name__ for shape in SHAPES for name in shape.faults}
    assert {name for name, kind in made.items() if kind == "Kill"} == KILLED.keys()
    assert {name for name, kind in made.items() if kind == "Sleep"} == ASLEEP.keys()


@pytest.mark.parametrize("name", sorted({name for shape in SHAPES for name in shape.faults if NOTED.match(name)}))
def test_a_line_or_a_clock_is_told_what_to_be_and_afterwards_to_be_as_it_was(name, tmp_path):
    stage = staged(tmp_path)
    happens = injector(name, stage)
    happens.strike()
    happens.heal()
    heard = [line.told for line in (*stage.to_server, *stage.to_sidecar, stage.to_org)]
    if name.startswith("clock"):
        assert stage.clocks == [(0, "+1d" if name.endswith("on") else "-1d"), (0, "+0")]
    elif name.startswith("server says "):
        said = name.removeprefix("server says ")
        assert heard == [[said, ""], [said, ""], [], [], []]
    else:
        line, _, mode = name.partition(": ")
        place = {"sidecar to server": 0, "server to sidecar": 2, "sidecar to org": 4}[line]
        assert [(number, told) for number, told in enumerate(heard) if told] == [(place, [mode, ""])]


@pytest.mark.skipif(bool(missing(shape_of("small disk"))), reason="a small disk is mounted by root alone")
def test_a_full_disk_takes_not_one_byte_until_it_is_healed(tmp_path):
    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=1m", "faults-try", str(tmp_path)), check=True)  # noqa: S607
    try:
        happens = injector("disk full", staged(tmp_path))
        happens.strike()
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            (tmp_path / "log").write_bytes(b"x")
        happens.heal()
        (tmp_path / "log").write_bytes(b"x")
    finally:
        subprocess.run(("umount", "-l", str(tmp_path)), check=True)  # noqa: S607
