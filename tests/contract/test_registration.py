"""The registration, its answer, and the digest by which the halves compare what they hold."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault_plugin_sdk.framework.fields import build, fields_of, parse
from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_contract.registration import (
    CONTRACT,
    OLDEST_CONTRACT,
    PARTS,
    DueMark,
    Held,
    Registration,
    RegistrationAnswer,
    digests,
    in_parts,
    part_of,
)

NAMES = st.from_regex(r"\A[A-Za-z0-9_]{1,8}\Z")
HELD = st.dictionaries(NAMES, st.builds(Held, st.integers(1, 99), NAMES), max_size=5)
ANSWERS = st.builds(
    RegistrationAnswer,
    accessor=st.text(),
    mount=st.text(),
    public_key=st.text(),
    contract=st.integers(1, 9),
    version=st.text(),
    due=st.lists(st.builds(DueMark, NAMES, st.integers(1, 99), NAMES)).map(tuple),
    differing=st.none() | st.lists(st.integers(0, PARTS - 1)).map(tuple),
    held=st.dictionaries(st.integers(0, PARTS - 1), HELD, max_size=3),
)


@given(ANSWERS)
def test_an_answer_comes_through_json_as_it_is(answer):
    assert RegistrationAnswer.from_data(json.loads(json.dumps(answer.to_data()))) == answer


def test_an_answer_of_a_later_release_is_read_as_far_as_it_is_known():
    data = RegistrationAnswer("a", "sf/", "pem", CONTRACT, "1").to_data() | {"later": 1}
    data["due"] = [{"role": "crm", "version": 1, "rotation_id": "r", "later": 1}]
    assert RegistrationAnswer.from_data(data).due == (DueMark("crm", 1, "r"),)


@given(HELD, HELD)
def test_digests_are_equal_where_both_hold_the_same_and_differ_where_not(one, other):
    ours, theirs = digests(in_parts(one)), digests(in_parts(other))
    assert len(ours) == PARTS
    differing = {part for part in range(PARTS) if ours[part] != theirs[part]}
    assert differing == {part_of(role) for role in one | other if one.get(role) != other.get(role)}
    assert digests(in_parts(dict(reversed(one.items())))) == ours


def test_nothing_held_is_not_the_same_as_nothing_said():
    registration = build(Registration, {"url": "u", "certificate": "c", "version": "1", "contract": 1})
    assert (registration.published, registration.lacking) == ((), None)
    assert all(digests(in_parts({})))


def test_ten_thousand_roles_make_parts_of_much_the_same_size():
    sizes = [len(part) for part in in_parts({f"role-{number:05}": Held(1, "r") for number in range(10_000)})]
    assert max(sizes) < 2 * 10_000 / PARTS


def test_a_heartbeat_without_an_address_is_refused():
    values, _ = parse(fields_of(Registration), {"version": "1", "contract": CONTRACT})
    with pytest.raises(CallerError, match="url is missing; certificate is missing"):
        build(Registration, values)


@pytest.mark.parametrize(
    ("contract", "oldest", "half"),
    [
        (CONTRACT, None, ""),
        (CONTRACT, CONTRACT, ""),
        (CONTRACT + 3, CONTRACT, ""),
        (CONTRACT + 3, CONTRACT + 1, "plugin"),
        (CONTRACT + 1, None, "plugin"),
        (OLDEST_CONTRACT, None, ""),
        (OLDEST_CONTRACT - 1, OLDEST_CONTRACT - 2, "sidecar"),
    ],
)
def test_the_half_that_is_behind_what_the_other_still_understands_must_be_upgraded(contract, oldest, half):
    said = {"url": "u", "certificate": "c", "version": "1", "contract": contract, "oldest_contract": oldest}
    assert build(Registration, said).half_to_upgrade == half
