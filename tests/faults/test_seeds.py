"""Rotations of every kind under faults from fixed seeds: a few hundred here, thousands with `make faults`.

Each stint has a stack of its own, on which all roles rotate at once, round after round. What is promised is in
`harness/checks.py`; a failure names the fault, the role, and the command that replays it.
"""

import pytest
from faults.harness.plan import shape_of, stint
from faults.harness.run import carry_out
from faults.harness.stage import missing
from faults.harness.tally import Tally

pytestmark = pytest.mark.system

SEED = "the tests' own"
ROLES, ROUNDS = 24, 3
# The server's disk and the sidecars' clocks are `make faults`' own: they need root, or a library of Debian's.
SHAPES = ("plain", "plain", "two sidecars")


@pytest.mark.parametrize("number", range(len(SHAPES)))
def test_whatever_fails_the_live_password_is_in_vault_and_nobody_is_locked(number):
    plan = stint(SEED, number, roles=ROLES, rounds=ROUNDS, shape=SHAPES[number])
    assert not missing(shape_of(SHAPES[number]))
    tally = Tally(SEED)
    carry_out(plan, tally, f"make faults SEED='{SEED}' STINT={number}")
    assert tally.failures == []
    assert tally.kept
    assert tally.rotations >= ROLES
