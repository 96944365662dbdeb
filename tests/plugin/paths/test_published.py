"""`published/<role>`: what a sidecar hands over."""

import pytest

from vault_plugin_sdk.logical.errors import CallerError, ForwardToActive
from vault_plugin_sdk.logical.response import Response


async def test_a_read_gives_no_secret(plugin):
    await plugin.start()
    await plugin.publish(version=3, ttl=60)
    data = (await plugin.ask("read", "published/crm")).data
    assert (data["version"], data["rotation_id"], data["ttl"], data["deleted"]) == (3, "rotation-3", 60, False)
    assert "password" not in data
    assert "security_token" not in data
    assert "secret-3" not in str(data)


async def test_a_hand_over_is_whole_what_it_leaves_out_is_the_default_again(plugin):
    await plugin.start()
    await plugin.publish(ttl=60)
    await plugin.publish()
    assert (await plugin.ask("read", "published/crm")).data["ttl"] == 600


async def test_a_hand_over_with_faults_names_them_all_and_nothing_of_the_secrets(plugin):
    await plugin.start()
    with pytest.raises(CallerError) as refused:
        await plugin.publish(version=0, rotate_on_lease_end="often", last_vault_rotation="yesterday")
    for field in ("version", "rotate_on_lease_end", "last_vault_rotation"):
        assert field in refused.value.sentence
    assert "secret" not in refused.value.sentence


async def test_what_a_newer_release_hands_over_is_taken_as_far_as_it_is_known(plugin):
    await plugin.start()
    assert "later" in (await plugin.publish(later="something")).warnings[0]
    assert (await plugin.ask("read", "static-creds/crm")).data["version"] == 1


async def test_an_older_version_is_refused(plugin):
    await plugin.start()
    await plugin.publish(version=3)
    with pytest.raises(CallerError) as refused:
        await plugin.publish(version=2)
    assert (refused.value.status, refused.value.code) == (409, "superseded")


async def test_the_list_names_the_roles_deleted_ones_too_for_they_count_on(plugin):
    await plugin.start()
    assert await plugin.ask("list", "published/") == Response()
    await plugin.publish("crm")
    await plugin.publish("erp", version=2, password="", deleted=True)
    data = (await plugin.ask("list", "published/")).data
    assert data["keys"] == ["crm", "erp"]
    assert [(name, told["version"], told["deleted"]) for name, told in data["key_info"].items()] == [
        ("crm", 1, False),
        ("erp", 2, True),
    ]
    assert all(set(told) == {"version", "last_vault_rotation", "deleted"} for told in data["key_info"].values())
    assert (await plugin.ask("list", "published/", after="crm", limit="1")).data["keys"] == ["erp"]


async def test_a_deleted_copy_is_gone_and_may_come_again(plugin):
    await plugin.start()
    await plugin.publish(version=3)
    await plugin.ask("delete", "published/crm")
    assert await plugin.ask("read", "published/crm") == Response()
    assert plugin.storage.entries == {}
    await plugin.publish(version=1)


async def test_a_standby_takes_nothing_over(mounted):
    standby = mounted(standby=True)
    await standby.start()
    with pytest.raises(ForwardToActive):
        await standby.publish()
    with pytest.raises(ForwardToActive):
        await standby.ask("delete", "published/crm")


async def test_no_secret_is_in_what_is_printed_of_a_credential(plugin):
    await plugin.start()
    await plugin.publish()
    assert "secret-1" not in repr(await plugin.engine.credentials.get("crm"))
