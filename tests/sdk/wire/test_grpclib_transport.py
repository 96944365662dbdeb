"""The method table on grpclib: statuses, large messages, and clients that go away."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from wire_host import certificate_pem

from vault_plugin_sdk.wire.grpclib_transport import Channel, start_server
from vault_plugin_sdk.wire.methods import RemoteMethod, RpcError, Status, Unary
from vault_plugin_sdk.wire.proto import backend_pb2 as pb
from vault_plugin_sdk.wire.tls import client_context, make_key_pair, server_context

HOST, PLUGIN = make_key_pair(ec.SECP521R1()), make_key_pair()


def remote(path: str) -> RemoteMethod:
    return RemoteMethod(path, pb.StorageGetArgs, pb.StorageGetReply)


def talk(handlers, scenario):
    """Serve `handlers` (path → handler) and run `scenario(channel, server)`."""

    async def both():
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "socket"
            table = {path: Unary(handler, pb.StorageGetArgs, pb.StorageGetReply) for path, handler in handlers.items()}
            server = await start_server(table, path, server_context(PLUGIN, certificate_pem(HOST.pem)))
            channel = Channel(str(path), client_context(HOST, certificate_pem(PLUGIN.pem)))
            try:
                return await asyncio.wait_for(scenario(channel, server), 20)
            finally:
                channel.close()
                server.close()
                await server.wait_closed()

    return asyncio.run(both())


async def echo(request, _):
    return pb.StorageGetReply(err=request.key)


def test_twenty_megabytes_pass_in_both_directions():
    async def scenario(channel, _):
        return await channel.call(remote("/a/echo"), pb.StorageGetArgs(key="x" * 20_000_000))

    assert len(talk({"/a/echo": echo}, scenario).err) == 20_000_000


def test_five_megabytes_fit_into_the_windows_that_both_ends_announce():
    """With the 64 KiB of the protocol's own defaults, a body would cost a round trip for each."""

    async def scenario(channel, _):
        await channel.call(remote("/a/echo"), pb.StorageGetArgs())
        connection = channel._channel._protocol.connection._connection
        settings = (connection.remote_settings, connection.local_settings)
        windows = [each.initial_window_size for each in settings]
        stream = connection.get_next_available_stream_id()
        connection.send_headers(stream, [(":method", "POST"), (":path", "/"), (":scheme", "http"), (":authority", "")])
        return [*windows, connection.local_flow_control_window(stream), connection.remote_flow_control_window(stream)]

    assert min(talk({"/a/echo": echo}, scenario)) > 5_000_000


def test_a_status_of_ours_reaches_the_other_side():
    async def refuse(*_):
        raise RpcError(Status.FAILED_PRECONDITION, "not set up")

    async def scenario(channel, _):
        await channel.call(remote("/a/refuse"), pb.StorageGetArgs())

    with pytest.raises(RpcError, match="not set up") as refused:
        talk({"/a/refuse": refuse}, scenario)
    assert refused.value.status is Status.FAILED_PRECONDITION


def test_a_method_that_is_not_there_is_unimplemented():
    async def scenario(channel, _):
        await channel.call(remote("/a/none"), pb.StorageGetArgs())

    with pytest.raises(RpcError) as refused:
        talk({"/a/echo": echo}, scenario)
    assert refused.value.status is Status.UNIMPLEMENTED


def test_a_bug_in_a_handler_does_not_travel(caplog):
    async def break_down(*_):
        raise ValueError("hunter2")

    async def scenario(channel, _):
        await channel.call(remote("/a/bug"), pb.StorageGetArgs())

    with pytest.raises(RpcError) as refused:
        talk({"/a/bug": break_down}, scenario)
    assert refused.value.status is Status.INTERNAL
    assert "hunter2" not in refused.value.message
    assert caplog.records[0].method == "/a/bug"


def test_a_call_that_the_client_gives_up_is_cancelled_at_the_server():
    began, ended = asyncio.Event(), asyncio.Event()

    async def wait_for_ever(*_):
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def scenario(channel, _):
        call = asyncio.create_task(channel.call(remote("/a/wait"), pb.StorageGetArgs()))
        await began.wait()
        call.cancel()
        await ended.wait()

    talk({"/a/wait": wait_for_ever}, scenario)


def test_hundreds_of_calls_that_wait_do_not_keep_another_from_starting():
    waiting, everyone_waits, go_on = [], asyncio.Event(), asyncio.Event()

    async def wait(*_):
        waiting.append(1)
        if len(waiting) == 300:
            everyone_waits.set()
        await go_on.wait()
        return pb.StorageGetReply()

    async def scenario(channel, _):
        await channel.call(remote("/a/echo"), pb.StorageGetArgs())
        calls = [asyncio.create_task(channel.call(remote("/a/wait"), pb.StorageGetArgs())) for _ in range(300)]
        await everyone_waits.wait()
        reply = await channel.call(remote("/a/echo"), pb.StorageGetArgs(key="through"))
        go_on.set()
        await asyncio.gather(*calls)
        return reply.err

    assert talk({"/a/wait": wait, "/a/echo": echo}, scenario) == "through"


def test_a_connection_that_breaks_is_unavailable_and_opens_again():
    dropped: list[Channel] = []

    async def drop(request, _):
        dropped[0]._channel._protocol.connection._transport.abort()
        await asyncio.sleep(0.05)
        return pb.StorageGetReply()

    async def scenario(channel, _):
        dropped.append(channel)
        with pytest.raises(RpcError) as broken:
            await channel.call(remote("/a/drop"), pb.StorageGetArgs())
        again = await channel.call(remote("/a/echo"), pb.StorageGetArgs(key="back"))
        return broken.value.status, again.err

    assert talk({"/a/drop": drop, "/a/echo": echo}, scenario) == (Status.UNAVAILABLE, "back")


def test_a_server_that_is_not_there_is_unavailable():
    async def scenario():
        channel = Channel("/nonexistent/socket", client_context(HOST, certificate_pem(PLUGIN.pem)))
        await channel.call(remote("/a/echo"), pb.StorageGetArgs())

    with pytest.raises(RpcError) as refused:
        asyncio.run(scenario())
    assert refused.value.status is Status.UNAVAILABLE
