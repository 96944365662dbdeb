"""The method table on grpclib, in both roles: server for the host, client of the connections that the broker opens."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpclib.const
from google.protobuf.message import DecodeError, Message
from grpclib.client import Channel as GrpclibChannel
from grpclib.client import UnaryUnaryMethod
from grpclib.config import Configuration
from grpclib.encoding.proto import ProtoCodec
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from grpclib.protocol import H2Protocol
from grpclib.server import Server, Stream
from h2.settings import SettingCodes

from vault_plugin_sdk.wire.methods import Inbound, Methods, RemoteMethod, RpcError, Status, Unary
from vault_plugin_sdk.wire.tls import SERVER_NAME

_log = logging.getLogger(__name__)

# The host sends bodies of any size its listener lets pass; small windows would cost a round trip for every 64 KiB.
_CONFIG = Configuration(
    http2_connection_window_size=32 * 2**20,
    http2_stream_window_size=8 * 2**20,
    ssl_target_name_override=SERVER_NAME,
)

# All mounts share one connection. A call that waits for another service must not keep a read from starting.
MAX_CALLS_AT_A_TIME = 1000


class _Protocol(H2Protocol):
    """grpclib's connection, with room for more calls than the 100 that h2 offers and grpclib cannot change."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        h2_connection = self.connection._connection  # noqa: SLF001 - there is no other way in
        h2_connection.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: MAX_CALLS_AT_A_TIME})
        self.connection.flush()


class _Table(dict[str, grpclib.const.Handler]):
    """The method table in the form that grpclib's server looks into."""

    def __init__(self, methods: Methods) -> None:
        super().__init__({path: _to_grpclib(path, method) for path, method in methods.items()})

    def get(self, path: str, default: Any = None) -> Any:
        """A row for every path: grpclib's own refusal lacks a header, and a Go client then reads UNKNOWN in it."""
        return super().get(path) or _NOT_OFFERED


class _Server(Server):
    """grpclib's server on such connections."""

    def __init__(self, methods: Methods) -> None:
        super().__init__([], codec=ProtoCodec(), config=_CONFIG)
        self._mapping = _Table(methods)

    def _protocol_factory(self) -> H2Protocol:
        plain = super()._protocol_factory()
        return _Protocol(plain.handler, plain.config, plain.h2_config)


async def start_server(methods: Methods, path: Path, context: ssl.SSLContext) -> Server:
    """Listen on a unix socket.

    Args:
        methods: What is served; a call of another path is UNIMPLEMENTED.
        path: Socket to make; its folder is private.
        context: TLS for the connections.

    Returns:
        The listening server. A call whose client goes away is cancelled.

    Raises:
        OSError: The socket cannot be made.
    """
    server = _Server(methods)
    await server.start(path=str(path), ssl=context)
    return server


class Channel:
    """A connection to a service of the host, opened with the first call and kept.

    Args:
        path: The host's unix socket.
        context: TLS for the connection.
    """

    def __init__(self, path: str, context: ssl.SSLContext) -> None:
        self._channel = GrpclibChannel(path=path, ssl=context, codec=ProtoCodec(), config=_CONFIG)
        self._calls: dict[str, UnaryUnaryMethod[Any, Any]] = {}

    async def call(self, method: RemoteMethod, request: Message) -> Any:
        """Make one call.

        Args:
            method: What to call.
            request: A message of the method's request type.

        Returns:
            A message of the method's reply type.

        Raises:
            RpcError: The host refused, or cannot be reached (`Status.UNAVAILABLE`).
        """
        call = self._calls.get(method.path)
        if call is None:
            call = UnaryUnaryMethod(self._channel, method.path, method.request_type, method.reply_type)
            self._calls[method.path] = call
        try:
            return await call(request)
        except GRPCError as exc:
            raise RpcError(_status(exc.status), exc.message or exc.status.name) from exc
        except (OSError, StreamTerminatedError, ProtocolError, AssertionError) as exc:
            # An AssertionError is how grpclib says that the connection broke in the middle of a message.
            raise RpcError(Status.UNAVAILABLE, f"the server cannot be reached: {type(exc).__name__}") from exc

    def close(self) -> None:
        """Close the connection; a later call would open another."""
        self._channel.close()


def _status(status: grpclib.const.Status) -> Status:
    try:
        return Status(status.value)
    except ValueError:
        return Status.UNKNOWN


def _to_grpclib(path: str, method: Unary | Inbound) -> grpclib.const.Handler:
    if isinstance(method, Unary):
        handle, cardinality = _unary(path, method), grpclib.const.Cardinality.UNARY_UNARY
    else:
        handle, cardinality = _inbound(method), grpclib.const.Cardinality.STREAM_STREAM
    return grpclib.const.Handler(handle, cardinality, method.request_type, method.reply_type)


def _unary(path: str, method: Unary) -> Callable[[Stream[Any, Any]], Awaitable[None]]:
    async def handle(stream: Stream[Any, Any]) -> None:
        try:
            request = await stream.recv_message()
            metadata = {name: value for name, value in (stream.metadata or {}).items() if isinstance(value, str)}
            reply = await method.handler(request, metadata)
        except RpcError as exc:
            raise GRPCError(grpclib.const.Status(exc.status), exc.message) from exc
        except (DecodeError, NotImplementedError) as exc:  # the latter is grpclib's word for a compressed message
            raise GRPCError(grpclib.const.Status.UNIMPLEMENTED, "the message cannot be read") from exc
        except Exception as exc:
            _log.exception("a handler of the wire failed", extra={"method": path})
            raise GRPCError(grpclib.const.Status.INTERNAL, "internal error; the plugin's log has it") from exc
        await stream.send_message(reply)
        await stream.send_trailing_metadata()
        if method.after_reply is not None:
            method.after_reply()

    return handle


def _inbound(method: Inbound) -> Callable[[Stream[Any, Any]], Awaitable[None]]:
    async def handle(stream: Stream[Any, Any]) -> None:
        await stream.send_initial_metadata()
        await method.handler(stream)

    return handle


async def _not_offered(_: Stream[Any, Any]) -> None:
    raise GRPCError(grpclib.const.Status.UNIMPLEMENTED, "there is no such method")


_NOT_OFFERED = grpclib.const.Handler(_not_offered, grpclib.const.Cardinality.UNARY_UNARY, Message, Message)
