"""`version/<role>`: what to ask before a login."""

import pytest

from vault_plugin_sdk.logical.errors import ForwardToActive


async def test_it_says_which_version_and_whether_it_is_being_changed_and_no_secret(plugin):
    await plugin.start()
    await plugin.publish(version=3)
    calm = {"version": 3, "last_vault_rotation": "2030-01-01T12:00:00Z", "changing": False}
    assert (await plugin.ask("read", "version/crm")).data == calm
    await plugin.register(changing=["crm"])
    assert (await plugin.ask("read", "version/crm")).data == calm | {"changing": True}
    await plugin.publish(version=4)
    assert (await plugin.ask("read", "version/crm")).data == calm | {"version": 4}


async def test_a_standby_hears_no_sidecar_so_it_does_not_say_that_nothing_changes(plugin, mounted):
    await plugin.start()
    await plugin.publish()
    standby = mounted(plugin.storage, standby=True)
    await standby.start()
    with pytest.raises(ForwardToActive):
        await standby.ask("read", "version/crm")
