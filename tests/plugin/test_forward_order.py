"""Which sidecar is asked, and who is tried next: one that nobody has heard, that declines, or that does not know us."""

import asyncio
import socket
import threading

import pytest

from vault_plugin_sdk.logical.errors import OperatorError, TransientError
from vault_plugin_sdk.logical.response import Response
from vault_salesforce_plugin import http as http_module


async def test_before_any_registration_the_answer_is_503_with_the_remedy_and_never_404(plugin):
    await plugin.start()
    with pytest.raises(OperatorError, match="no sidecar has registered at this mount yet") as refused:
        await plugin.ask("read", "status/crm")
    assert refused.value.status == 503
    assert "test/sidecar/" in refused.value.remedy


async def test_a_sidecar_that_has_gone_silent_is_not_asked(plugin, stand_in, clock):
    door = stand_in()
    await plugin.start()
    await door.join(plugin)
    clock.advance(61)
    with pytest.raises(TransientError, match="one: 61 s ago") as refused:
        await plugin.ask("read", "status/crm")
    assert (refused.value.status, door.seen) == (503, [])


async def test_the_next_sidecar_is_tried_when_one_cannot_be_reached(plugin, stand_in):
    one, two = stand_in("one"), stand_in("two")
    await plugin.start()
    await one.join(plugin)
    await two.join(plugin)
    for number in range(8):
        await plugin.ask("read", f"status/role-{number}")
    assert one.seen
    assert two.seen
    one.close()
    two.seen.clear()
    for number in range(8):
        await plugin.ask("update", f"rotate/role-{number}")
    assert [claims.aud for claims, _ in two.seen] == ["two"] * 8


async def test_a_sidecar_whose_name_is_resolved_slowly_leaves_time_for_the_next(plugin, stand_in, monkeypatch):
    slow, other = stand_in("one"), stand_in("two")
    monkeypatch.setattr(http_module, "CONNECT_SECONDS", 0.1)
    may_end, resolve = threading.Event(), socket.getaddrinfo

    def look(host, *arguments, **options):
        return may_end.wait(10) and [] if host == "sidecar.example" else resolve(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look)
    await plugin.start()
    await slow.join(plugin, url=slow.url.replace("127.0.0.1", "sidecar.example"))
    await other.join(plugin)
    for number in range(4):
        assert (await plugin.ask("update", f"rotate/role-{number}")).data == {"ok": True}
    assert (slow.seen, len(other.seen)) == ([], 4)
    may_end.set()


@pytest.mark.parametrize("code", ["not_up", "stopping", "clock_skew"])
async def test_a_sidecar_that_declines_has_done_nothing_so_the_next_is_tried(plugin, stand_in, code):
    starting, other = stand_in("one"), stand_in("two")
    said = {"errors": ["this sidecar is not up: starting"], "code": code, "retry_after_seconds": 5}
    starting.reply = lambda claims, body: (503, said)
    await plugin.start()
    await starting.join(plugin)
    plugin.grow_old()
    assert await plugin.ask("update", "rotate/crm") == Response(data=said, status=503)
    await other.join(plugin)
    for number in range(4):
        assert (await plugin.ask("update", f"rotate/role-{number}")).data == {"ok": True}


async def test_one_that_complains_is_asked_after_one_that_does_not(plugin, stand_in):
    troubled, other = stand_in("one"), stand_in("two")
    await plugin.start()
    await troubled.join(plugin, reason="starting")
    await other.join(plugin)
    for number in range(8):
        await plugin.ask("read", f"status/role-{number}")
    assert (troubled.seen, len(other.seen)) == ([], 8)


async def test_when_none_can_be_reached_the_answer_says_of_each_why(plugin, stand_in):
    one, two = stand_in("one"), stand_in("two")
    await plugin.start()
    await one.join(plugin)
    await two.join(plugin, certificate=one.certificate)
    one.close()
    plugin.grow_old()
    with pytest.raises(TransientError, match="no sidecar can be reached: ") as refused:
        await plugin.ask("update", "rotate/crm")
    assert "one: no connection" in refused.value.sentence
    assert "two: it does not show the certificate" in refused.value.sentence
    assert refused.value.status == 503
    assert refused.value.retry_after_seconds == 10


async def test_a_sidecar_that_meets_an_unknown_key_registers_and_gets_the_same_request_again(plugin, stand_in, alice):
    door = stand_in()
    await plugin.start()
    told = await plugin.register("one", **door.registration())
    loop = asyncio.get_running_loop()

    def learn():
        async def beat():
            door.trusted = (await plugin.register("one", **door.registration())).public_key

        asyncio.run_coroutine_threadsafe(beat(), loop)

    door.on_stranger = learn
    assert (await plugin.ask_as(alice, "update", "rotate/crm")).data == {"ok": True}
    assert door.trusted == told.public_key
    assert [claims.jti for claims, _ in door.seen] == ["request-7"]


async def test_a_new_process_whose_first_request_is_a_read_learns_its_mount_from_the_registration(
    replaced, stand_in, alice
):
    door = stand_in()
    plugin = await replaced(door)
    loop = asyncio.get_running_loop()

    def learn():
        asyncio.run_coroutine_threadsafe(door.join(plugin), loop).result(5)

    door.on_stranger = learn
    assert (await plugin.ask_as(alice, "read", "status/crm")).data == {"ok": True}
    assert door.strangers == 1


async def test_one_that_never_learns_the_key_is_passed_over_and_named(plugin, stand_in):
    forgetful, other = stand_in("one"), stand_in("two")
    await plugin.start()
    await plugin.register("one", **forgetful.registration())
    plugin.grow_old()
    with pytest.raises(TransientError, match="one: it has not registered"):
        await plugin.ask("update", "rotate/crm")
    assert forgetful.strangers == 3
    await other.join(plugin)
    assert (await plugin.ask("update", "rotate/crm")).data == {"ok": True}


async def test_a_sidecar_that_does_not_take_the_signature_is_passed_over_for_the_callers_token_is_good(
    plugin, stand_in
):
    misled, other = stand_in("one"), stand_in("two")
    misled.reply = lambda claims, body: (
        401,
        {"errors": ["the signature is not for this sidecar"], "code": "not_signed"},
    )
    await plugin.start()
    await misled.join(plugin)
    plugin.grow_old()
    with pytest.raises(TransientError, match="one: it does not take this mount's signature"):
        await plugin.ask("update", "rotate/crm")
    await other.join(plugin)
    assert (await plugin.ask("update", "rotate/crm")).data == {"ok": True}
