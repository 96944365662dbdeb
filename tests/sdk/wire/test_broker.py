"""The broker: ids may be announced before or after they are asked for."""

import asyncio

import pytest

from vault_plugin_sdk.wire.broker import Broker
from vault_plugin_sdk.wire.methods import RpcError, Status
from vault_plugin_sdk.wire.proto.go_plugin_pb2 import ConnInfo


class Opened:
    """A connection that only knows where it leads."""

    def __init__(self, path: str) -> None:
        self.path = path


async def announcements(*infos: ConnInfo):
    for info in infos:
        yield info


def info(service_id: int, network: str = "unix") -> ConnInfo:
    return ConnInfo(service_id=service_id, network=network, address=f"/run/host/{service_id}")


def test_an_id_announced_first_is_found():
    async def scenario():
        broker = Broker(Opened)
        await broker.listen(announcements(info(1), info(2)))
        return [(await broker.connect(2)).path, (await broker.connect(1)).path]

    assert asyncio.run(scenario()) == ["/run/host/2", "/run/host/1"]


def test_an_id_announced_later_is_waited_for():
    async def scenario():
        broker = Broker(Opened)
        asked = asyncio.create_task(broker.connect(3))
        await asyncio.sleep(0)
        await broker.listen(announcements(info(3), info(3)))
        return (await asked).path

    assert asyncio.run(scenario()) == "/run/host/3"


def test_an_id_that_never_comes_is_given_up():
    with pytest.raises(RpcError) as gave_up:
        asyncio.run(Broker(Opened, patience_seconds=0.01).connect(4))
    assert gave_up.value.status is Status.UNAVAILABLE


def test_only_unix_sockets_are_taken():
    async def scenario():
        broker = Broker(Opened)
        await broker.listen(announcements(info(5, "tcp")))
        await broker.connect(5)

    with pytest.raises(RpcError, match="'tcp'"):
        asyncio.run(scenario())


def test_a_knock_is_no_announcement():
    async def scenario():
        broker = Broker(Opened, patience_seconds=0.01)
        await broker.listen(announcements(ConnInfo(service_id=6, knock=ConnInfo.Knock(knock=True))))
        await broker.connect(6)

    with pytest.raises(RpcError):
        asyncio.run(scenario())


def test_streams_count_the_hosts_that_are_there():
    async def scenario():
        broker = Broker(Opened)
        gone = asyncio.Event()

        async def until_gone():
            await gone.wait()
            for nothing in ():
                yield nothing

        listening = asyncio.create_task(broker.listen(until_gone()))
        await asyncio.sleep(0)
        before = broker.streams
        gone.set()
        await listening
        return before, broker.streams

    assert asyncio.run(scenario()) == (1, 0)
