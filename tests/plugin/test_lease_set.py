"""The live leases, in storage."""

import asyncio

import pytest

from vault_plugin_sdk.logical.storage import MemoryStorage, StorageError
from vault_salesforce_plugin.lease_set import LeaseSet


async def test_a_lease_lives_from_its_record_to_its_end_and_for_its_version_alone():
    leases = LeaseSet(MemoryStorage())
    record = await leases.add("crm", 3, 100.0)
    assert await leases.lives("crm", 3, 99.0)
    assert not await leases.lives("crm", 3, 101.0)
    assert not await leases.lives("crm", 4, 99.0)
    assert not await leases.lives("erp", 3, 99.0)
    await leases.end("crm", record)
    assert not await leases.lives("crm", 3, 99.0)


async def test_ending_twice_is_no_error():
    leases = LeaseSet(MemoryStorage())
    record = await leases.add("crm", 3, 100.0)
    await leases.end("crm", record)
    await leases.end("crm", record)


async def test_a_new_process_finds_the_records_of_the_one_before():
    storage = MemoryStorage()
    record = await LeaseSet(storage).add("crm", 3, 100.0)
    anew = LeaseSet(storage)
    assert await anew.lives("crm", 3, 50.0)
    await anew.end("crm", record)
    assert storage.entries == {}


async def test_sweeping_deletes_what_is_past_its_end_once_it_was_told():
    storage = MemoryStorage()
    leases = LeaseSet(storage)
    await leases.add("crm", 3, 100.0)
    await leases.add("crm", 4, 300.0)
    await leases.add("erp", 1, 100.0)
    anew = LeaseSet(storage)
    assert await anew.ended(200.0) == {("crm", 3), ("erp", 1)}
    assert len(storage.entries) == 3
    await anew.sweep(200.0)
    assert len(storage.entries) == 1
    assert await anew.ended(200.0) == set()


@pytest.mark.parametrize("name", ["x", "1-2", "a-b-c", "1-2-3-4", "3-99999999999999999999-ab", "٣-1-ab"])
async def test_a_record_of_another_release_means_nothing(name):
    storage = MemoryStorage()
    storage.entries[f"leases/crm/{name}"] = b"{}"
    leases = LeaseSet(storage)
    assert not await leases.lives("crm", 3, 0.0)
    await leases.sweep(1e12)
    assert await leases.ended(1e12) == set()


async def test_a_record_that_could_not_be_written_does_not_count():
    class Full(MemoryStorage):
        async def put(self, key, value):
            raise StorageError("full")

    leases = LeaseSet(Full())
    with pytest.raises(StorageError):
        await leases.add("crm", 3, 100.0)
    assert not await leases.lives("crm", 3, 50.0)


async def test_a_record_whose_write_nobody_waited_for_is_swept_in_case_it_was_stored():
    class Late(MemoryStorage):
        async def put(self, key, value):
            await super().put(key, value)
            raise asyncio.CancelledError

    storage = Late()
    leases = LeaseSet(storage)
    with pytest.raises(asyncio.CancelledError):
        await leases.add("crm", 3, 100.0)
    await leases.sweep(0.0)
    assert storage.entries == {}
