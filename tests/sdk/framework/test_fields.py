"""Fields: declared once; parsed, built, read back and stored from there."""

import dataclasses
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault_plugin_sdk.framework.fields import (
    ABSENT,
    BOOLEAN,
    DURATION,
    INTEGER,
    LIST,
    SECRET,
    TEXT,
    Field,
    build,
    declared,
    field,
    fields_of,
    from_stored,
    parse,
    read_back,
    to_stored,
    unknown_field,
)
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError


def _even(value):
    return "must be even" if value % 2 else None


@dataclass(frozen=True)
class Record:
    """A record."""

    name: str = field(TEXT, "Name.", immutable=True)
    number: int = field(INTEGER, "Number.", default=2, minimum=0, maximum=10, check=_even)
    color: str = field(TEXT, "Color.", default="red", choices=("red", "blue"))
    period: int | None = field(DURATION, "Period.", default=None, minimum=60)
    tags: tuple[str, ...] = field(LIST, "Tags.", default=())
    on: bool = field(BOOLEAN, "On.", default=True)
    password: SecretStr = field(SECRET, "Password.", default=SecretStr(""))
    inner: int = 7


RECORDS = st.builds(
    Record,
    name=st.text(),
    number=st.sampled_from([0, 2, 4, 6, 8, 10]),
    color=st.sampled_from(["red", "blue"]),
    period=st.none() | st.integers(60, 10**9),
    tags=st.lists(st.from_regex(r"[a-z]{1,5}", fullmatch=True)).map(tuple),
    on=st.booleans(),
    password=st.text().map(SecretStr),
)


def test_every_fault_is_told_at_once_and_no_value():
    with pytest.raises(CallerError) as refused:
        parse(declared(Record), {"number": "11", "color": "gr33n", "period": "5s", "password": ["p4ss"], "on": "si"})
    assert refused.value.status == 400
    for part in ("name is missing", "number must be at most 10", "color must be one of red, blue", "period must be at"):
        assert part in refused.value.sentence
    assert "password must be a string" in refused.value.sentence
    for value in ("gr33n", "p4ss"):
        assert value not in refused.value.sentence


def test_a_check_of_its_own_completes_the_sentence():
    with pytest.raises(CallerError, match="number must be even"):
        parse(declared(Record), {"name": "x", "number": 3})


def test_defaults_are_filled_in_null_is_not_given_and_absent_is_left_out():
    fields = {"a": Field(TEXT, "A.", default="x"), "b": Field(TEXT, "B.", default=ABSENT), "c": Field(TEXT, "C.")}
    assert parse(fields, {"a": None, "c": "y", "zzz": 1}) == ({"a": "x", "c": "y"}, ["zzz"])


def test_in_a_patch_nothing_is_demanded_or_filled_in_and_null_takes_a_value_away():
    fields = fields_of(Record) | {"needed": Field(TEXT, "Needed."), "free": Field(TEXT, "Free.", default=ABSENT)}
    assert parse(fields, {}, patch=True) == ({}, [])
    assert parse(fields, {"number": "4", "odd": 1}, patch=True) == ({"number": 4}, ["odd"])
    given = {"number": None, "period": None, "tags": None, "free": None}
    assert parse(fields, given, patch=True)[0] == {"number": 2, "period": None, "tags": (), "free": None}
    with pytest.raises(CallerError, match="name cannot be taken away; needed cannot be taken away"):
        parse(fields, {"name": None, "needed": None}, patch=True)


def test_as_fields_of_a_path_nothing_is_demanded_for_the_record_may_exist():
    assert parse(fields_of(Record), {}) == ({}, [])
    assert (
        set(fields_of(Record))
        == set(declared(Record))
        == {item.name for item in dataclasses.fields(Record)} - {"inner"}
    )


def test_building_needs_what_has_no_default_and_changing_keeps_what_was_not_given():
    with pytest.raises(CallerError, match="name is missing"):
        build(Record, {"number": 4})
    known = build(Record, {"name": "x", "number": 4, "password": SecretStr("p")})
    assert known.number == 4
    changed = build(Record, {"color": "blue"}, known)
    assert (changed.name, changed.number, changed.color, changed.password) == ("x", 4, "blue", SecretStr("p"))


def test_what_is_set_once_may_be_repeated_but_not_changed():
    known = build(Record, {"name": "x"})
    assert build(Record, {"name": "x"}, known) == known
    with pytest.raises(CallerError, match="name cannot be changed"):
        build(Record, {"name": "y"}, known)


@given(RECORDS)
def test_a_stored_record_reads_back_whole(record):
    assert from_stored(Record, to_stored(record)) == record


@given(RECORDS)
def test_a_read_answers_everything_but_secrets_and_what_is_not_set(record):
    data = read_back(record)
    assert "password" not in data
    assert ("period" in data) is (record.period is not None)
    values, unknown = parse(fields_of(Record), data)
    assert unknown == []
    assert build(Record, values | {"password": record.password}) == record


def test_a_stored_field_that_is_not_known_is_left_out_and_a_bad_one_told():
    assert from_stored(Record, {"name": "x", "later": 1}).name == "x"
    with pytest.raises(ValueError, match="must be a whole number"):
        from_stored(Record, {"name": "x", "number": "many"})


def test_an_unknown_name_is_not_repeated_at_any_length():
    assert len(unknown_field("x" * 1_000_000, {"password": Field(TEXT, "It.")})) < 200


def test_an_unknown_field_is_told_with_the_nearest_known_one():
    assert unknown_field("pasword", declared(Record)) == "unknown field 'pasword'; did you mean 'password'?"
    assert unknown_field("qqq", declared(Record)) == "unknown field 'qqq'"
