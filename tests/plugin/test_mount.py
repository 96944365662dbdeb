"""The hooks of a mount: ticks, invalidations, and what a new process knows."""

import asyncio

from vault_salesforce_plugin.clock import Clock


async def test_a_tick_on_a_standby_writes_nothing(mounted, plugin, clock):
    await plugin.start()
    await plugin.publish()
    await plugin.ask("read", "creds/crm")
    await plugin.register("one")
    standby = mounted(plugin.storage, standby=True)
    await standby.start()
    clock.advance(100_000)
    await standby.ask("rollback", "")


async def test_a_standby_begins_nothing_by_itself(mounted, plugin, stand_in):
    """Every node of a cluster starts the plugin, and a single one that unseals itself begins as a standby."""
    door = stand_in()
    await plugin.start()
    await door.join(plugin)
    await plugin.publish()
    before = asyncio.all_tasks()
    standby = mounted(plugin.storage, standby=True)
    await standby.start()
    assert asyncio.all_tasks() == before
    assert door.wakes == 0


async def test_an_unknown_key_of_another_release_is_invalidated_without_a_word(plugin):
    await plugin.start()
    for key in ("credentials/crm", "due/crm", "sidecars/one", "leases/crm/1-2-3", "whatever"):
        await plugin.engine.invalidate(key)


async def test_whatever_a_standby_remembers_is_forgotten_when_another_node_writes_it(plugin, mounted):
    await plugin.start()
    standby = mounted(plugin.storage, standby=True)
    await standby.start()
    plugin.storage.read_only = False
    assert (await standby.ask("read", "info")).data["published"] == 0
    await plugin.publish()
    await plugin.register("one")
    await plugin.revoke((await plugin.ask("read", "creds/crm")).lease)
    for key in plugin.storage.entries:
        await standby.engine.invalidate(key)
    data = (await standby.ask("read", "info")).data
    assert (data["published"], list(data["sidecars"]), len(data["due"])) == (1, ["one"], 1)


async def test_the_mounts_name_is_known_from_its_requests(plugin):
    await plugin.start()
    assert plugin.engine.accessor == ""
    await plugin.register("one")
    assert (plugin.engine.accessor, plugin.engine.mount_point) == ("test_accessor", "test/")


def test_the_machines_clock_is_aware_and_its_seconds_never_go_back():
    clock = Clock()
    assert clock.now().tzinfo is not None
    assert clock.monotonic() <= clock.monotonic()
