"""`creds/<role>`: leases on a version, from the first answer to the last end."""

import asyncio
from dataclasses import replace

import pytest

from vault_plugin_sdk.logical.errors import CallerError, ForwardToActive
from vault_plugin_sdk.logical.request import Lease
from vault_plugin_sdk.logical.storage import MemoryStorage, StorageError
from vault_salesforce_plugin.lease_set import SILENCE_SECONDS
from vault_salesforce_plugin.mount import SWEPT_AT_ONCE

SILENT = SILENCE_SECONDS + 3  # after the longest length of a lease: nothing was heard of its end


async def read(plugin, role="crm"):
    return await plugin.ask("read", f"creds/{role}")


async def test_the_answer_is_leased_for_as_long_as_the_published_credential_says(plugin):
    await plugin.start()
    await plugin.publish(ttl="5m", max_ttl="1h")
    answer = await read(plugin)
    assert answer.data == (await plugin.ask("read", "static-creds/crm")).data
    assert (answer.lease.ttl_seconds, answer.lease.max_ttl_seconds, answer.lease.renewable) == (300, 3600, True)
    assert answer.warnings == ()
    assert "secret-1" not in str(answer.lease)


async def test_help_says_what_ttl_bounds_and_what_a_renewal_answers(plugin):
    await plugin.start()
    told = (await plugin.ask("help", "creds/crm")).data["help"]
    assert "`ttl` bounds how long a reader holds an old one" in told
    assert "a renewal answers 2 seconds" in told


async def test_a_renewal_is_full_while_current_and_two_seconds_once_a_newer_version_is_held(plugin, clock):
    await plugin.start()
    await plugin.publish()
    grant = (await read(plugin)).lease
    clock.advance(400)
    renewed = await plugin.renew(grant)
    assert (renewed.ttl_seconds, renewed.max_ttl_seconds) == (600, 1001)
    await plugin.publish(version=2)
    ending = await plugin.renew(renewed)
    assert (ending.ttl_seconds, ending.max_ttl_seconds) == (2, 402)
    assert (ending.internal_data, ending.issued, ending.renewable) == (grant.internal_data, grant.issued, True)


async def test_a_lease_is_not_shortened_while_there_is_nothing_newer_to_read(plugin):
    await plugin.start()
    await plugin.publish()
    grant = (await read(plugin)).lease
    await plugin.register(changing=["crm"])
    assert (await plugin.renew(grant)).ttl_seconds == 600


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


async def test_a_lease_before_a_change_is_brief_warns_and_triggers_nothing(plugin):
    await plugin.start()
    await plugin.publish()
    await plugin.register(changing=["crm"])
    answer = await read(plugin)
    assert (answer.lease.ttl_seconds, answer.lease.max_ttl_seconds) == (9, 10)
    assert "is being changed now" in answer.warnings[0]
    assert not [key for key in plugin.storage.entries if key.startswith("leases/")]
    await plugin.revoke(answer.lease)
    assert await plugin.due() == []


async def test_a_brief_lease_is_renewed_in_steps_until_the_change_is_over(plugin, clock):
    await plugin.start()
    await plugin.publish()
    await plugin.register(changing=["crm"])
    grant = (await read(plugin)).lease
    for _ in range(5):
        clock.advance(7)
        grant = await plugin.renew(grant)
        assert grant.max_ttl_seconds == clock.seconds + 10
    await plugin.register(changing=[])  # withdrawn: nothing new, and a lease that counts is to be had
    clock.advance(7)
    assert (await plugin.renew(grant)).max_ttl_seconds == grant.max_ttl_seconds
    await plugin.register(changing=["crm"])
    await plugin.publish(version=2)
    assert (await plugin.renew(grant)).max_ttl_seconds <= clock.seconds + 2


async def test_a_version_that_becomes_due_while_its_lease_is_recorded_is_lent_briefly(plugin):
    await plugin.start()
    await plugin.publish()
    put = plugin.storage.put

    async def change_first(key, value):
        plugin.storage.put = put
        await put(key, value)
        await plugin.register(changing=["crm"])

    plugin.storage.put = change_first
    answer = await read(plugin)
    assert (answer.lease.ttl_seconds, len(answer.warnings)) == (9, 1)
    assert not [key for key in plugin.storage.entries if key.startswith("leases/")]


async def test_a_version_that_is_replaced_while_its_lease_is_recorded_is_not_lent(plugin):
    await plugin.start()
    await plugin.publish()
    put = plugin.storage.put

    async def publish_first(key, value):
        plugin.storage.put = put
        await plugin.publish(version=2)
        await put(key, value)

    plugin.storage.put = publish_first
    answer = await read(plugin)
    assert (answer.data["version"], answer.lease.ttl_seconds) == (2, 600)
    assert [key.split("/")[2][0] for key in plugin.storage.entries if key.startswith("leases/")] == ["2"]


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


