"""A mount's own connection to its server, and its storage behind it."""

import asyncio

import pytest
from wire_host import HostSide

from vault_plugin_sdk.logical.storage import ConflictError, ReadOnlyStorageError, StorageError
from vault_plugin_sdk.logical.system import NotOfferedError
from vault_plugin_sdk.wire.broker import Broker
from vault_plugin_sdk.wire.host import HostLink, HostStorage
from vault_plugin_sdk.wire.methods import RpcError, Status


class Direct:
    """A connection that leads into a HostSide without a socket."""

    opened = 0

    def __init__(self, side: HostSide) -> None:
        self.methods = side.methods()
        type(self).opened += 1

    async def call(self, method, request):
        if method.path not in self.methods:
            raise RpcError(Status.UNIMPLEMENTED, "unknown method")
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


def storage_of(link, **stored):
    """The mount's storage once it is known what it can do, and holding `stored`."""

    async def made():
        storage = HostStorage(link)
        await storage.discover()
        for key, value in stored.items():
            await storage.put(f"a/{key}", value)
        return storage

    return made()


@pytest.mark.parametrize("lacks", [set(), {"Storage/ListPage"}])
def test_a_list_comes_in_pages_also_from_a_server_that_has_none(link, side, lacks):
    side.lacks = lacks

    async def scenario():
        storage = await storage_of(link, a=b"", b=b"", c=b"", d=b"")
        pages = [await storage.page("a/", after=after, limit=2) for after in ("", "b", "bb", "d")]
        return pages, await storage.page("a/"), await storage.page("a/", limit=-1)

    pages, whole, unlimited = asyncio.run(scenario())
    assert pages == [["a", "b"], ["c", "d"], ["c", "d"], []]
    assert whole == unlimited == ["a", "b", "c", "d"]
    assert side.calls.count("Storage/List") == (6 if lacks else 0)


def test_a_transaction_is_seen_whole_or_not_at_all(link):
    async def scenario():
        storage = await storage_of(link, old=b"1")
        async with storage.transaction() as tx:
            await tx.put("a/new", b"2")
            await tx.delete("a/old")
            seen = await tx.list("a/"), await tx.get("a/new"), await storage.list("a/"), await storage.get("a/new")
        return seen, await storage.list("a/"), await storage.get("a/new")

    assert asyncio.run(scenario()) == ((["new"], b"2", ["old"], None), ["new"], b"2")


def test_a_transaction_that_raises_did_nothing(link, side):
    async def scenario():
        storage = await storage_of(link, a=b"1")
        async with storage.transaction() as tx:
            await tx.put("a/a", b"2")
            raise LookupError

    with pytest.raises(LookupError):
        asyncio.run(scenario())
    assert side.storage.entries == {"a/a": b"1"}


def test_who_is_slower_learns_of_the_conflict_and_did_nothing(link, side):
    async def scenario():
        storage = await storage_of(link, a=b"1")
        async with storage.transaction() as tx:
            await tx.put("a/b", await tx.get("a/a"))
            await storage.put("a/a", b"2")

    with pytest.raises(ConflictError):
        asyncio.run(scenario())
    assert side.storage.entries == {"a/a": b"2"}


def test_a_cancelled_transaction_is_rolled_back(link, side):
    async def scenario():
        storage = await storage_of(link)
        begun = asyncio.Event()

        async def wait():
            async with storage.transaction() as tx:
                await tx.put("a/b", b"1")
                begun.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(wait())
        await begun.wait()
        task.cancel()
        await asyncio.wait([task])
        return await storage.get("a/b")

    assert asyncio.run(scenario()) is None
    assert side.calls.count("Storage/Rollback") == 1


def test_a_transaction_that_only_reads_ends_without_a_commit(link, side):
    async def scenario():
        async with (await storage_of(link, b=b"1")).transaction(read_only=True) as tx:
            return await tx.get("a/b")

    assert asyncio.run(scenario()) == b"1"
    assert side.calls[-2:] == ["Storage/Get", "Storage/Rollback"]


def test_where_there_are_no_transactions_each_call_stands_alone(link, side):
    side.lacks = {"Storage/IsTransactional"}

    async def scenario():
        storage = await storage_of(link)
        async with storage.transaction() as tx:
            await tx.put("a/b", b"1")
            return tx is storage, storage.transactional, await storage.get("a/b")

    assert asyncio.run(scenario()) == (True, False, b"1")
    assert "Storage/BeginTx" not in side.calls


def test_a_standby_begins_no_transaction(link, side):
    async def scenario():
        storage = await storage_of(link)
        side.storage.read_only = True
        async with storage.transaction():
            pytest.fail("it has begun")

    with pytest.raises(ReadOnlyStorageError):
        asyncio.run(scenario())


def test_a_rollback_that_fails_does_not_hide_why(link, side, caplog):
    async def scenario():
        storage = await storage_of(link)
        async with storage.transaction():
            side._transactions.clear()
            raise LookupError("the reason")

    async def refuse(_):
        raise RpcError(Status.INTERNAL, "gone")

    side._roll_back = refuse
    with pytest.raises(LookupError, match="the reason"):
        asyncio.run(scenario())
    assert caplog.records[0].fault == "gone"


def test_a_call_that_the_server_lacks_is_made_once(link, side):
    side.lacks = {"Storage/ListPage"}
    made = []

    async def scenario():
        storage = await storage_of(link)
        connection = link._connection
        original = connection.call
        connection.call = lambda method, request: made.append(method.path) or original(method, request)
        return [await storage.page("a/") for _ in range(3)]

    asyncio.run(scenario())
    assert made.count("/pb.Storage/ListPage") == 1
    assert issubclass(NotOfferedError, StorageError)


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
