"""`sidecar/<instance>`: registration, heartbeat, and all that its answer says."""

import pytest
import trustme

from vault_plugin_sdk.logical.errors import CallerError, ForwardToActive, OperatorError
from vault_plugin_sdk.logical.request import Caller
from vault_plugin_sdk.logical.response import Response
from vault_salesforce_contract.registration import CONTRACT, DueMark, Held, digest
from vault_salesforce_plugin import __version__


async def test_the_answer_tells_the_mount_the_key_and_the_numbers(plugin):
    await plugin.start()
    told = await plugin.register()
    assert (told.accessor, told.mount, told.contract, told.version) == (
        "test_accessor",
        "test/",
        CONTRACT,
        __version__,
    )
    assert told.public_key == plugin.engine.signer.public_key
    assert told.public_key.startswith("-----BEGIN PUBLIC KEY-----")


async def test_what_is_held_is_told_where_the_digests_differ_and_only_there(plugin):
    await plugin.start()
    await plugin.publish("crm", 3)
    await plugin.publish("erp", 2, password="", deleted=True)
    held = {"crm": Held(3, "rotation-3"), "erp": Held(2, "rotation-2")}
    assert (await plugin.register(published="other")).held == held
    assert (await plugin.register(published=digest(held.items()))).held is None


async def test_the_due_marks_come_with_every_answer_until_another_version_is_published(plugin):
    await plugin.start()
    await plugin.publish()
    await plugin.revoke((await plugin.ask("read", "creds/crm")).lease)
    for _ in range(2):
        assert (await plugin.register()).due == (DueMark("crm", 1, "rotation-1"),)
    await plugin.publish(version=2)
    assert (await plugin.register()).due == ()


async def test_the_name_belongs_to_the_entity_that_wrote_it_first(plugin):
    await plugin.start()
    from_one = Caller(entity_id="e-one")
    registration = {"url": "https://127.0.0.1:1", "certificate": _certificate(), "version": "1", "contract": CONTRACT}
    await plugin.ask_as(from_one, "update", "sidecar/one", **registration)
    with pytest.raises(CallerError) as refused:
        await plugin.ask_as(Caller(entity_id="e-two"), "update", "sidecar/one", **registration)
    assert (refused.value.status, refused.value.code) == (409, "instance_taken")
    await plugin.ask("delete", "sidecar/one")
    await plugin.ask_as(Caller(entity_id="e-two"), "update", "sidecar/one", **registration)


@pytest.mark.parametrize(
    ("number", "who"), [(CONTRACT - 1, "upgrade the sidecar"), (CONTRACT + 1, "upgrade the plugin")]
)
async def test_another_contract_is_refused_with_the_half_to_upgrade(plugin, number, who):
    await plugin.start()
    with pytest.raises(OperatorError) as refused:
        await plugin.register(contract=number)
    assert (refused.value.status, refused.value.remedy) == (409, who)
    assert plugin.storage.entries == {}


@pytest.mark.parametrize("fault", [{"url": "http://127.0.0.1:1"}, {"certificate": "nonsense"}])
async def test_an_address_or_certificate_that_cannot_be_used_is_refused(plugin, fault):
    await plugin.start()
    with pytest.raises(CallerError, match=next(iter(fault))):
        await plugin.register(**fault)


async def test_it_reads_back_with_when_it_was_heard_and_lists_with_the_main_things(plugin, clock):
    await plugin.start()
    assert await plugin.ask("read", "sidecar/one") == Response()
    await plugin.register("one")
    await plugin.register("two")
    clock.advance(70)
    await plugin.register("two")
    one = (await plugin.ask("read", "sidecar/one")).data
    assert (one["url"], one["last_heard_seconds"], one["usable"]) == ("https://127.0.0.1:1", 70, False)
    listed = (await plugin.ask("list", "sidecar/")).data
    assert listed["keys"] == ["one", "two"]
    assert listed["key_info"]["two"]["usable"] is True


async def test_one_not_heard_for_a_day_is_removed_by_the_tick(plugin, clock):
    await plugin.start()
    await plugin.register("one")
    clock.advance(86_400)
    await plugin.ask("rollback", "")
    assert plugin.storage.entries == {}


async def test_memory_says_whether_a_registration_is_a_create_or_an_update(plugin):
    await plugin.start()
    assert plugin.engine.exists("sidecar/one") is None
    await plugin.register("one")
    assert plugin.engine.exists("sidecar/one") is True
    assert plugin.engine.exists("sidecar/two") is False
    assert plugin.engine.exists("static-roles/crm") is None


async def test_a_standby_registers_nobody_but_lists_them(plugin, mounted):
    await plugin.start()
    await plugin.register("one")
    standby = mounted(plugin.storage, standby=True)
    await standby.start()
    with pytest.raises(ForwardToActive):
        await standby.register("one")
    listed = (await standby.ask("list", "sidecar/")).data
    assert listed == {"keys": ["one"], "key_info": {"one": {"version": "0.1.0", "contract": CONTRACT}}}
    await standby.engine.invalidate("sidecars/one")
    assert (await standby.ask("list", "sidecar/")).data == listed


def _certificate():
    return trustme.CA().issue_cert("127.0.0.1").cert_chain_pems[0].bytes().decode()
