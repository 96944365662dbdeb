"""How a run ends: what it says last, and with which status, whatever became of its stints."""

import pytest
from faults.harness import run
from faults.harness.checks import LOCKOUT, LOST, OTHER, UNPROVEN


@pytest.fixture
def stints(monkeypatch):
    """What happens in each stint of a run, in place of a stack; the numbers of those that were carried out."""
    happens, carried = [], []

    def carry_out(plan, tally, replay, *, most=0):
        carried.append(plan.number)
        assert replay.endswith(f"SEED={plan.seed} STINT={plan.number}")
        tally.rounds += 1
        happens.pop(0)(tally)

    monkeypatch.setattr(run, "carry_out", carry_out)
    monkeypatch.setattr(run, "missing", lambda _shape: "")
    return happens, carried


def rotates(tally):
    tally.rotations += 6


def breaks(kind):
    def stint(tally):
        rotates(tally)
        tally.broken[kind] += 1
        tally.failures.append(f"a promise: {kind}")

    return stint


def breaks_off(_tally):
    raise TimeoutError("no rest")


def ended(capsys, *arguments):
    status = run.main(["--seed", "seven", *arguments])
    return status, capsys.readouterr().out.splitlines()


def test_it_ends_well_once_enough_were_counted(stints, capsys):
    happens, carried = stints
    happens += [rotates, rotates, rotates]
    status, lines = ended(capsys, "--rotations", "10")
    assert (status, carried) == (0, [0, 1])
    assert lines[-1] == "faults: 12 rotations, 0 lost, 0 lockouts, 0 unproven, seed seven"


@pytest.mark.parametrize("kind", [LOST, LOCKOUT, UNPROVEN, OTHER])
def test_a_promise_that_was_not_kept_is_told_with_its_replay_and_is_no_success(stints, capsys, kind):
    happens, _ = stints
    happens += [breaks(kind), rotates]
    status, lines = ended(capsys, "--rotations", "12")
    assert status == 1
    assert f"not kept: a promise: {kind}" in lines
    assert "seed seven" in lines[-1]
    assert kind == OTHER or " 1 " in lines[-1]


def test_a_stint_that_broke_off_is_no_success_and_the_run_goes_on(stints, capsys):
    happens, carried = stints
    happens += [rotates, breaks_off, rotates]
    status, lines = ended(capsys, "--rotations", "12")
    assert (status, carried) == (1, [0, 1, 2])
    assert any("STINT=1" in line for line in lines if line.startswith("not kept: stint 1 broke off"))


def test_one_stint_is_replayed_alone(stints, capsys):
    happens, carried = stints
    happens += [rotates]
    status, _ = ended(capsys, "--stint", "5")
    assert (status, carried) == (0, [5])
