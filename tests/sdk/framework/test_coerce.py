"""Vault's coercions."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault_plugin_sdk.framework.coerce import MAX_SECONDS, Kind, coerce, json_object, jsonable
from vault_plugin_sdk.framework.secretstr import SecretStr

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes().map(str)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)
KINDS = st.sampled_from(Kind)


def attempt(kind, value):
    """The coerced value or the fault."""
    try:
        return coerce(kind, value), None
    except ValueError as fault:
        return None, fault


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        (Kind.TEXT, "x", "x"),
        (Kind.TEXT, 64.0, "64.0"),
        (Kind.TEXT, 7, "7"),
        (Kind.SECRET, "x", SecretStr("x")),
        (Kind.BOOLEAN, True, True),
        (Kind.BOOLEAN, "TRUE", True),
        (Kind.BOOLEAN, "0", False),
        (Kind.BOOLEAN, 1, True),
        (Kind.INTEGER, "-12", -12),
        (Kind.INTEGER, 12, 12),
        (Kind.DURATION, "24h", 86_400),
        (Kind.DURATION, "1h30m", 5400),
        (Kind.DURATION, "2d", 172_800),
        (Kind.DURATION, "1500ms", 1),
        (Kind.DURATION, "90", 90),
        (Kind.DURATION, 0, 0),
        (Kind.LIST, "a, b,,c ", ("a", "b", "c")),
        (Kind.LIST, ["a", "b"], ("a", "b")),
        (Kind.LIST, "", ()),
        (Kind.LIST, [1, "b", ""], ("1", "b")),
        (Kind.INTEGERS, "1, 2,-3", (1, 2, -3)),
        (Kind.INTEGERS, [1, "2"], (1, 2)),
        (Kind.INTEGERS, 7, (7,)),
        (Kind.INTEGERS, "", ()),
        (Kind.LOWERCASE, "Alice@Example.COM", "alice@example.com"),
        (Kind.FLOAT, "1.5", 1.5),
        (Kind.FLOAT, 2, 2.0),
        (Kind.FLOAT, "-1e3", -1000.0),
        (Kind.SIGNED_DURATION, "-1h30m", -5400),
        (Kind.SIGNED_DURATION, -90, -90),
        (Kind.SIGNED_DURATION, "24h", 86_400),
        (Kind.PAIRS, {"a": "b", "n": 1}, {"a": "b", "n": "1"}),
        (Kind.PAIRS, ["a=b=c", "d="], {"a": "b=c", "d": ""}),
        (Kind.PAIRS, "a=b", {"a": "b"}),
        (Kind.PAIRS, {}, {}),
        (Kind.MAP, {"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
        (Kind.MAP, '{"a": 1}', {"a": 1}),
        (Kind.TIME, 1_893_456_000, datetime(2030, 1, 1, tzinfo=UTC)),
        (Kind.TIME, "1893456000", datetime(2030, 1, 1, tzinfo=UTC)),
        (Kind.TIME, "2030-01-31T09:00:00Z", datetime(2030, 1, 31, 9, tzinfo=UTC)),
        (Kind.TIME, "2030-01-31T10:00:00+01:00", datetime(2030, 1, 31, 9, tzinfo=UTC)),
    ],
)
def test_a_client_may_write_it_so(kind, given, expected):
    assert coerce(kind, given) == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.TEXT, True),
        (Kind.TEXT, ["x"]),
        (Kind.TEXT, "half a character \ud800"),
        (Kind.SECRET, {"x": 1}),
        (Kind.BOOLEAN, "yes"),
        (Kind.BOOLEAN, 2),
        (Kind.BOOLEAN, 1.5),
        (Kind.INTEGER, True),
        (Kind.INTEGER, "1.5"),
        (Kind.INTEGER, 1.5),
        (Kind.INTEGER, "1" * 19),
        (Kind.INTEGER, "٣"),
        (Kind.DURATION, "1w"),
        (Kind.DURATION, "-1h"),
        (Kind.DURATION, -1),
        (Kind.DURATION, 1.5),
        (Kind.DURATION, ""),
        (Kind.DURATION, True),
        (Kind.DURATION, "9" * 400 + "h"),
        (Kind.DURATION, MAX_SECONDS + 1),
        (Kind.LIST, [[1]]),
        (Kind.LIST, [True]),
        (Kind.LIST, 1),
        (Kind.INTEGERS, "1,x"),
        (Kind.INTEGERS, [1.5]),
        (Kind.INTEGERS, True),
        (Kind.LOWERCASE, True),
        (Kind.FLOAT, "nan"),
        (Kind.FLOAT, float("inf")),
        (Kind.FLOAT, "1e999"),
        (Kind.FLOAT, ""),
        (Kind.FLOAT, False),
        (Kind.SIGNED_DURATION, "--1h"),
        (Kind.SIGNED_DURATION, "-"),
        (Kind.SIGNED_DURATION, False),
        (Kind.PAIRS, ["a"]),
        (Kind.PAIRS, ["=b"]),
        (Kind.PAIRS, {"": "b"}),
        (Kind.PAIRS, {"a": {"b": 1}}),
        (Kind.PAIRS, [["a", "b"]]),
        (Kind.PAIRS, 5),
        (Kind.MAP, [1]),
        (Kind.MAP, "[1]"),
        (Kind.MAP, "{"),
        (Kind.MAP, '{"a": NaN}'),
        (Kind.MAP, '{"a": 1e999}'),
        (Kind.MAP, {"a": "\ud800"}),
        (Kind.MAP, "[" * 100_000),
        (Kind.LIST, {"a": "b"}),
        (Kind.LIST, ["\ud800"]),
        (Kind.TIME, "2030-01-31T09:00:00"),
        (Kind.TIME, "2030-01-31"),
        (Kind.TIME, 20_300_131),
        (Kind.TIME, "20300131"),
        (Kind.TIME, "20300131090000"),
        (Kind.TIME, True),
        (Kind.TIME, 10**18),
        (Kind.TIME, "0001-01-01T00:00:00+05:00"),
        (Kind.TIME, "2030-01-31T09:00:00Z\0"),
        (Kind.TIME, "2030-01-31\x0009:00:00Z"),
    ],
)
def test_anything_else_is_refused(kind, value):
    with pytest.raises(ValueError, match=r"must be|is longer"):
        coerce(kind, value)


@given(KINDS, JSON)
def test_whatever_a_client_sends_is_coerced_or_refused_and_nothing_else_happens(kind, value):
    coerced, fault = attempt(kind, value)
    assert (coerced is None) is (fault is not None)


@given(st.sampled_from([kind for kind in Kind if kind is not Kind.SECRET]), JSON)
def test_what_is_read_back_can_be_written_again(kind, value):
    coerced, fault = attempt(kind, value)
    if fault is None:
        assert coerce(kind, json.loads(json.dumps(jsonable(coerced)))) == coerced


@given(KINDS, st.text(min_size=4))
def test_a_fault_repeats_nothing_of_the_value(kind, value):
    _, fault = attempt(kind, f"§{value}§")
    assert "§" not in str(fault)


def test_a_secret_has_no_json_form():
    with pytest.raises(TypeError):
        jsonable(SecretStr("x"))


@given(st.text() | st.dictionaries(st.text(), JSON).map(json.dumps))
def test_what_is_read_as_an_object_can_be_written_again(text):
    found = json_object(text)  # of what Python writes some is no JSON
    assert found is None or json_object(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", '"a"', "1", "{", '{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', b'{"a": "\xff"}'),
        *('{"a": ' * 65 + "1" + "}" * 65, '{"a": ' + "[" * 64 + "]" * 64 + "}", '{"a": ' + "[" * 100_000),
    ],
)
def test_anything_else_is_none(text):
    assert json_object(text) is None


def test_an_object_may_be_as_deep_as_anybodys():
    assert json_object('{"a": ' * 64 + "1" + "}" * 64) is not None
    assert json_object(b'{"a": [[[{}]]]}') == {"a": [[[{}]]]}
