"""Due marks, and waking the sidecar that serves them."""

import asyncio
import datetime as dt
from dataclasses import replace

import pytest

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.storage import MemoryStorage, StorageError
from vault_salesforce_contract.published import PublishedCredential
from vault_salesforce_contract.registration import DueMark
from vault_salesforce_plugin.credentials import PREFIX, Credentials
from vault_salesforce_plugin.due import DueMarks

THIRD = PublishedCredential(
    username="app@example.com",
    password=SecretStr("secret"),
    version=3,
    rotation_id="third",
    last_vault_rotation=dt.datetime(2030, 1, 1, tzinfo=dt.UTC),
    login_url="https://login.example.com",
)
MARK = DueMark("crm", 3, "third")


class Due:
    """Marks over storage in memory; counts the wakes."""

    def __init__(self, storage=None):
        self.storage = storage or MemoryStorage()
        self.credentials = Credentials(self.storage)
        self.wakes = 0
        self.marks = DueMarks(self.storage, self.credentials, self.wake)

    def wake(self):
        self.wakes += 1


@pytest.fixture
def due():
    return Due()


async def test_a_mark_wakes_a_sidecar_once_and_outlives_the_process(due):
    await due.credentials.put("crm", THIRD)
    await due.marks.mark(MARK)
    await due.marks.mark(MARK)
    assert due.wakes == 1
    anew = Due(due.storage)
    assert await anew.marks.all() == (MARK,)
    assert await anew.marks.is_due("crm")


@pytest.mark.parametrize(
    "follower",
    [
        pytest.param(replace(THIRD, version=4, rotation_id="fourth"), id="another version"),
        pytest.param(replace(THIRD, version=4, rotation_id="fourth", deleted=True), id="the role is deleted"),
        pytest.param(replace(THIRD, rotate_on_lease_end="never"), id="leases shall not rotate any more"),
    ],
)
async def test_a_mark_is_void_once_it_means_nothing_and_then_leaves_storage(due, follower):
    await due.credentials.put("crm", THIRD)
    await due.marks.mark(MARK)
    await due.credentials.put("crm", follower)
    assert await due.marks.all() == ()
    assert not await due.marks.is_due("crm")
    assert "due/crm" in due.storage.entries
    await due.marks.prune()
    assert "due/crm" not in due.storage.entries


@pytest.mark.parametrize("stored", [b"{", b"[]", b"{}", b'{"version": "x", "rotation_id": 1, "cause": 1}'])
async def test_a_mark_that_cannot_be_read_is_none(due, stored):
    due.storage.entries["due/crm"] = stored
    await due.credentials.put("crm", THIRD)
    assert await due.marks.all() == ()
    await due.marks.mark(MARK)
    assert await Due(due.storage).marks.all() == (MARK,)


async def test_a_version_is_due_from_the_turn_that_marks_it_unless_storage_refuses(due):
    await due.credentials.put("crm", THIRD)
    seen = []

    async def refuse(key, value):
        seen.append(await due.marks.is_due("crm"))
        raise StorageError("full")

    put, due.storage.put = due.storage.put, refuse
    with pytest.raises(StorageError):
        await due.marks.mark(MARK)
    assert seen == [True]
    assert not await due.marks.is_due("crm")
    due.storage.put = put
    await due.marks.mark(MARK)
    assert due.wakes == 1


async def test_a_void_mark_on_its_way_out_does_not_take_a_new_one_along(due):
    await due.credentials.put("crm", THIRD)
    await due.marks.mark(MARK)
    await due.credentials.put("crm", replace(THIRD, version=4, rotation_id="fourth"))
    deleting, go_on = asyncio.Event(), asyncio.Event()
    delete = due.storage.delete

    async def slowly(key):
        deleting.set()
        await go_on.wait()
        await delete(key)

    due.storage.delete = slowly
    pruning = asyncio.create_task(due.marks.prune())
    await deleting.wait()
    marking = asyncio.create_task(due.marks.mark(DueMark("crm", 4, "fourth")))
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(pruning, marking)
    assert [mark.version for mark in await Due(due.storage).marks.all()] == [4]


