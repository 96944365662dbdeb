"""The live leases, in storage."""

import asyncio
import time

import pytest

from vault_plugin_sdk.logical.storage import MemoryStorage, StorageError
from vault_salesforce_plugin.lease_set import SILENCE_SECONDS, LeaseSet


class Counting(MemoryStorage):
    """Counts its calls, and how many of them there were at one time."""

    def __init__(self):
        super().__init__()
        self.calls = self.now = self.most = 0

    async def delete(self, key):
        await self._called()
        await super().delete(key)

    async def list(self, prefix):
        await self._called()
        return await super().list(prefix)

    async def _called(self):
        self.calls, self.now = self.calls + 1, self.now + 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1


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


async def test_silent_are_the_leases_of_which_nothing_was_heard_beyond_their_end_and_sweeping_deletes_them():
    storage = MemoryStorage()
    leases = LeaseSet(storage)
    await leases.add("crm", 3, 100.0)
    await leases.add("crm", 4, 300.0)
    await leases.add("erp", 1, 100.0)
    anew = LeaseSet(storage)
    assert await anew.silent(101.0 + SILENCE_SECONDS - 1, 10) == []
    silent = await anew.silent(101.0 + SILENCE_SECONDS, 10)
    assert {(record.role, record.version) for record in silent} == {("crm", 3), ("erp", 1)}
    assert len(storage.entries) == 3
    await anew.sweep(silent)
    assert [key.startswith("leases/crm/4-") for key in storage.entries] == [True]
    assert await anew.silent(200.0, 10) == []


@pytest.mark.parametrize("name", ["x", "1-2", "a-b-c", "1-2-3-4", "3-99999999999999999999-ab", "٣-1-ab"])
async def test_a_record_of_another_release_means_nothing(name):
    storage = MemoryStorage()
    storage.entries[f"leases/crm/{name}"] = b"{}"
    leases = LeaseSet(storage)
    assert not await leases.lives("crm", 3, 0.0)
    assert await leases.silent(1e12, 10) == []


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
    silent = await leases.silent(0.0, 10)
    assert [record.version for record in silent] == [0]  # nobody was lent it: its end means nothing
    await leases.sweep(silent)
    assert storage.entries == {}
    assert await leases.silent(0.0, 10) == []


async def test_a_lease_that_was_not_handed_out_after_all_counts_no_more():
    leases = LeaseSet(MemoryStorage())
    record = await leases.add("crm", 3, 100.0)
    leases.disown("crm", record)
    leases.disown("crm", record)
    assert not await leases.lives("crm", 3, 50.0)


async def test_ten_thousand_records_are_listed_and_swept_in_bounded_steps():
    storage = Counting()
    for number in range(10_000):
        storage.entries[f"leases/r{number % 100}/1-100-{number:x}"] = b"{}"
    leases = LeaseSet(storage)
    assert len(await leases.silent(1000.0, 700)) == 700
    assert (storage.calls, storage.most) == (101, 32)
    await leases.sweep(await leases.silent(1000.0, 700))
    assert (storage.calls, storage.most) == (801, 32)
    assert len(storage.entries) == 9300


async def test_asking_for_one_role_waits_for_no_other():
    storage = MemoryStorage()
    storage.entries["leases/slow/1-100-a"] = b"{}"
    quick = storage.list

    async def listed(prefix):
        if prefix == "leases/slow/":
            await asyncio.Event().wait()
        return await quick(prefix)

    storage.list = listed
    leases = LeaseSet(storage)
    loading = asyncio.create_task(leases.silent(0.0, 10))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await leases.add("crm", 3, 100.0)
    loading.cancel()


async def test_ten_thousand_leases_of_one_role_end_without_each_being_compared_with_all():
    leases = LeaseSet(MemoryStorage())
    records = [await leases.add("crm", 1, 1e9) for _ in range(10_000)]
    began = time.process_time()
    for record in records:
        await leases.end("crm", record)
        await leases.lives("crm", 1, 0.0)
    assert time.process_time() - began < 2.0  # each with all would be minutes


async def test_a_record_that_an_end_relied_on_and_that_was_not_lent_says_whose_end_it_is_now():
    leases = LeaseSet(MemoryStorage())
    relied_on, other = [await leases.add("crm", 3, 100.0) for _ in range(2)]
    assert await leases.lives("crm", 3, 50.0)
    for record in (relied_on, other):
        leases.disown("crm", record)
    assert sorted(record.version for record in await leases.silent(50.0, 10)) == [0, 3]
