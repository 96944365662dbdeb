"""`info`: how this node's half is."""

from vault_salesforce_contract.registration import CONTRACT
from vault_salesforce_plugin import __version__


async def test_it_tells_versions_sidecars_marks_and_counts(plugin, clock):
    await plugin.start()
    await plugin.publish()
    await plugin.register("one")
    await plugin.revoke((await plugin.ask("read", "creds/crm")).lease)
    clock.advance(7)
    assert (await plugin.ask("read", "info")).data == {
        "version": __version__,
        "contract": CONTRACT,
        "standby": False,
        "sidecars": {
            "one": {
                "version": "0.1.0",
                "contract": CONTRACT,
                "last_heard_seconds": 7,
                "usable": True,
                "reachable": True,
            }
        },
        "due": [{"role": "crm", "version": 1, "rotation_id": "rotation-1", "cause": "lease"}],
        "published": 1,
    }


async def test_a_standby_tells_what_is_stored(plugin, mounted):
    await plugin.start()
    await plugin.publish()
    await plugin.register("one")
    standby = mounted(plugin.storage, standby=True)
    await standby.start()
    data = (await standby.ask("read", "info")).data
    assert (data["standby"], data["published"], list(data["sidecars"])) == (True, 1, ["one"])
