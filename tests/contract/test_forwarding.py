"""The claims of a forwarded request."""

import hashlib
import json
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault_plugin_sdk.logical.request import Caller, Operation
from vault_salesforce_contract.forwarding import (
    LIFETIME_SECONDS,
    MAX_PATH_BYTES,
    MAX_WORD,
    METHODS,
    Claims,
    body_digest,
)

CLAIMS = st.builds(
    Claims,
    iss=st.text(),
    aud=st.text(),
    jti=st.text(),
    iat=st.integers(),
    exp=st.integers(),
    operation=st.sampled_from(sorted(METHODS)),
    path=st.text(),
    digest=st.text(),
    caller=st.builds(Caller, *[st.text(max_size=MAX_WORD)] * 5),
)


@given(CLAIMS)
def test_claims_come_through_json_as_they_are(claims):
    assert Claims.from_payload(json.loads(json.dumps(claims.to_payload()))) == claims


def test_what_a_caller_chooses_freely_makes_no_claims_that_a_web_server_would_refuse():
    caller = Caller("id", "\U0001f600" * 5000, "e" * 5000, "a" * 5000, "r" * 5000)
    payload = Claims("a", "b", "c", 1, 2, Operation.READ, "\0" * (MAX_PATH_BYTES // 3), "d" * 64, caller).to_payload()
    assert len(b64encode(json.dumps(payload).encode())) < 20 * 1024
    assert payload["caller"]["display_name"] == "\U0001f600" * MAX_WORD


@pytest.mark.parametrize(
    "fault", [{"operation": "steal"}, {"iat": "soon"}, {"caller": 7}, {"caller": None}, {"aud": ...}]
)
def test_a_payload_of_another_shape_is_told(fault):
    payload = Claims("a", "b", "c", 1, 2, Operation.READ, "p", "d", Caller()).to_payload() | fault
    payload = {name: value for name, value in payload.items() if value is not ...}
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        Claims.from_payload(payload)


def test_a_caller_of_a_later_release_is_read_as_far_as_it_is_known():
    payload = Claims("a", "b", "c", 1, 2, Operation.READ, "p", "d", Caller("id")).to_payload()
    payload["caller"] = {"request_id": "id", "later": "x"}
    assert Claims.from_payload(payload).caller == Caller("id")


def test_the_digest_is_over_the_bytes_as_sent():
    assert body_digest(b"{}") == hashlib.sha256(b"{}").hexdigest()
    assert body_digest(b"{ }") != body_digest(b"{}")


def test_only_what_changes_nothing_is_a_get():
    assert {operation for operation, method in METHODS.items() if method == "GET"} == {Operation.READ, Operation.LIST}


def test_a_signature_outlives_the_longest_request_and_not_much_more():
    longest_seconds = 20
    assert longest_seconds < LIFETIME_SECONDS <= 2 * longest_seconds
