"""`creds/<role>`: the end of a lease, said by the server or found by the tick, and what it means."""

import asyncio

import pytest

from vault_plugin_sdk.logical.request import Lease
from vault_plugin_sdk.logical.storage import StorageError
from vault_salesforce_plugin.lease_set import SILENCE_SECONDS
from vault_salesforce_plugin.mount import SWEPT_AT_ONCE

SILENT = SILENCE_SECONDS + 3  # after the longest length of a lease: nothing was heard of its end


async def read(plugin, role="crm"):
    return await plugin.ask("read", f"creds/{role}")


async def test_the_end_of_the_last_lease_makes_the_version_due_and_the_end_of_another_does_not(plugin):
    await plugin.start()
    await plugin.publish()
    one, other = (await read(plugin)).lease, (await read(plugin)).lease
    await plugin.revoke(one)
    assert await plugin.due() == []
    await plugin.revoke(other)
    assert await plugin.due() == [("crm", 1)]


async def test_ending_both_at_once_is_one_mark(plugin):
    await plugin.start()
    await plugin.publish()
    leases = [(await read(plugin)).lease for _ in range(20)]
    await asyncio.gather(*(plugin.revoke(lease) for lease in leases))
    assert await plugin.due() == [("crm", 1)]


async def test_a_revocation_that_runs_twice_does_no_more_than_once(plugin):
    await plugin.start()
    await plugin.publish()
    one, other = (await read(plugin)).lease, (await read(plugin)).lease
    await plugin.revoke(one)
    await plugin.revoke(one)
    assert await plugin.due() == []
    await plugin.revoke(other)
    await plugin.publish(version=2)
    await plugin.revoke(other)
    assert await plugin.due() == []


@pytest.mark.parametrize(("rule", "due"), [("any", [("crm", 1)]), ("never", [])])
async def test_other_rules_keep_no_records(plugin, rule, due):
    await plugin.start()
    await plugin.publish(rotate_on_lease_end=rule)
    one, _ = (await read(plugin)).lease, (await read(plugin)).lease
    assert not [key for key in plugin.storage.entries if key.startswith("leases/")]
    await plugin.revoke(one)
    assert await plugin.due() == due


async def test_the_end_of_a_lease_on_an_older_version_means_nothing(plugin):
    await plugin.start()
    await plugin.publish()
    grant = (await read(plugin)).lease
    await plugin.publish(version=2)
    await plugin.revoke(grant)
    assert await plugin.due() == []


async def test_a_reader_who_goes_away_holds_nothing(plugin):
    await plugin.start()
    await plugin.publish()
    one = (await read(plugin)).lease

    async def gone(lent):
        raise asyncio.CancelledError

    plugin.engine.is_at_rest = gone
    with pytest.raises(asyncio.CancelledError):
        await read(plugin)
    await plugin.revoke(one)
    assert await plugin.due() == [("crm", 1)]
    await plugin.ask("rollback", "")
    assert not [key for key in plugin.storage.entries if key.startswith("leases/")]


@pytest.mark.parametrize(
    ("before", "after", "due"),
    [
        ("never", "last", []),
        ("never", "any", []),
        ("any", "last", [("crm", 1)]),
        ("any", "never", []),
        ("last", "any", [("crm", 1)]),
        ("last", "never", []),
    ],
)
async def test_a_lease_keeps_to_the_rule_it_was_lent_under_unless_the_role_now_rotates_by_none(
    plugin, before, after, due
):
    await plugin.start()
    await plugin.publish(rotate_on_lease_end=before)
    grant = (await read(plugin)).lease
    await plugin.publish(rotate_on_lease_end=after)
    await plugin.revoke(grant)
    assert await plugin.due() == due


async def test_a_sidecar_that_is_away_for_ten_minutes_costs_nothing_but_time(plugin, mounted, clock):
    await plugin.start()
    await plugin.publish()
    await plugin.register()
    leases = [(await read(plugin)).lease for _ in range(10)]
    clock.advance(60)
    for lease in leases:
        await plugin.revoke(lease)
    for _ in range(10):
        clock.advance(60)
        await plugin.ask("rollback", "")
        assert (await read(plugin)).lease.ttl_seconds == 9
    anew = mounted(plugin.storage)  # and the server was restarted
    await anew.start()
    assert [(mark.role, mark.version) for mark in (await anew.register()).due] == [("crm", 1)]
    await anew.publish(version=2)
    assert (await anew.register()).due == ()
    assert not [key for key in anew.storage.entries if key.startswith(("leases/", "due/"))]


async def test_a_tick_with_more_silent_leases_than_it_takes_leaves_the_rest_to_the_next(plugin, clock):
    await plugin.start()
    await plugin.publish(max_ttl=60)
    for _ in range(SWEPT_AT_ONCE + 1):
        await read(plugin)
    clock.advance(60 + SILENT)
    await plugin.ask("rollback", "")
    assert len([key for key in plugin.storage.entries if key.startswith("leases/")]) == 1
    await plugin.ask("rollback", "")
    assert not [key for key in plugin.storage.entries if key.startswith("leases/")]
    assert await plugin.due() == [("crm", 1)]