async def test_a_mark_made_while_a_void_one_is_looked_at_stays_in_memory_too(due):
    await due.marks.mark(replace(MARK, version=2))
    get, looked, go_on = due.storage.get, asyncio.Event(), asyncio.Event()

    async def slow_get(key):
        due.storage.get = get
        found = await get(key)
        looked.set()
        await go_on.wait()
        return found

    due.storage.get = slow_get
    pruning = asyncio.create_task(due.marks.prune())
    await looked.wait()
    await due.credentials.put("crm", THIRD)
    marking = asyncio.create_task(due.marks.mark(MARK))
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(pruning, marking)
    assert await due.marks.is_due("crm")


async def test_a_mark_that_means_something_is_not_pruned(due):
    await due.credentials.put("crm", THIRD)
    await due.marks.mark(MARK)
    await due.marks.prune()
    assert await due.marks.all() == (MARK,)


async def test_a_due_version_after_a_void_mark_is_marked_anew(due):
    await due.credentials.put("crm", THIRD)
    await due.marks.mark(MARK)
    await due.credentials.put("crm", replace(THIRD, version=4, rotation_id="fourth"))
    fourth = DueMark("crm", 4, "fourth")
    await due.marks.mark(fourth)
    assert await due.marks.all() == (fourth,)
    assert due.wakes == 2


async def test_a_standby_reads_marks_anew_after_another_node_wrote(due):
    await due.credentials.put("crm", THIRD)
    standby = Due(due.storage)
    assert await standby.marks.all() == ()
    await due.marks.mark(MARK)
    standby.marks.invalidate()
    assert await standby.marks.all() == (MARK,)


async def test_what_another_node_writes_while_the_marks_are_read_is_read_anew(due):
    await due.credentials.put("crm", THIRD)
    listing = due.storage.list

    async def written_meanwhile(prefix):
        due.storage.list = listing
        found = await listing(prefix)
        await Due(due.storage).marks.mark(MARK)
        due.marks.invalidate()
        return found

    due.storage.list = written_meanwhile
    assert await due.marks.all() == ()
    assert await due.marks.all() == (MARK,)


async def test_the_end_of_a_lease_wakes_a_sidecar_that_can_be_reached(plugin, stand_in):
    gone, door = stand_in("one"), stand_in("two")
    await plugin.start()
    await gone.join(plugin)
    await door.join(plugin)
    gone.close()
    await plugin.publish("crm")
    await plugin.revoke((await plugin.ask("read", "creds/crm")).lease)
    assert await asyncio.to_thread(door.woken.wait, 5)


async def test_a_start_wakes_the_sidecars_known_from_before_for_they_have_the_old_key(mounted, stand_in):
    storage, door = MemoryStorage(), stand_in()
    before = mounted(storage)
    await before.start()
    await door.join(before)
    await before.engine.cleanup()
    door.woken.clear()
    await mounted(storage, standby=True).start()
    assert not door.woken.is_set()
    await mounted(storage).start()
    assert await asyncio.to_thread(door.woken.wait, 5)


async def test_a_start_wakes_them_however_long_the_copies_take_to_load(mounted, stand_in):
    storage, door, loading = MemoryStorage(), stand_in(), asyncio.Event()
    before = mounted(storage)
    await before.start()
    await door.join(before)
    await before.engine.cleanup()
    door.woken.clear()
    listed = storage.list

    async def slow(prefix):
        if prefix == PREFIX:
            await loading.wait()
        return await listed(prefix)

    storage.list = slow
    starting = asyncio.create_task(mounted(storage).start())
    assert await asyncio.to_thread(door.woken.wait, 5)
    loading.set()
    await starting


async def test_a_lost_wake_fails_nothing(plugin, stand_in):
    door = stand_in()
    await plugin.start()
    await door.join(plugin)
    door.close()
    await plugin.publish("crm")
    await plugin.revoke((await plugin.ask("read", "creds/crm")).lease)
    assert await plugin.due() == [("crm", 1)]
