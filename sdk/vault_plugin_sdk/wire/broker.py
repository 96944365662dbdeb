"""The broker: the host announces service ids on one stream, and a mount opens the connection behind its own id."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

from google.protobuf.message import Message

from vault_plugin_sdk.wire.methods import RemoteMethod, RpcError, Status
from vault_plugin_sdk.wire.proto.go_plugin_pb2 import ConnInfo


class Connection(Protocol):
    """A connection to services of the host; see `grpclib_transport.Channel`."""

    async def call(self, method: RemoteMethod, request: Message) -> Any:
        """Make one call; raises `RpcError`."""

    def close(self) -> None:
        """Close it."""


class Broker:
    """Where each service id can be reached.

    Args:
        open_connection: Makes a connection to a unix socket of the host.
        patience_seconds: How long an id may be asked for before the host announces it.

    Attributes:
        streams: How many streams of announcements are open: 0 means that no host is there.
    """

    def __init__(self, open_connection: Callable[[str], Connection], patience_seconds: float = 5) -> None:
        self._open_connection = open_connection
        self._patience_seconds = patience_seconds
        self._announced: dict[int, asyncio.Future[ConnInfo]] = {}
        self.streams = 0

    async def listen(self, announcements: AsyncIterator[ConnInfo]) -> None:
        """Take announcements until the host closes the stream or goes away."""
        self.streams += 1
        try:
            async for info in announcements:
                if not info.HasField("knock"):
                    self._announce(info)
        finally:
            self.streams -= 1

    async def connect(self, service_id: int) -> Connection:
        """The connection behind a service id, which may be announced before or after this call.

        Args:
            service_id: The id, as `Setup` names it; each is used once.

        Returns:
            The connection; it opens with its first call.

        Raises:
            RpcError: The id was not announced in time, or at an address that is no unix socket.
        """
        place = self._place(service_id)
        try:
            async with asyncio.timeout(self._patience_seconds):
                info = await asyncio.shield(place)
        except TimeoutError as exc:
            raise RpcError(Status.UNAVAILABLE, "the server announced no connection for its storage") from exc
        finally:
            self._announced.pop(service_id, None)
        if info.network != "unix":
            raise RpcError(
                Status.UNAVAILABLE, f"the server offers its storage over {info.network!r}, not a unix socket"
            )
        return self._open_connection(info.address)

    def _announce(self, info: ConnInfo) -> None:
        place = self._place(info.service_id)
        if not place.done():
            place.set_result(info)

    def _place(self, service_id: int) -> asyncio.Future[ConnInfo]:
        return self._announced.setdefault(service_id, asyncio.get_running_loop().create_future())