async def test_a_tainted_mount_marks_nothing_and_still_forgets_its_leases(plugin):
    await plugin.start()
    await plugin.publish()
    grant = (await read(plugin)).lease
    plugin.system.is_tainted = True
    await plugin.revoke(grant)
    assert not [key for key in plugin.storage.entries if key.startswith(("leases/", "due/"))]


async def test_revoking_succeeds_without_a_sidecar_and_for_whatever_was_never_lent(plugin):
    await plugin.start()
    await plugin.publish()
    grant = (await read(plugin)).lease
    await plugin.ask("delete", "published/crm")
    await plugin.revoke(grant)
    empty = Lease({"secret_type": grant.internal_data["secret_type"]}, 0, 0, 0, None)
    await plugin.ask("revoke", "creds/crm", lease=empty)


async def test_a_lease_that_ended_without_a_word_is_swept_by_the_tick_and_counts_as_ended(plugin, clock):
    await plugin.start()
    await plugin.publish(max_ttl=3600)
    await read(plugin)
    clock.advance(3600)
    await plugin.ask("rollback", "")
    assert await plugin.due() == []
    clock.advance(SILENT)
    await plugin.ask("rollback", "")
    assert await plugin.due() == [("crm", 1)]
    assert not [key for key in plugin.storage.entries if key.startswith("leases/")]


async def test_a_crash_of_the_tick_between_the_mark_and_the_record_loses_no_mark(plugin, mounted, clock):
    await plugin.start()
    await plugin.publish(max_ttl=3600)
    await read(plugin)
    clock.advance(3600 + SILENT)

    async def crash(key):
        raise StorageError("gone")

    plugin.storage.delete, delete = crash, plugin.storage.delete
    with pytest.raises(StorageError):
        await plugin.ask("rollback", "")
    plugin.storage.delete = delete
    anew = mounted(plugin.storage)
    await anew.start()
    assert await anew.due() == [("crm", 1)]


@pytest.mark.parametrize("rule", ["last", "any"])
async def test_revoking_succeeds_while_storage_takes_nothing_and_the_tick_does_the_rest(plugin, rule):
    await plugin.start()
    await plugin.publish(rotate_on_lease_end=rule)
    grant = (await read(plugin)).lease
    plugin.storage.read_only = True
    await plugin.revoke(grant)
    await plugin.revoke(grant)
    assert await plugin.due() == []
    plugin.storage.read_only = False
    await plugin.ask("rollback", "")
    await plugin.ask("rollback", "")
    assert await plugin.due() == [("crm", 1)]
    assert not [key for key in plugin.storage.entries if key.startswith("leases/")]


async def test_revoking_succeeds_whatever_lies_in_storage(plugin):
    await plugin.start()
    await plugin.publish()
    plugin.storage.entries |= {"leases/crm/odd": b"", "due/crm": b"{"}
    await plugin.revoke((await read(plugin)).lease)
    assert await plugin.due() == [("crm", 1)]
    await plugin.ask("rollback", "")


async def test_who_is_lent_the_version_while_a_lease_ends_keeps_it(plugin):
    await plugin.start()
    await plugin.publish()
    ending = (await read(plugin)).lease
    lent = []

    async def tainted():
        lent.append((await read(plugin)).lease)
        return False

    plugin.system.tainted = tainted
    await plugin.revoke(ending)
    assert lent[0].ttl_seconds == 600
    assert await plugin.due() == []


async def test_the_end_of_the_last_lease_is_not_forgotten_by_a_crash_before_its_mark_is_stored(plugin, mounted, clock):
    await plugin.start()
    await plugin.publish(max_ttl=3600)
    grant = (await read(plugin)).lease

    async def refuse(key, value):
        raise StorageError("full")

    put, plugin.storage.put = plugin.storage.put, refuse
    await plugin.revoke(grant)
    plugin.storage.put = put
    anew = mounted(plugin.storage)
    await anew.start()
    clock.advance(3600 + SILENT)
    await anew.ask("rollback", "")
    assert await anew.due() == [("crm", 1)]
    assert not [key for key in anew.storage.entries if key.startswith("leases/")]


async def test_a_reader_who_fails_after_the_last_lease_ended_does_not_keep_the_version_from_being_due(plugin):
    await plugin.start()
    await plugin.publish()
    last = (await read(plugin)).lease
    put = plugin.storage.put

    async def end_the_other_and_fail(key, value):
        plugin.storage.put = put
        await plugin.revoke(last)
        raise StorageError("full")

    plugin.storage.put = end_the_other_and_fail
    with pytest.raises(StorageError):
        await read(plugin)
    assert await plugin.due() == []
    await plugin.ask("rollback", "")
    assert await plugin.due() == [("crm", 1)]
