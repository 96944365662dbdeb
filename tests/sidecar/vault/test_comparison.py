"""What the mount lacks, part by part."""

import pytest

from vault_salesforce_contract.registration import PARTS, Held, digests, in_parts, part_of
from vault_salesforce_sidecar.vault.comparison import Comparison

CRM = part_of("crm")
EVERY = tuple(range(PARTS))


def compared(ours, theirs):
    made = Comparison("one")
    made.begin(ours)
    made.take((CRM,), {CRM: theirs})
    return made


def test_the_digests_are_those_of_the_contract():
    held = {"crm": Held(1, "a"), "erp": Held(2, "b")}
    assert Comparison("one").begin(held) == digests(in_parts(held))


@pytest.mark.parametrize(
    ("theirs", "lacks"),
    [
        ({}, True),
        ({"crm": Held(2, "older")}, True),
        ({"crm": Held(3, "of another rotation")}, True),
        ({"crm": Held(3, "ours")}, False),
        ({"crm": Held(4, "newer")}, False),
    ],
)
def test_a_copy_is_lacking_that_is_older_or_not_there(theirs, lacks):
    made = compared({"crm": Held(3, "ours")}, theirs)
    assert (made.lacking, made.next(9)) == ((1, ["crm"]) if lacks else (0, []))


def test_before_an_answer_and_without_a_comparison_nothing_is_known():
    made = Comparison("one")
    made.begin({"crm": Held(1, "a")})
    assert made.lacking is None
    made.take(None, {})
    assert (made.lacking, made.next(9)) == (None, [])
    made.take(EVERY, {CRM: {}})
    assert (made.lacking, made.unfinished, made.next(9)) == (None, True, ["crm"])
    made.take((), {})
    assert (made.lacking, made.unfinished) == (0, False)


def test_what_was_sent_is_lacking_until_the_mount_tells_and_is_not_sent_again_before():
    made = compared({"crm": Held(1, "a")}, {})
    made.handed_over(["crm"])
    assert (made.lacking, made.next(9)) == (1, [])
    made.take((CRM,), {})  # this answer had no room for the part
    assert (made.lacking, made.next(9)) == (1, [])
    made.take((CRM,), {CRM: {}})  # it was not taken
    assert (made.lacking, made.next(9)) == (1, ["crm"])
    made.take((), {})
    assert made.lacking == 0


def test_a_batch_has_its_size_and_all_batches_together_are_everything():
    ours = {f"role-{number}": Held(1, "a") for number in range(250)}
    made = Comparison("one")
    made.begin(ours)
    made.take(EVERY, {part: {} for part in EVERY})
    seen = []
    while batch := made.next(100):
        seen.append(batch)
        made.handed_over(batch)
    assert [len(batch) for batch in seen] == [100, 100, 50]
    assert {role for batch in seen for role in batch} == set(ours)


def test_several_sidecars_begin_with_different_roles():
    ours = {f"role-{number}": Held(1, "a") for number in range(1000)}
    firsts = []
    for instance in ("one", "two"):
        made = Comparison(instance)
        made.begin(ours)
        made.take(EVERY, {part: {} for part in EVERY})
        firsts.append(set(made.next(100)))
    assert not firsts[0] & firsts[1]


def test_another_process_is_compared_anew():
    made = compared({"crm": Held(1, "a")}, {})
    made.handed_over(["crm"])
    made.forget()
    assert (made.lacking, made.next(9)) == (None, [])
    made.take((CRM,), {CRM: {}})
    assert made.next(9) == ["crm"]