async def test_the_mount_s_own_bound_is_asked_for_once_between_two_ticks_and_bounds_the_record(plugin, clock):
    await plugin.start()
    await plugin.publish()
    plugin.system.max_ttl = 120
    grant = (await read(plugin)).lease
    assert (grant.ttl_seconds, grant.max_ttl_seconds) == (600, 120)
    plugin.system.max_ttl = 3600
    assert (await read(plugin)).lease.max_ttl_seconds == 120
    await plugin.ask("rollback", "")
    assert (await read(plugin)).lease.max_ttl_seconds == 3600
    ends = sorted(int(key.split("-")[1]) for key in plugin.storage.entries if key.startswith("leases/"))
    assert ends[0] - clock.now().timestamp() <= 122


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


async def test_a_lease_of_another_release_ends_soon_when_it_is_renewed_and_in_peace_when_it_is_revoked(plugin):
    await plugin.start()
    await plugin.publish()
    grant = (await read(plugin)).lease
    kind = grant.internal_data["secret_type"]
    for data in ({"secret_type": kind}, {"secret_type": kind, "role": "crm", "version": "x"}):
        strange = replace(grant, internal_data=data)
        assert (await plugin.renew(strange)).max_ttl_seconds == 2
        await plugin.revoke(strange)
    assert await plugin.due() == []


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


async def test_a_due_version_is_handed_out_briefly_and_a_new_one_in_full(plugin):
    await plugin.start()
    await plugin.publish()
    await plugin.revoke((await read(plugin)).lease)
    answer = await read(plugin)
    assert answer.lease.ttl_seconds == 9
    assert "due for rotation" in answer.warnings[0]
    await plugin.publish(version=2)
    assert await plugin.due() == []
    answer = await read(plugin)
    assert (answer.data["version"], answer.lease.ttl_seconds, answer.warnings) == (2, 600, ())


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


async def test_the_record_is_written_before_the_answer(plugin):
    await plugin.start()
    await plugin.publish()
    plugin.storage.read_only = True
    with pytest.raises(Exception, match="readonly"):
        await read(plugin)
    plugin.storage.read_only = False
    grant = (await read(plugin)).lease
    await plugin.revoke(grant)
    assert await plugin.due() == [("crm", 1)]


async def test_another_process_goes_on_with_the_leases_of_the_one_before(plugin, mounted):
    await plugin.start()
    await plugin.publish()
    one, other = (await read(plugin)).lease, (await read(plugin)).lease
    anew = mounted(plugin.storage)
    await anew.start()
    await anew.revoke(one)
    assert await anew.due() == []
    assert (await anew.renew(other)).ttl_seconds == 600
    await anew.revoke(other)
    assert await anew.due() == [("crm", 1)]


async def test_a_standby_lends_renews_and_revokes_nothing(plugin, mounted):
    await plugin.start()
    await plugin.publish()
    grant = (await read(plugin)).lease
    before = dict(plugin.storage.entries)
    storage = MemoryStorage()
    storage.entries = dict(before)
    standby = mounted(storage, standby=True)
    await standby.start()
    for request in (read(standby), standby.renew(grant), standby.revoke(grant)):
        with pytest.raises(ForwardToActive):
            await request
    assert storage.entries == before


async def test_an_unknown_or_deleted_role_is_not_lent(plugin):
    await plugin.start()
    await plugin.engine.credentials.load()
    await plugin.register(published=plugin.engine.credentials.digests())
    with pytest.raises(CallerError, match="no published role 'crm'"):
        await read(plugin)
    await plugin.publish(version=2, password="", deleted=True)
    with pytest.raises(CallerError, match="'crm' was deleted") as refused:
        await read(plugin)
    assert refused.value.status == 404


async def test_a_renewal_for_a_role_that_was_deleted_ends_soon(plugin):
    await plugin.start()
    await plugin.publish()
    grant = (await read(plugin)).lease
    await plugin.publish(version=2, password="", deleted=True)
    assert (await plugin.renew(grant)).ttl_seconds == 2
    assert (await plugin.renew(replace(grant, max_ttl_seconds=2))).ttl_seconds == 2


async def test_a_lease_is_the_only_hint_about_time_whatever_the_role_says(plugin):
    await plugin.start()
    await plugin.publish(rotation_period=86_400, next_rotation="2030-01-02T12:00:00Z")
    hinted = (await plugin.ask("read", "static-creds/crm")).data
    leased = (await plugin.ask("read", "creds/crm")).data
    assert leased == {name: value for name, value in hinted.items() if name not in {"ttl", "rotation_period"}}
    assert "ttl" in hinted
