"""`creds/<role>`: the answer under a lease, and its renewals."""

from dataclasses import replace

import pytest

from vault_plugin_sdk.logical.errors import CallerError, ForwardToActive
from vault_plugin_sdk.logical.storage import MemoryStorage


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
