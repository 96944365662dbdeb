"""A part is a process group that is started again when it dies and is gone when we are."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from vault_salesforce.dev.part import Part, PartFailed, Program, at_once
from vault_salesforce.dev.waiting import until

# Says that it runs, and then waits; with a child that would outlive it.
PARENT = """
import subprocess, sys, pathlib, signal
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
signal.pause()
"""


def program(*command: str) -> Program:
    return Program((sys.executable, *command), {"PATH": os.environ["PATH"]})


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def part(tmp_path, said):
    made = Part("thing", lambda: program("-c", PARENT, str(tmp_path / "ready")), tmp_path, said.append)
    yield made
    made.stop()


def child_of(part, tmp_path):
    """Start, and give the pid of the child that the program made."""
    ready = tmp_path / "ready"
    part.start(lambda: ready.exists() and ready.read_text() != "")
    return int(ready.read_text())


def test_stopping_ends_the_whole_group(part, tmp_path):
    child = child_of(part, tmp_path)
    leader = part.pid
    assert os.getpgid(child) == leader == os.getsid(leader)
    part.stop()
    assert not alive(leader)
    until(lambda: not alive(child), "the end of the child")
    assert part.pid == 0


def test_a_killed_part_comes_back_and_that_is_said(part, tmp_path, said):
    child = child_of(part, tmp_path)
    first = part.pid
    part.signal(signal.SIGKILL)
    until(lambda: said, "the second start")
    until(lambda: not alive(child), "the end of what the first left behind")
    assert part.pid not in (0, first)
    assert said == [f"thing was ended by SIGKILL; it is started again, as process {part.pid}"]


def test_a_part_that_is_stopped_does_not_come_back(part, tmp_path, said):
    child_of(part, tmp_path)
    part.stop()
    part.stop()
    assert said == []
    assert part.pid == 0


def test_a_part_can_be_started_after_it_was_stopped(part, tmp_path):
    child_of(part, tmp_path)
    part.stop()
    (tmp_path / "ready").unlink()
    assert alive(child_of(part, tmp_path))


def test_a_part_that_ends_before_it_is_ready_fails_with_what_it_wrote(tmp_path, said):
    part = Part("thing", lambda: program("-c", "raise SystemExit('no such port')"), tmp_path, said.append)
    with pytest.raises(PartFailed, match="thing ended: no such port"):
        part.start(lambda: False)
    assert said == []


def test_a_part_that_is_not_ready_in_time_fails_and_is_gone(part):
    with pytest.raises(PartFailed, match=r"was not ready within 0\.1 s"):
        part.start(lambda: False, within_seconds=0.1)
    assert part.pid == 0


def test_a_part_that_ignores_the_request_to_end_is_killed(tmp_path, said):
    deaf = "import signal, sys; signal.signal(15, signal.SIG_IGN); print('up', flush=True); signal.pause()"
    part = Part("thing", lambda: program("-c", deaf), tmp_path, said.append)
    part.start(lambda: part.output.exists() and part.output.read_text() != "")
    leader = part.pid
    part.stop(grace_seconds=0.1)
    assert not alive(leader)


def test_a_program_that_dies_again_and_again_is_started_again_each_time(tmp_path):
    said, enough = [], threading.Event()

    def tell(sentence: str) -> None:
        said.append(sentence)
        if len(said) == 3:
            enough.set()

    once = tmp_path / "once"
    script = (
        f"import pathlib, signal; p = pathlib.Path({str(once)!r}); p.exists() and exit(3); p.touch(); signal.pause()"
    )
    part = Part("thing", lambda: program("-c", script), tmp_path, tell)
    part.start(once.exists)
    part.signal(signal.SIGKILL)
    assert enough.wait(10)
    part.stop()
    assert said[0].startswith("thing was ended by SIGKILL; it is started again")
    assert all(sentence.startswith("thing ended with code 3; it is started again") for sentence in said[1:])


def test_a_part_dies_with_the_process_that_started_it(tmp_path):
    """A starter that is killed has no time for anything; the kernel ends its parts."""
    starter = textwrap.dedent(f"""
        import pathlib, sys, threading
        from vault_salesforce.dev.part import Part, Program
        here = pathlib.Path({str(tmp_path)!r})
        part = Part("thing", lambda: Program((sys.executable, "-c", "import signal; signal.pause()"), {{}}), here, id)
        part.start(lambda: part.pid)
        print(part.pid, flush=True)
        threading.Event().wait()
    """)
    with subprocess.Popen((sys.executable, "-c", starter), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        process.kill()
    until(lambda: not alive(pid), "the end of the part")


def test_several_are_ended_at_once_and_what_one_of_them_raised_is_told_after_all_have_ended():
    meeting, ended = threading.Barrier(2, timeout=5), []

    def end():
        meeting.wait()
        ended.append("one")

    def fail():
        meeting.wait()
        raise OSError("a fault")

    with pytest.raises(OSError, match="a fault"):
        at_once([fail, end])
    assert ended == ["one"]
