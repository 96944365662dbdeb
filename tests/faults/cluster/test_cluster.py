"""Three nodes, killed, asleep, stepping down or parted in the midst of rotations: a few seeds of many."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from faults.cluster import hosts, run
from faults.cluster.plan import KILLS, PARTITIONS, trial

TESTS = Path(__file__).parents[2]
SECONDS = 600
PARTED = pytest.mark.skipif(bool(hosts.missing()), reason=f"nothing can be parted here: {hosts.missing()}")


def program(module, *arguments):
    """Run one of these modules as a program."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(TESTS), "TMPDIR": tempfile.gettempdir()}
    command = (sys.executable, "-m", module, *arguments)
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)


def test_a_seed_gives_one_trial_always_and_all_of_them_happen():
    trials = [trial(f"a/{number}", hosts=True) for number in range(200)]
    assert trials == [trial(f"a/{number}", hosts=True) for number in range(200)]
    assert {one.fault for one in trials} == KILLS.keys() | PARTITIONS.keys()
    assert {trial(f"a/{number}", hosts=False).fault for number in range(200)} == KILLS.keys()


@PARTED
def test_what_is_parted_does_not_hear_the_other_until_it_is_mended():
    seen = json.loads(program("faults.cluster.hearing").stdout)
    assert seen == {
        "before": [True, True, True],
        "parted": [True, True, False],
        "one way": [True, True, False],
        "isolated": [False, True, False],
        "mended": [True, True, True],
    }


@pytest.mark.system
def test_every_promise_is_kept_whatever_happens_to_the_nodes():
    done = program(run.__name__, "--trials", "4", "--seed", "kept")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " 0 lost, 0 lockouts, 0 unproven, 0 other, seed kept" in done.stdout.splitlines()[-1]
