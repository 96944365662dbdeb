"""A seed gives one plan, always; every fault and every kind of rotation comes up."""

from itertools import islice

import pytest
from faults.harness import plan
from faults.harness.plan import CAUSES, KINDS, PEOPLE, SHAPES, stint, stints


def test_a_seed_gives_the_same_plan_each_time_and_another_seed_another():
    assert stint("seven", 3) == stint("seven", 3)
    assert stint("seven", 3).rounds != stint("eight", 3).rounds
    assert stint("seven", 3).rounds != stint("seven", 4).rounds


def test_one_stint_of_a_run_is_the_one_that_is_replayed():
    assert list(islice(stints("seven", roles=8), 5))[4] == stint("seven", 4, roles=8)


def test_every_kind_cause_person_and_shape_comes_up():
    many = list(islice(stints("seven", roles=24), 16))
    roles = [role for each in many for one in each.rounds for role in one.roles]
    assert {role.kind for role in roles} == set(KINDS)
    assert {role.cause for role in roles} == set(CAUSES)
    assert {(role.kind, role.person) for role in roles if role.person} == {
        (kind, person) for kind, people in PEOPLE.items() for person in people
    }
    assert {each.shape.name for each in many} == {shape.name for shape in SHAPES}


def test_every_fault_that_happens_to_all_comes_up_in_a_long_run():
    runs = islice(stints("seven", roles=4), 96)
    worlds = {fault.name for each in runs for one in each.rounds for fault in one.world}
    assert worlds == {name for shape in SHAPES for name in shape.faults}


def test_a_run_can_be_kept_to_one_fault():
    for each in islice(stints("seven", roles=4, only=["kill server"]), 3):
        assert {fault.name for one in each.rounds for fault in one.world} == {"kill server"}


@pytest.mark.parametrize("number", range(5))
def test_two_accidents_aim_at_no_other_role_than_their_own(number):
    for one in stint("seven", number, roles=8).rounds:
        for role in one.roles:
            assert role.person_when is None or role.person_when.role == role.number
            assert role.kind == plan.kind_of(role.number)
