"""A plugin's process, from the listening socket to its exit."""

import asyncio
import logging
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from vault_plugin_sdk.wire.backend_service import BackendService
from vault_plugin_sdk.wire.broker import Broker
from vault_plugin_sdk.wire.grpclib_transport import Channel, start_server
from vault_plugin_sdk.wire.handshake import HandshakeError, Invitation, handshake_line
from vault_plugin_sdk.wire.log import send_stdout_to_stderr
from vault_plugin_sdk.wire.methods import Inbound, Metadata, Methods, Unary
from vault_plugin_sdk.wire.ownership import Ownership
from vault_plugin_sdk.wire.proto import go_plugin_pb2 as go_plugin
from vault_plugin_sdk.wire.tls import client_context, make_key_pair, server_context

if TYPE_CHECKING:
    # Its import waits for the author's factory, which comes after the handshake.
    from vault_plugin_sdk.framework.backend import Backend

_log = logging.getLogger(__name__)

_HEALTH_SERVING = 1
_LOOK_FOR_OWNER_SECONDS = 1.0
_STDOUT = 1


async def run(backend_factory: "Callable[[], Backend]", version: str, invitation: Invitation) -> NoReturn:
    """Serve until the host says Shutdown, or until there is no host.

    Args:
        backend_factory: Makes the Backend of a mount.
        version: The plugin's semantic version.
        invitation: What the host asked for.

    Raises:
        HandshakeError: The host's certificate cannot be read, the socket cannot be made, or nobody reads the line.
    """
    asyncio.get_running_loop().set_exception_handler(_log_fault)
    pair = make_key_pair()
    try:
        for_host = server_context(pair, invitation.host_certificate)
        for_broker = client_context(pair, invitation.host_certificate)
    except (OSError, ValueError) as exc:
        raise HandshakeError(f"the server's certificate (PLUGIN_CLIENT_CERT) cannot be read: {exc}") from exc
    broker = Broker(lambda path: Channel(path, for_broker))
    try:
        directory = Path(tempfile.mkdtemp(prefix="vault-plugin-"))  # mode 0700: the socket is nobody else's
    except OSError as exc:
        raise HandshakeError("there is no folder for the socket: set TMPDIR to one that can be written") from exc
    leave = partial(_leave, directory)
    try:
        socket = directory / "socket"
        backends = BackendService(backend_factory, broker)
        methods = _methods(broker, backends, version, leave)
        await start_server(methods, socket, for_host)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave)
        ownership = Ownership(os.getppid(), time.monotonic())
        os.write(_STDOUT, handshake_line(str(socket), pair.certificate_der).encode())
    except OSError as exc:
        shutil.rmtree(directory, ignore_errors=True)
        raise HandshakeError(f"the plugin cannot listen at {socket}: {exc}") from exc
    send_stdout_to_stderr()
    while True:
        reason = ownership.reason_to_leave(
            time.monotonic(), os.getppid(), connected=broker.streams > 0, mounted=backends.mounted
        )
        if reason:
            _log.warning(reason)
            leave()
        await asyncio.sleep(_LOOK_FOR_OWNER_SECONDS)


def _log_fault(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The loop's own words would hold the text of the exception."""
    _log.error("%s", context["message"], exc_info=context.get("exception"))


def _leave(directory: Path) -> NoReturn:
    """End now: while this process lingers, requests for its other mounts fail in the server."""
    shutil.rmtree(directory, ignore_errors=True)
    os._exit(0)


def _methods(broker: Broker, backends: BackendService, version: str, leave: Callable[[], NoReturn]) -> Methods:
    nothing = go_plugin.Nothing

    async def announcements(messages: AsyncIterator[go_plugin.ConnInfo]) -> None:
        await broker.listen(messages)

    async def stdio(_: AsyncIterator[Any]) -> None:
        """Ends at once: what is printed goes to the log instead."""

    async def shutdown(_: go_plugin.Nothing, __: Metadata) -> go_plugin.Nothing:
        return nothing()

    async def health(_: go_plugin.HealthCheckRequest, __: Metadata) -> go_plugin.HealthCheckResponse:
        return go_plugin.HealthCheckResponse(status=_HEALTH_SERVING)

    async def multiplexing(_: go_plugin.Nothing, __: Metadata) -> go_plugin.MultiplexingSupportResponse:
        return go_plugin.MultiplexingSupportResponse(supported=True)

    async def plugin_version(_: go_plugin.Nothing, __: Metadata) -> go_plugin.VersionReply:
        return go_plugin.VersionReply(plugin_version=f"v{version.removeprefix('v')}")

    return {
        "/plugin.GRPCBroker/StartStream": Inbound(announcements, go_plugin.ConnInfo, go_plugin.ConnInfo),
        "/plugin.GRPCStdio/StreamStdio": Inbound(stdio, nothing, nothing),
        "/plugin.GRPCController/Shutdown": Unary(shutdown, nothing, nothing, after_reply=leave),
        "/grpc.health.v1.Health/Check": Unary(health, go_plugin.HealthCheckRequest, go_plugin.HealthCheckResponse),
        "/pluginutil.multiplexing.PluginMultiplexing/MultiplexingSupport": Unary(
            multiplexing, nothing, go_plugin.MultiplexingSupportResponse
        ),
        "/logical.PluginVersion/Version": Unary(plugin_version, nothing, go_plugin.VersionReply),
        **backends.methods(),
    }
