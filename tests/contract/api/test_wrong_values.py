"""The table of paths against whatever a client may send, in memory: an argument of the right type, or one sentence."""

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wrong_requests import wrong_fields, wrong_values

from vault_plugin_sdk.framework.coerce import Kind
from vault_plugin_sdk.framework.path import Path, Router
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError
from vault_plugin_sdk.logical.request import Operation, Request
from vault_salesforce_contract import api

SECRET = "Planted-1-secret"
LONGEST_SENTENCE = 2000  # ten unknown fields of a hundred characters, and the nearest names
TYPES = {
    Kind.TEXT: str,
    Kind.SECRET: SecretStr,
    Kind.BOOLEAN: bool,
    Kind.INTEGER: int,
    Kind.DURATION: int,
    Kind.LIST: tuple,
    Kind.TIME: datetime,
}
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
FIELDS = [(description, name) for description in api.TABLE for name in description.fields]
OF_A_FIELD = pytest.mark.parametrize(
    ("description", "name"), FIELDS, ids=[f"{description.pattern}-{name}" for description, name in FIELDS]
)
ROUTER = Router(
    Path(
        description,
        dict.fromkeys(description.operations or Operation, lambda *_: None),
    )
    for description in api.TABLE
)


def asked(operation, path, data=None):
    """The match of a request, or the caller's error; anything else that is raised fails the test."""
    try:
        return ROUTER.resolve(Request(operation, path, data or {}))
    except CallerError as refusal:
        error = refusal
    assert error.status in (400, 404, 405)
    assert error.sentence.isprintable()
    assert len(error.sentence) < LONGEST_SENTENCE
    return error


def path_of(description):
    return description.pattern.replace("{", "").replace("}", "")


@OF_A_FIELD
def test_each_wrong_value_is_refused_by_the_fields_name(description, name):
    for what, value in wrong_values(description, name, description.fields[name], SECRET):
        error = asked(Operation.UPDATE, path_of(description), {name: value})
        if not isinstance(error, CallerError):
            # What only the record, or the machine, can tell is refused by the path's handler.
            assert name in ("ca_cert", "mailbox", "rotation_schedule", "allowed_hosts"), what
            continue
        assert error.status == 400
        assert f"{name} " in error.sentence
        assert SECRET not in error.sentence


@settings(max_examples=500, deadline=None)
@given(place=st.sampled_from(FIELDS), value=JSON)
def test_whatever_is_given_for_a_field_is_of_its_type_or_refused(place, value):
    description, name = place
    match = asked(Operation.UPDATE, path_of(description), {name: value})
    if isinstance(match, CallerError) or value is None:
        return
    found = match.arguments[name]
    assert isinstance(found, TYPES[description.fields[name].kind])
    assert not isinstance(found, bool) or description.fields[name].kind is Kind.BOOLEAN


@settings(max_examples=200, deadline=None)
@given(
    description=st.sampled_from(api.TABLE),
    operation=st.sampled_from(Operation),
    segment=st.text(max_size=140) | st.sampled_from(["..", ".", "a/b", "%2e", "x" * 129, "a\n"]),
    data=st.dictionaries(st.text(max_size=20), JSON, max_size=4),
)
def test_no_request_is_answered_otherwise_than_by_a_match_or_a_sentence(description, operation, segment, data):
    path = description.pattern.partition("{")[0] + segment
    match = asked(operation, path, data)
    if not isinstance(match, CallerError) and match.path.description.names and operation is not Operation.LIST:
        assert all(value.isascii() and "/" not in value for value in list(match.arguments.values())[:1])


@pytest.mark.parametrize("description", api.TABLE, ids=lambda description: description.pattern)
def test_a_misspelt_field_gets_the_nearest_name_and_its_value_is_not_repeated(description):
    for wrong in wrong_fields(description, path_of(description), {}, SECRET):
        assert SECRET not in wrong.mentions
    for name in description.fields:
        error = asked(Operation.UPDATE, path_of(description), {f"{name}s": SECRET})
        if description.tolerant:
            continue
        assert isinstance(error, CallerError)
        assert SECRET not in error.sentence
        assert f"did you mean {name!r}" in error.sentence or "is missing" in error.sentence
