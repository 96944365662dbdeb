"""Storage in memory, which behaves as a server's does."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault_plugin_sdk.logical.storage import ConflictError, MemoryStorage, ReadOnlyStorageError, sliced

KEYS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map("/".join)


def test_what_was_put_is_there_until_it_is_deleted():
    async def scenario():
        storage = MemoryStorage()
        assert await storage.get("a") is None
        await storage.put("a", b"1")
        assert await storage.get("a") == b"1"
        await storage.delete("a")
        await storage.delete("a")
        assert await storage.get("a") is None

    asyncio.run(scenario())


@given(st.sets(KEYS), KEYS)
def test_a_list_gives_the_next_segment_and_marks_folders(keys, folder):
    async def scenario():
        storage = MemoryStorage()
        for key in keys:
            await storage.put(key, b"")
        return await storage.list(f"{folder}/")

    expected = set()
    for key in keys:
        if key.startswith(f"{folder}/"):
            head, _, rest = key.removeprefix(f"{folder}/").partition("/")
            expected.add(f"{head}/" if rest else head)
    assert asyncio.run(scenario()) == sorted(expected)


def test_a_standbys_storage_refuses_writes_in_the_servers_words():
    async def scenario():
        storage = MemoryStorage()
        storage.read_only = True
        with pytest.raises(ReadOnlyStorageError, match="cannot write to readonly storage"):
            await storage.put("a", b"1")
        with pytest.raises(ReadOnlyStorageError):
            await storage.delete("a")

    asyncio.run(scenario())


def test_a_page_begins_after_a_key_that_need_not_be_there():
    keys = ["a", "b", "c/", "d"]
    assert sliced(keys, "", 0) == keys
    assert sliced(keys, "b", 1) == ["c/"]
    assert sliced(keys, "bb", 9) == ["c/", "d"]
    assert sliced(keys, "z", 2) == []

    async def scenario():
        storage = MemoryStorage({f"x/{key}": b"" for key in "abc"})
        return await storage.page("x/", after="a", limit=1)

    assert asyncio.run(scenario()) == ["b"]


@given(st.sets(KEYS), st.lists(st.tuples(KEYS, st.booleans())))
def test_a_transaction_does_what_the_same_calls_do_without_one(keys, changes):
    async def apply(storage):
        for key, put in changes:
            await (storage.put(key, b"new") if put else storage.delete(key))
        return await storage.list("a/")

    async def scenario():
        plain, other = (MemoryStorage(dict.fromkeys(keys, b"old")) for _ in range(2))
        async with other.transaction() as tx:
            inside = await apply(tx)
            untouched = dict(other.entries)
        return await apply(plain), inside, plain.entries, other.entries, untouched

    listed, inside, plain, other, untouched = asyncio.run(scenario())
    assert (inside, other) == (listed, plain)
    assert untouched == dict.fromkeys(keys, b"old")


@pytest.mark.parametrize("touch", ["get", "put", "delete"])
def test_a_transaction_that_touched_what_another_changed_meanwhile_does_nothing(touch):
    storage = MemoryStorage({"a": b"1"})

    async def scenario():
        async with storage.transaction() as tx:
            await (tx.put("a", b"2") if touch == "put" else getattr(tx, touch)("a"))
            await tx.put("b", b"2")
            await storage.put("a", b"3")

    with pytest.raises(ConflictError):
        asyncio.run(scenario())
    assert storage.entries == {"a": b"3"}


def test_who_only_reads_is_in_nobodys_way():
    storage = MemoryStorage({"a": b"1"})

    async def scenario():
        async with storage.transaction(read_only=True) as tx:
            await storage.put("a", b"2")
            with pytest.raises(ReadOnlyStorageError):
                await tx.put("b", b"3")
            return await tx.get("a")

    assert asyncio.run(scenario()) == b"1"


def test_a_storage_without_transactions_is_its_own_and_a_standbys_begins_none():
    async def scenario(storage):
        async with storage.transaction() as tx:
            return tx is storage

    plain, standby = MemoryStorage(), MemoryStorage()
    plain.transactional, standby.read_only = False, True
    assert asyncio.run(scenario(plain))
    with pytest.raises(ReadOnlyStorageError):
        asyncio.run(scenario(standby))
