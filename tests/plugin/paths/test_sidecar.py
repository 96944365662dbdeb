"""`sidecar/<instance>`: registration, heartbeat, and all that its answer says."""

import asyncio
import datetime as dt

import pytest
import trustme

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, ForwardToActive, OperatorError, TransientError
from vault_plugin_sdk.logical.request import Caller
from vault_plugin_sdk.logical.response import Response
from vault_plugin_sdk.logical.storage import MemoryStorage
from vault_plugin_sdk.testing import Mounted
from vault_salesforce_contract.published import PublishedCredential
from vault_salesforce_contract.registration import (
    CONTRACT,
    DUE_AT_MOST,
    HELD_AT_MOST,
    PARTS,
    DueMark,
    Held,
    digests,
    in_parts,
    part_of,
)
from vault_salesforce_plugin import __version__

COPY = PublishedCredential(
    username="app@example.com",
    password=SecretStr("secret"),
    version=1,
    rotation_id="rotation-1",
    last_vault_rotation=dt.datetime(2030, 1, 1, tzinfo=dt.UTC),
    login_url="https://login.example.com",
)


def digests_of(held):
    return digests(in_parts(held))


class SlowStorage(MemoryStorage):
    """Storage that lists no credentials before it is told to go on."""

    def __init__(self, other):
        super().__init__()
        self.entries = other.entries
        self.go_on = asyncio.Event()

    async def list(self, prefix):
        if prefix == "credentials/":
            await self.go_on.wait()
        return await super().list(prefix)


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
    told = await plugin.register(published=())
    assert told.differing == tuple(range(PARTS))
    assert {role: item for part in told.held.values() for role, item in part.items()} == held
    told = await plugin.register(published=digests_of({**held, "crm": Held(4, "rotation-4")}))
    assert told.differing == (part_of("crm"),)
    assert told.held == {part_of("crm"): {"crm": Held(3, "rotation-3")}}
    told = await plugin.register(published=digests_of(held))
    assert (told.differing, told.held) == ((), {})


async def test_one_answer_tells_so_many_roles_and_the_next_goes_on_from_there(plugin):
    await plugin.start()
    held = {f"role-{number}": Held(1, "rotation-1") for number in range(3 * HELD_AT_MOST)}
    for role in held:
        await plugin.engine.credentials.put(role, COPY)
    seen = {}
    for _ in range(4):
        told = await plugin.register(published=())
        roles = {role: item for part in told.held.values() for role, item in part.items()}
        assert 0 < len(roles) <= HELD_AT_MOST
        seen |= roles
    assert seen == held


async def test_one_answer_has_so_many_marks_and_the_next_has_others(plugin):
    await plugin.start()
    for number in range(DUE_AT_MOST + 100):
        await plugin.engine.credentials.put(f"role-{number}", COPY)
        await plugin.engine.due.mark(DueMark(f"role-{number}", 1, "rotation-1"))
    first, second = [(await plugin.register()).due for _ in range(2)]
    assert len(first) == len(second) == DUE_AT_MOST
    assert len({mark.role for mark in (*first, *second)}) == DUE_AT_MOST + 100


async def test_before_every_copy_is_loaded_nothing_is_compared_and_a_copy_is_read_when_it_is_asked_for(plugin, mounted):
    await plugin.start()
    await plugin.publish()
    storage = SlowStorage(plugin.storage)
    anew = mounted(storage)
    await Mounted.start(anew)
    told = await anew.register(published=digests_of({"crm": Held(1, "rotation-1")}))
    assert (told.differing, told.held) == (None, {})
    with pytest.raises(TransientError, match="not published here yet"):
        await anew.ask("read", "static-creds/nobody")
    assert (await anew.ask("read", "static-creds/crm")).data["version"] == 1
    storage.go_on.set()
    await anew.engine.credentials.load()
    assert (await anew.register(published=digests_of({"crm": Held(1, "rotation-1")}))).differing == ()
    with pytest.raises(CallerError, match="no published role"):
        await anew.ask("read", "static-creds/nobody")


async def test_a_registration_of_a_newer_release_is_understood_as_far_as_it_is_known(plugin):
    await plugin.start()
    said = {"url": "https://127.0.0.1:1", "certificate": _certificate(), "version": "9", "contract": CONTRACT}
    answer = await plugin.ask("update", "sidecar/one", **said, later=1)
    assert "later" in answer.warnings[0]
    assert answer.data["contract"] == CONTRACT


async def test_a_newer_sidecar_that_still_understands_this_contract_is_used(plugin):
    await plugin.start()
    assert (await plugin.register(contract=CONTRACT + 2, oldest_contract=CONTRACT)).contract == CONTRACT
    shown = (await plugin.ask("read", "info")).data["sidecars"]["one"]
    assert (shown["contract"], shown["compatible"], shown["usable"]) == (CONTRACT + 2, True, True)


async def test_the_due_marks_come_with_every_answer_until_another_version_is_published(plugin):
    await plugin.start()
    await plugin.publish()
    await plugin.revoke((await plugin.ask("read", "creds/crm")).lease)
    for _ in range(2):
        assert (await plugin.register()).due == (DueMark("crm", 1, "rotation-1"),)
    await plugin.publish(version=2)
    assert (await plugin.register()).due == ()


async def test_a_due_mark_names_who_was_lent_the_lease_that_ended_and_info_does_not(plugin):
    await plugin.start()
    await plugin.publish()
    reader = Caller(request_id="req-1", display_name="userpass-ann", entity_id="ent-1", accessor="acc-1")
    await plugin.revoke((await plugin.ask_as(reader, "read", "creds/crm")).lease)
    plugin.engine.due.invalidate()  # as it is stored
    (mark,) = (await plugin.register()).due
    assert mark.caller == reader
    assert "acc-1" not in str((await plugin.ask("read", "info")).data)


async def test_a_registration_and_a_refusal_are_logged_once_each(plugin, caplog):
    caplog.set_level("INFO", "vault_salesforce_plugin.sidecars")
    await plugin.start()
    for _ in range(3):
        await plugin.register()
    told = [(record.levelname, record.getMessage(), record.instance) for record in caplog.records]
    assert told == [("INFO", "a sidecar registered", "one")]
    caplog.clear()
    for _ in range(3):
        with pytest.raises(OperatorError):
            await plugin.register(contract=CONTRACT + 1)
    await plugin.register()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert f"speaks contract {CONTRACT + 1}" in caplog.records[0].reason


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
    shown = (await plugin.ask("read", "info")).data
    assert (shown["sidecars"]["one"]["compatible"], shown["sidecars"]["one"]["usable"]) == (False, False)
    assert shown["next_step"].startswith(who)
    await plugin.register()
    assert (await plugin.ask("read", "info")).data["sidecars"]["one"]["compatible"] is True


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
    with pytest.raises(ForwardToActive):
        await standby.ask("delete", "sidecar/one")
    listed = (await standby.ask("list", "sidecar/")).data
    assert listed == {
        "keys": ["one"],
        "key_info": {"one": {"version": "0.1.0", "contract": CONTRACT, "compatible": True}},
    }
    await standby.engine.invalidate("sidecars/one")
    assert (await standby.ask("list", "sidecar/")).data == listed


def _certificate():
    return trustme.CA().issue_cert("127.0.0.1").cert_chain_pems[0].bytes().decode()
