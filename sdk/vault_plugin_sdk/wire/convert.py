"""Protobuf ↔ logical: requests, leases, answers and errors. Pure."""

import base64
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from vault_plugin_sdk.framework.coerce import finite
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, EngineError, ForwardToActive
from vault_plugin_sdk.logical.request import Caller, Lease, Operation, Request
from vault_plugin_sdk.logical.response import LeaseGrant, Response
from vault_plugin_sdk.wire.proto import backend_pb2 as pb

NANOSECONDS = 1_000_000_000

# ProtoError types. The others are not used: they lose their message, and 7 and 10 make a lease irrevocable.
UNKNOWN, INTERNAL, CODED, UNSUPPORTED_OPERATION = 0, 2, 3, 5

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OPERATIONS = {operation.value: operation for operation in Operation}
_LEASED = frozenset({Operation.RENEW, Operation.REVOKE})
# These are answered in the protocol's own way: nobody would show the body of a raw reply.
_WITHOUT_RAW_REPLY = _LEASED | {Operation.HELP, Operation.ROLLBACK}


def operation_of(message: pb.Request) -> Operation | None:
    """The operation, or None for one that is not known here: a newer server's, which is then "unsupported"."""
    return _OPERATIONS.get(message.operation)


def request_from_pb(message: pb.Request, operation: Operation, max_bytes: int) -> Request:
    """A request as a backend sees it.

    Args:
        message: As it came.
        operation: What `operation_of` found.
        max_bytes: The longest body.

    Returns:
        The request. Renewals and revocations carry no data: it would be the credential that was handed out.

    Raises:
        CallerError: The body is too long (told before it is parsed), or no JSON object.
    """
    leased = operation in _LEASED
    return Request(
        operation=operation,
        path=message.path,
        data={} if leased else _data(message.data, max_bytes),
        caller=Caller(
            request_id=message.id,
            display_name=message.display_name,
            entity_id=message.entity_id,
            accessor=message.client_token_accessor,
            remote_address=message.connection.remote_addr,
        ),
        lease=_lease(message.secret) if leased else None,
        mount_point=message.mount_point,
        mount_accessor=message.mount_accessor,
        headers={name: tuple(values.header) for name, values in message.headers.items()},
        wrap_ttl_seconds=message.wrap_info.TTL / NANOSECONDS,
    )


def reply_to_pb(response: Response | None) -> pb.HandleRequestReply:
    """An answer as the server takes it.

    Args:
        response: The answer; None, or one that says nothing, leaves it to the server (204 or 404).

    Returns:
        The reply. JSON texts are never empty in it: the server would answer 500.

    Raises:
        TypeError, ValueError: The data cannot be written as JSON.
    """
    if response is None or response == Response():
        return pb.HandleRequestReply()
    if response.status is None:
        reply = pb.HandleRequestReply(response=_answer(response))
    else:
        reply = _raw_reply(response.status, response.data)
    for name, values in response.headers.items():
        reply.response.headers[name].header.extend(values)
    return reply


def error_to_pb(error: EngineError, operation: Operation | None) -> pb.HandleRequestReply:
    """An error as the caller is to see it: a raw reply with fields, or the protocol's own where none can be shown.

    A coded error prints as "1 error occurred" and carries no fields, so ordinary requests do not use it.
    """
    if operation in _WITHOUT_RAW_REPLY:
        return pb.HandleRequestReply(err=coded(error))
    return _raw_reply(error.status, error.body())


def coded(error: EngineError) -> pb.ProtoError:
    """The protocol's own error with an HTTP status; of a revocation the server tries such a one again."""
    return pb.ProtoError(err_type=CODED, err_msg=error.sentence, err_code=error.status)


def forward_to_active() -> pb.ProtoError:
    """Asks the server to repeat the request on the active node: type 0 is the only one whose text it looks at."""
    return pb.ProtoError(err_type=UNKNOWN, err_msg=ForwardToActive.text)


def unsupported_operation() -> pb.HandleRequestReply:
    """Says "not this operation"; of `resolve-path` it means "the path as it was given"."""
    return pb.HandleRequestReply(err=pb.ProtoError(err_type=UNSUPPORTED_OPERATION, err_msg="unsupported operation"))


def _answer(response: Response) -> pb.Response:
    answer = pb.Response(data=json_text(response.data), warnings=response.warnings)
    if response.lease is not None:
        answer.secret.CopyFrom(_secret(response.lease))
    if response.wrap_ttl_seconds:
        # The server takes a creation time of its own, but refuses an answer without any.
        ttl = math.ceil(response.wrap_ttl_seconds * NANOSECONDS)
        answer.wrap_info.CopyFrom(pb.ResponseWrapInfo(TTL=ttl, creation_time=pb.Timestamp()))
    return answer


def _raw_reply(status: int, body: Mapping[str, Any] | None) -> pb.HandleRequestReply:
    body = body and _with_remedy(body)
    raw = {
        "http_status_code": status,
        "http_content_type": "application/json",
        "http_raw_body": base64.b64encode(b"" if body is None else json_text(body).encode()).decode(),
    }
    return pb.HandleRequestReply(response=pb.Response(data=json_text(raw)))


def _with_remedy(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The servers' command lines show of a body its `errors` alone: what to do is said there too."""
    match body:
        case {"errors": [str(sentence)], "remedy": str(remedy)}:
            return {**body, "errors": [f"{sentence}{'' if sentence.endswith('.') else ';'} {remedy}"]}
    return body


def _data(text: str, max_bytes: int) -> dict[str, Any]:
    if len(text.encode()) > max_bytes:
        raise CallerError(f"the request is larger than {max_bytes} bytes")
    try:
        data = json.loads(text or "null", parse_float=finite, parse_constant=finite)
    except (ValueError, RecursionError) as exc:
        raise CallerError("the request is no JSON object") from exc
    if data is not None and not isinstance(data, dict):
        raise CallerError("the request is no JSON object")
    return data or {}


def _lease(secret: pb.Secret) -> Lease:
    options = secret.lease_options
    internal = json.loads(secret.internal_data or "null")
    return Lease(
        internal_data=internal if isinstance(internal, dict) else {},
        ttl_seconds=options.TTL / NANOSECONDS,
        max_ttl_seconds=options.MaxTTL / NANOSECONDS,
        increment_seconds=options.increment / NANOSECONDS,
        issued=moment_of(options.issue_time) if options.HasField("issue_time") else None,
    )


def moment_of(stamp: pb.Timestamp) -> datetime:
    """The moment of a timestamp, to the microsecond."""
    return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)


def _secret(lease: LeaseGrant) -> pb.Secret:
    since = lease.issued - _EPOCH
    seconds, rest = divmod(since, timedelta(seconds=1))
    return pb.Secret(
        lease_options=pb.LeaseOptions(
            TTL=math.ceil(lease.ttl_seconds * NANOSECONDS),
            MaxTTL=math.ceil(lease.max_ttl_seconds * NANOSECONDS),
            renewable=lease.renewable,
            issue_time=pb.Timestamp(seconds=seconds, nanos=rest.microseconds * 1000),
        ),
        internal_data=json_text(lease.internal_data),
    )


def json_text(value: Mapping[str, Any] | None) -> str:
    """JSON as the server takes it, with the secrets in it. Raises: TypeError, ValueError where it cannot be written."""
    return json.dumps(value, default=_reveal, allow_nan=False, separators=(",", ":"))


def _reveal(value: object) -> object:
    """The wire is where a secret leaves for the one who asked for it."""
    match value:
        case SecretStr():
            return value.reveal()
        case Mapping():
            return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
