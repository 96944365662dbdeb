"""`info`: how this node's half is, and what to do next."""

import pytest

from vault_salesforce_contract.registration import CONTRACT, DUE_AT_MOST, DueMark, Held, digests, in_parts
from vault_salesforce_plugin import __version__

OURS = digests(in_parts({"crm": Held(1, "rotation-1")}))
MORE = digests(in_parts({"crm": Held(1, "rotation-1"), "erp": Held(1, "rotation-1")}))


async def info(plugin):
    return (await plugin.ask("read", "info")).data


async def test_it_tells_versions_sidecars_marks_and_counts(plugin, clock):
    await plugin.start()
    await plugin.publish()
    await plugin.register("one", published=OURS, lacking=0)
    await plugin.revoke((await plugin.ask("read", "creds/crm")).lease)
    clock.advance(7)
    assert await info(plugin) == {
        "version": __version__,
        "contract": CONTRACT,
        "standby": False,
        "sidecars": {
            "one": {
                "version": "0.1.0",
                "contract": CONTRACT,
                "compatible": True,
                "last_heard_seconds": 7,
                "usable": True,
                "reachable": True,
                "reason": "",
                "missing": 0,
            }
        },
        "due": [{"role": "crm", "version": 1, "rotation_id": "rotation-1", "cause": "lease"}],
        "due_count": 1,
        "published": 1,
        "complete": True,
        "missing": 0,
        "next_step": "",
    }


async def test_a_standby_tells_what_is_stored(plugin, mounted):
    await plugin.start()
    await plugin.publish()
    await plugin.register("one")
    standby = mounted(plugin.storage, standby=True)
    await standby.start()
    data = await info(standby)
    assert (data["standby"], data["published"], list(data["sidecars"])) == (True, 1, ["one"])
    assert "last_heard_seconds" not in data["sidecars"]["one"]


async def test_the_next_step_is_about_the_first_thing_that_is_wrong(plugin, clock):
    await plugin.start()
    await plugin.publish()
    assert "start `vault-salesforce sidecar`: it registers at test/sidecar/" in (await info(plugin))["next_step"]
    await plugin.register("one", reason="salesforce/ takes writes without check-and-set")
    said = "the sidecar one says: salesforce/ takes writes without check-and-set"
    assert (await info(plugin))["next_step"] == said
    await plugin.register("one", published=MORE)
    assert "being compared" in (await info(plugin))["next_step"]
    await plugin.register("one", published=MORE, lacking=1)
    data = await info(plugin)
    assert (data["complete"], data["missing"], data["next_step"][:20]) == (False, 1, "wait: 1 still to be ")
    await plugin.register("two", published=OURS)
    clock.advance(61)
    await plugin.register("one", published=OURS, lacking=0)
    data = await info(plugin)
    assert data["next_step"].startswith("two was not heard for 60 s")
    assert "vault delete test/sidecar/two" in data["next_step"]
    await plugin.ask("delete", "sidecar/two")
    assert (await info(plugin))["next_step"] == ""
    clock.advance(75)
    assert (await info(plugin))["next_step"].startswith("one was last heard 75 s ago")


async def test_many_marks_are_counted_and_the_first_of_them_shown(plugin):
    await plugin.start()
    for number in range(DUE_AT_MOST + 1):
        await plugin.publish(f"role-{number}")
        await plugin.engine.due.mark(DueMark(f"role-{number}", 1, "rotation-1"))
    data = await info(plugin)
    assert (len(data["due"]), data["due_count"]) == (DUE_AT_MOST, DUE_AT_MOST + 1)


@pytest.mark.parametrize("number", [CONTRACT - 1, CONTRACT + 1])
async def test_a_sidecar_of_another_contract_is_shown_until_it_is_silent(plugin, clock, number):
    await plugin.start()
    with pytest.raises(Exception, match="contract"):
        await plugin.register("old", contract=number)
    shown = (await info(plugin))["sidecars"]["old"]
    assert (shown["contract"], shown["compatible"], shown["usable"]) == (number, False, False)
    clock.advance(61)
    await plugin.ask("rollback", "")
    assert (await info(plugin))["sidecars"] == {}
