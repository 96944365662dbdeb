"""Storage and system view of the server, over a mount's own connection."""

import asyncio

import pytest
from wire_host import HostSide

from vault_plugin_sdk.logical.storage import ReadOnlyStorageError, StorageError
from vault_plugin_sdk.wire.broker import Broker
from vault_plugin_sdk.wire.host import HostLink, HostStorage, HostSystemView
from vault_plugin_sdk.wire.methods import RpcError, Status


class Direct:
    """A connection that leads into a HostSide without a socket."""

    opened = 0

    def __init__(self, side: HostSide) -> None:
        self.methods = side.methods()
        type(self).opened += 1

    async def call(self, method, request):
        return await self.methods[method.path].handler(method.request_type.FromString(request.SerializeToString()), {})

    def close(self) -> None:
        pass


class Known:
    """A broker to which everything has been announced."""

    def __init__(self, side: HostSide) -> None:
        self.side = side

    async def connect(self, _):
        await asyncio.sleep(0)
        return Direct(self.side)


@pytest.fixture
def side():
    return HostSide()


@pytest.fixture
def link(side):
    return HostLink(Known(side), 1)


def test_storage_keeps_lists_and_forgets(link):
    async def scenario():
        storage = HostStorage(link)
        await storage.put("a/b", b"\x00\xff")
        await storage.put("a/c/d", b"")
        listed = await storage.list("a/")
        found = await storage.get("a/b"), await storage.get("a/c/d"), await storage.get("none")
        await storage.delete("a/b")
        await storage.delete("a/b")
        return listed, found, await storage.get("a/b")

    assert asyncio.run(scenario()) == (["b", "c/"], (b"\x00\xff", b"", None), None)


def test_a_standby_refuses_writes_by_its_own_error(link, side):
    side.storage.read_only = True
    with pytest.raises(ReadOnlyStorageError):
        asyncio.run(HostStorage(link).put("a", b"b"))


def test_the_system_view_answers_in_seconds_and_bits(link, side):
    async def scenario():
        system = HostSystemView(link)
        side.is_tainted = True
        return (
            await system.replication_state(),
            await system.tainted(),
            await system.max_lease_ttl_seconds(),
            await system.default_lease_ttl_seconds(),
            await system.generate_password("strict"),
        )

    assert asyncio.run(scenario()) == (8224, True, 2_764_800, 2_764_800, "from-strict")


def test_a_refused_call_is_an_error_of_storage(link):
    with pytest.raises(StorageError, match="failed to generate password") as refused:
        asyncio.run(HostSystemView(link).generate_password("missing"))
    assert isinstance(refused.value.__cause__, RpcError)


def test_calls_at_the_same_time_open_one_connection(link):
    Direct.opened = 0

    async def scenario():
        await asyncio.gather(*(HostStorage(link).get("a") for _ in range(5)))

    asyncio.run(scenario())
    assert Direct.opened == 1


def test_a_server_that_does_not_answer_is_not_waited_for():
    class Silent(Direct):
        async def call(self, method, request):
            await asyncio.Event().wait()

    class Broker:
        async def connect(self, _):
            return Silent(HostSide())

    with pytest.raises(StorageError, match="did not answer within"):
        asyncio.run(HostStorage(HostLink(Broker(), 1, limit_seconds=0.01)).get("a"))


def test_a_mount_without_a_server_side_says_so():
    link = HostLink(Broker(lambda _: None, patience_seconds=0.01), 9)
    with pytest.raises(StorageError, match="announced no connection") as refused:
        asyncio.run(HostStorage(link).get("a"))
    assert refused.value.__cause__.status is Status.UNAVAILABLE
