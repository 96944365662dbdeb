"""Protobuf ↔ logical: the rules that the server enforces with a 500."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, EngineError, InternalError, OperatorError, TransientError
from vault_plugin_sdk.logical.request import Operation
from vault_plugin_sdk.logical.response import LeaseGrant, Response
from vault_plugin_sdk.wire import convert
from vault_plugin_sdk.wire.proto import backend_pb2 as pb

ISSUED = datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=UTC)
MEBIBYTE = 1024 * 1024
GRANT = LeaseGrant(ttl_seconds=60, max_ttl_seconds=600, issued=ISSUED, internal_data={})
LEASE_ENDING = {7, 10, 5, 6}  # error types after which the server never tries a revocation again


def raw(reply: pb.HandleRequestReply) -> tuple[int, object]:
    """Status and body of a raw reply."""
    data = json.loads(reply.response.data)
    assert data["http_content_type"] == "application/json"
    return data["http_status_code"], json.loads(base64.b64decode(data["http_raw_body"]))


@pytest.mark.parametrize("text", ["null", "", "{}"])
def test_no_data_is_an_empty_object(text):
    """`bao write -f` sends null, and so does every read."""
    assert convert.request_from_pb(pb.Request(data=text), Operation.UPDATE, MEBIBYTE).data == {}


@pytest.mark.parametrize("text", ["[]", "5", "{", '{"a":NaN}', '{"a":[-1e999]}', '"text"', "[" * 200_000, "1" * 6_000])
def test_anything_else_than_an_object_is_the_callers_mistake(text):
    with pytest.raises(CallerError, match="no JSON object"):
        convert.request_from_pb(pb.Request(data=text), Operation.UPDATE, MEBIBYTE)


def test_a_body_over_a_mebibyte_is_refused_before_it_is_parsed():
    kept = json.dumps({"x": "y" * (MEBIBYTE - 10)})
    assert convert.request_from_pb(pb.Request(data=kept), Operation.UPDATE, MEBIBYTE).data
    with pytest.raises(CallerError, match="larger than"):
        convert.request_from_pb(pb.Request(data="{" * (MEBIBYTE + 1)), Operation.UPDATE, MEBIBYTE)
    with pytest.raises(CallerError, match="larger than"):
        convert.request_from_pb(pb.Request(data="é" * (MEBIBYTE // 2 + 1)), Operation.UPDATE, MEBIBYTE)


def test_a_request_says_who_asked_and_where():
    message = pb.Request(
        id="r1",
        path="rotate/crm",
        display_name="userpass-alice",
        entity_id="e1",
        client_token="a salted hash",
        client_token_accessor="a1",
        mount_point="sf/",
        mount_accessor="m1",
        connection=pb.Connection(remote_addr="10.0.0.1"),
    )

    request = convert.request_from_pb(message, Operation.UPDATE, MEBIBYTE)

    caller = request.caller
    assert (caller.request_id, caller.display_name, caller.entity_id) == ("r1", "userpass-alice", "e1")
    assert (caller.accessor, caller.remote_address) == ("a1", "10.0.0.1")
    assert (request.path, request.mount_point, request.mount_accessor) == ("rotate/crm", "sf/", "m1")
    assert request.lease is None


def test_a_request_brings_the_headers_that_the_mount_lets_through_and_the_wish_to_wrap():
    message = pb.Request(wrap_info=pb.RequestWrapInfo(TTL=90 * 10**9))
    message.headers["X-Mine"].header.extend(["a", "b"])

    request = convert.request_from_pb(message, Operation.READ, MEBIBYTE)

    assert (request.headers, request.wrap_ttl_seconds) == ({"X-Mine": ("a", "b")}, 90)
    plain = convert.request_from_pb(pb.Request(), Operation.READ, MEBIBYTE)
    assert (plain.headers, plain.wrap_ttl_seconds) == ({}, 0)


@pytest.mark.parametrize("operation", [Operation.RENEW, Operation.REVOKE])
def test_a_lease_comes_with_its_internal_data_and_without_the_credential(operation):
    secret = pb.Secret(
        internal_data='{"serial":7}',
        lease_options=pb.LeaseOptions(
            TTL=60 * 10**9,
            MaxTTL=600 * 10**9,
            increment=30 * 10**9,
            issue_time=pb.Timestamp(seconds=5, nanos=10**9 // 2),
        ),
    )

    request = convert.request_from_pb(pb.Request(data='{"password":"pa55"}', secret=secret), operation, MEBIBYTE)

    assert request.data == {}
    assert request.lease.internal_data == {"serial": 7}
    assert (request.lease.ttl_seconds, request.lease.max_ttl_seconds, request.lease.increment_seconds) == (60, 600, 30)
    assert request.lease.issued == datetime(1970, 1, 1, 0, 0, 5, 500_000, tzinfo=UTC)


@pytest.mark.parametrize("internal", ["", "null", "[]"])
def test_a_lease_without_internal_data_is_still_a_lease(internal):
    request = convert.request_from_pb(pb.Request(secret=pb.Secret(internal_data=internal)), Operation.REVOKE, MEBIBYTE)

    assert request.lease.internal_data == {}
    assert request.lease.issued is None


@pytest.mark.parametrize("response", [None, Response()])
def test_nothing_to_say_leaves_the_response_unset(response):
    assert not convert.reply_to_pb(response).HasField("response")


@pytest.mark.parametrize(
    "response",
    [Response(data={}), Response(warnings=("careful",)), Response(lease=GRANT), Response(data={}, lease=GRANT)],
)
def test_json_texts_are_never_empty_and_the_issue_time_is_always_set(response):
    answer = convert.reply_to_pb(response).response

    assert json.loads(answer.data) in ({}, None)
    if response.lease:
        assert json.loads(answer.secret.internal_data) == {}
        assert answer.secret.lease_options.HasField("issue_time")


@given(
    ttl=st.floats(0.001, 10**8),
    issued=st.datetimes(timezones=st.just(UTC)),
    internal=st.dictionaries(st.text(), st.integers() | st.text() | st.none()),
    renewable=st.booleans(),
)
def test_a_lease_that_is_granted_comes_back_whole(ttl, issued, internal, renewable):
    grant = LeaseGrant(ttl, ttl * 2, issued, internal, renewable)

    secret = convert.reply_to_pb(Response(lease=grant)).response.secret
    back = convert.request_from_pb(pb.Request(secret=secret), Operation.RENEW, MEBIBYTE).lease

    assert secret.lease_options.renewable == renewable
    assert (back.issued, back.internal_data) == (issued, internal)
    assert back.ttl_seconds == pytest.approx(ttl)
    assert back.max_ttl_seconds == pytest.approx(ttl * 2)


def test_a_secret_is_revealed_only_in_the_answer():
    reply = convert.reply_to_pb(Response(data={"password": SecretStr("pa55"), "list": (SecretStr("t"),)}))

    assert json.loads(reply.response.data) == {"password": "pa55", "list": ["t"]}


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), b"bytes"])
def test_what_json_cannot_carry_is_our_mistake(value):
    with pytest.raises((TypeError, ValueError)):
        convert.reply_to_pb(Response(data={"value": value}))


def test_a_status_makes_a_raw_reply():
    assert raw(convert.reply_to_pb(Response(data={"state": "rotating"}, status=202))) == (202, {"state": "rotating"})


@pytest.mark.parametrize("status", [None, 202])
def test_headers_of_an_answer_are_passed_on(status):
    answer = convert.reply_to_pb(Response(data={}, status=status, headers={"X-Mine": ["a", "b"]})).response

    assert {name: list(values.header) for name, values in answer.headers.items()} == {"X-Mine": ["a", "b"]}


def test_a_wish_to_wrap_comes_with_a_creation_time_without_which_the_server_refuses_the_answer():
    wrap = convert.reply_to_pb(Response(data={}, wrap_ttl_seconds=90)).response.wrap_info

    assert wrap.TTL == 90 * 10**9
    assert wrap.HasField("creation_time")
    assert not convert.reply_to_pb(Response(data={})).response.HasField("wrap_info")


@pytest.mark.parametrize("operation", [Operation.READ, Operation.UPDATE, Operation.LIST, Operation.DELETE, None])
def test_errors_of_requests_carry_their_fields(operation):
    error = TransientError("busy", status=429, code="slots_full", remedy="ask again", retry_after_seconds=3)

    assert raw(convert.error_to_pb(error, operation)) == (
        429,
        {"errors": ["busy; ask again"], "code": "slots_full", "remedy": "ask again", "retry_after_seconds": 3},
    )


@pytest.mark.parametrize(
    ("errors", "shown"),
    [(["It is locked."], ["It is locked. unlock it"]), ([], []), (["a", "b"], ["a", "b"]), ([1], [1]), ("a", "a")],
)
def test_what_to_do_is_in_the_one_sentence_that_a_command_line_shows(errors, shown):
    reply = convert.reply_to_pb(Response(data={"errors": errors, "remedy": "unlock it"}, status=424))
    assert raw(reply) == (424, {"errors": shown, "remedy": "unlock it"})


@pytest.mark.parametrize("operation", [Operation.RENEW, Operation.REVOKE, Operation.HELP, Operation.ROLLBACK])
@pytest.mark.parametrize("error", [CallerError("a"), OperatorError("b"), TransientError("c"), InternalError("d")])
def test_errors_without_a_body_are_the_protocols_own_and_never_final(operation, error: EngineError):
    reply = convert.error_to_pb(error, operation)

    assert not reply.HasField("response")
    assert reply.err.err_type not in LEASE_ENDING
    assert (reply.err.err_msg, reply.err.err_code) == (error.sentence, error.status)


def test_the_forward_error_is_of_the_type_whose_text_is_looked_at():
    error = convert.forward_to_active()

    assert error.err_type == 0
    assert "please forward to the active node" in error.err_msg


@pytest.mark.parametrize("word", ["resolve-role", "READ", "", "alias-lookahead"])
def test_an_operation_of_a_newer_server_is_not_taken_for_another(word):
    assert convert.operation_of(pb.Request(operation=word)) is None
