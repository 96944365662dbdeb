"""What is bounded: the time for all tries together, the places, one caller's share of them, and a path's length."""

import asyncio

import pytest

from vault_plugin_sdk.logical.errors import CallerError, TransientError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_contract.forwarding import MAX_PATH_BYTES
from vault_salesforce_plugin.forward import Limits
from vault_salesforce_plugin.http import Http


def test_all_tries_together_end_before_the_server_that_is_sealed_meanwhile_loses_patience():
    # A request in flight holds the server's state lock; it is to be free within 12 s.
    assert max(Limits().patient_seconds, Limits().brief_seconds) <= Limits().all_seconds < 12


async def test_full_places_are_503_at_once(mounted, stand_in):
    plugin = mounted(http=Http(threads=1, reserved=1, queue=0))
    door = stand_in()
    await plugin.start()
    await door.join(plugin)
    plugin.grow_old()
    with pytest.raises(TransientError, match="nothing was begun") as refused:
        await plugin.ask("update", "rotate/crm")
    assert refused.value.status == 503
    assert (await plugin.ask("read", "status/crm")).data == {"ok": True}


async def test_a_caller_with_too_many_requests_under_way_is_429_at_once_and_others_are_not(mounted, stand_in, alice):
    plugin = mounted(http=Http(threads=8, reserved=0, queue=0))
    door = stand_in()
    await plugin.start()
    await door.join(plugin)
    plugin.grow_old()
    door.hang()
    runaway = [asyncio.create_task(plugin.ask_as(alice, "update", "rotate/crm")) for _ in range(6)]
    await asyncio.sleep(0)
    with pytest.raises(TransientError, match="nothing was begun") as refused:
        await plugin.ask_as(alice, "update", "rotate/crm")
    assert (refused.value.status, refused.value.code, refused.value.retry_after_seconds) == (429, "busy", 1)
    door.raw = None
    assert (await plugin.ask_as(Caller(entity_id="e-bob"), "read", "status/crm")).data == {"ok": True}
    door.released.set()
    assert all(answer.data for answer in await asyncio.gather(*runaway))  # none of them was refused


async def test_a_path_that_no_web_server_would_take_is_not_sent(plugin, stand_in):
    door = stand_in()
    await plugin.start()
    await door.join(plugin)
    for path in ("rotate/" + "x" * MAX_PATH_BYTES, "rotate/" + "ü" * (MAX_PATH_BYTES // 6)):
        with pytest.raises(CallerError) as refused:
            await plugin.ask("update", path)
        assert refused.value.status == 404
    assert door.seen == []
