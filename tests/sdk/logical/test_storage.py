"""Storage in memory, which behaves as a server's does."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault_plugin_sdk.logical.storage import MemoryStorage, ReadOnlyStorageError

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
