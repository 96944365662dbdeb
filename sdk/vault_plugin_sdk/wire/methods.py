"""The method table: gRPC path → handler, request type, reply type. It knows no transport.

A transport looks a path up here, decodes the request, awaits the handler and encodes the reply; whatever a transport
needs to know of a method stands in its row.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from google.protobuf.message import Message

Metadata = Mapping[str, str]
"""Headers of a call, names in lower case."""


class Status(IntEnum):
    """gRPC status codes that are used here."""

    UNKNOWN = 2
    DEADLINE_EXCEEDED = 4
    FAILED_PRECONDITION = 9
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14


class RpcError(Exception):
    """A call that ended with a gRPC status instead of a reply, at either end.

    Args:
        status: The status.
        message: One sentence without secrets; the host may show it to a client.
    """

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Unary:
    """One request, one reply.

    Attributes:
        handler: Awaited with the decoded request and the call's metadata.
        request_type: Class of the request.
        reply_type: Class of the reply.
        after_reply: Called once the reply has been handed to the socket, in the same turn of the event loop.
    """

    handler: Callable[[Any, Metadata], Awaitable[Message]]
    request_type: type[Message]
    reply_type: type[Message]
    after_reply: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Inbound:
    """A stream of which only the host's half is used; our headers go out at once.

    Attributes:
        handler: Awaited with the host's messages; the stream ends when it returns.
        request_type: Class of the host's messages.
        reply_type: Class of ours, of which none is sent.
    """

    handler: Callable[[AsyncIterator[Any]], Awaitable[None]]
    request_type: type[Message]
    reply_type: type[Message]


Methods = Mapping[str, Unary | Inbound]
"""gRPC path, with its leading slash, to the row."""


@dataclass(frozen=True, slots=True)
class RemoteMethod:
    """A method of the other side.

    Attributes:
        path: gRPC path.
        request_type: Class of the request.
        reply_type: Class of the reply.
    """

    path: str
    request_type: type[Message]
    reply_type: type[Message]
