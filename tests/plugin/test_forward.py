"""Everything that is a sidecar's, over a real TLS connection."""

import asyncio
import json
import socket
import threading

import pytest

from vault_plugin_sdk.logical.errors import CallerError, ForwardToActive, OperatorError, TransientError
from vault_plugin_sdk.logical.request import Caller
from vault_plugin_sdk.logical.response import Response
from vault_plugin_sdk.logical.storage import MemoryStorage
from vault_salesforce_contract.forwarding import MAX_PATH_BYTES
from vault_salesforce_plugin import http as http_module
from vault_salesforce_plugin.forward import Limits
from vault_salesforce_plugin.http import Http

YOUNG_SECONDS = Limits().all_seconds  # so long a process answers for what the one before may have passed on
ALICE = Caller("request-7", "alice", "e-alice", "accessor-1", "192.0.2.1")


async def test_the_claims_say_what_is_asked_by_whom_of_which_sidecar_for_how_long(plugin, stand_in, clock):
    door = stand_in()
    await plugin.start()
    await door.join(plugin)
    await plugin.ask_as(ALICE, "update", "rotate/crm", wait="5s", force=True)
    ((claims, body),) = door.seen
    assert (claims.iss, claims.aud, claims.jti) == ("test_accessor", "one", "request-7")
    assert (claims.operation, claims.path, claims.caller) == ("update", "rotate/crm", ALICE)
    assert (claims.iat, claims.exp - claims.iat) == (int(clock.now().timestamp()), 30)
    assert json.loads(body) == {"wait": "5s", "force": True}


async def test_a_read_is_signed_for_the_mount_too_although_the_server_does_not_name_it_then(plugin, stand_in):
    door = stand_in()
    await plugin.start()
    await door.join(plugin)
    await plugin.ask_as(ALICE, "read", "status/crm")
    assert [claims.iss for claims, _ in door.seen] == ["test_accessor"]


@pytest.mark.parametrize(
    ("operation", "path", "method"),
    [
        ("create", "config/demo", "POST"),
        ("update", "config/demo", "POST"),
        ("patch", "config/demo", "PATCH"),
        ("read", "status/crm", "GET"),
        ("list", "status/", "GET"),
        ("delete", "static-roles/crm", "DELETE"),
        ("read", "a path/with ümlauts?and=more", "GET"),
    ],
)
async def test_each_operation_has_its_method_and_its_path_arrives_whole(plugin, stand_in, operation, path, method):
    door = stand_in()
    methods = []
    answer = door.answer

    def noted(method, path, *rest):
        if path != "/wake":
            methods.append(method)
        return answer(method, path, *rest)

    door.answer = noted
    await plugin.start()
    await door.join(plugin)
    await plugin.ask(operation, path)
    assert methods == [method]
    assert [(claims.operation, claims.path) for claims, _ in door.seen] == [(operation, path)]


async def test_an_operation_that_no_path_has_is_not_sent(plugin, stand_in):
    door = stand_in()
    await plugin.start()
    await door.join(plugin)
    with pytest.raises(CallerError) as refused:
        await plugin.ask("scan", "config/")
    assert refused.value.status == 405
    assert door.seen == []


@pytest.mark.parametrize(
    ("status", "document", "expected"),
    [
        (200, {"data": {"a": 1}, "warnings": ["careful"]}, Response(data={"a": 1}, warnings=("careful",))),
        (200, {"warnings": ["careful"]}, Response(warnings=("careful",))),
        (204, None, Response()),
        (202, {"data": {"a": 1}}, Response(data={"data": {"a": 1}}, status=202)),
        (404, {"errors": []}, Response(data={"errors": []}, status=404)),
        (
            424,
            {"errors": ["no"], "code": "INVALID_LOGIN", "remedy": "resync"},
            Response(data={"errors": ["no"], "code": "INVALID_LOGIN", "remedy": "resync"}, status=424),
        ),
        (
            503,
            {"errors": ["later"], "retry_after_seconds": 5},
            Response(data={"errors": ["later"], "retry_after_seconds": 5}, status=503),
        ),
        (
            503,
            {"errors": ["skew"], "code": "clock_skew"},
            Response({"errors": ["skew"], "code": "clock_skew"}, status=503),
        ),
    ],
)
async def test_what_the_sidecar_answers_comes_through_as_it_is(plugin, stand_in, status, document, expected):
    door = stand_in()
    door.reply = lambda claims, body: (status, document)
    await plugin.start()
    await door.join(plugin)
    assert await plugin.ask("update", "config/demo") == expected


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


async def test_when_none_can_be_reached_the_answer_says_of_each_why(plugin, stand_in, clock):
    one, two = stand_in("one"), stand_in("two")
    await plugin.start()
    await one.join(plugin)
    await two.join(plugin, certificate=one.certificate)
    one.close()
    clock.advance(YOUNG_SECONDS)
    with pytest.raises(TransientError, match="no sidecar can be reached: ") as refused:
        await plugin.ask("update", "rotate/crm")
    assert "one: no connection" in refused.value.sentence
    assert "two: it does not show the certificate" in refused.value.sentence
    assert refused.value.status == 503
    assert refused.value.retry_after_seconds == 10


async def test_a_sidecar_that_meets_an_unknown_key_registers_and_gets_the_same_request_again(plugin, stand_in):
    door = stand_in()
    await plugin.start()
    told = await plugin.register("one", **door.registration())
    loop = asyncio.get_running_loop()

    def learn():
        async def beat():
            door.trusted = (await plugin.register("one", **door.registration())).public_key

        asyncio.run_coroutine_threadsafe(beat(), loop)

    door.on_stranger = learn
    assert (await plugin.ask_as(ALICE, "update", "rotate/crm")).data == {"ok": True}
    assert door.trusted == told.public_key
    assert [claims.jti for claims, _ in door.seen] == ["request-7"]


async def test_a_new_process_whose_first_request_is_a_read_learns_its_mount_from_the_registration(mounted, stand_in):
    storage, door = MemoryStorage(), stand_in()
    before = mounted(storage)
    await before.start()
    await door.join(before)
    plugin = mounted(storage)
    await plugin.start()
    loop = asyncio.get_running_loop()

    def learn():
        asyncio.run_coroutine_threadsafe(door.join(plugin), loop).result(5)

    door.on_stranger = learn
    assert (await plugin.ask_as(ALICE, "read", "status/crm")).data == {"ok": True}
    assert door.strangers == 1


async def test_one_that_never_learns_the_key_is_passed_over_and_named(plugin, stand_in, clock):
    forgetful, other = stand_in("one"), stand_in("two")
    await plugin.start()
    await plugin.register("one", **forgetful.registration())
    clock.advance(YOUNG_SECONDS)
    with pytest.raises(TransientError, match="one: it has not registered"):
        await plugin.ask("update", "rotate/crm")
    assert forgetful.strangers == 3
    await other.join(plugin)
    assert (await plugin.ask("update", "rotate/crm")).data == {"ok": True}


async def test_no_5xx_for_a_rotation_that_a_killed_process_may_have_passed_on_before(mounted, stand_in, clock):
    """A plugin is killed with a rotation in hand: the server asks the next one again, which no sidecar knows yet."""
    storage, door = MemoryStorage(), stand_in()
    before = mounted(storage)
    await before.start()
    await door.join(before)
    await before.ask_as(ALICE, "update", "rotate/crm")
    plugin = mounted(storage)
    await plugin.start()
    answer = await plugin.ask_as(ALICE, "update", "rotate/crm")
    assert (answer.status, answer.data["done"]) == (None, False)
    assert "may be going on" in answer.warnings[0]
    with pytest.raises(TransientError, match="it has not registered"):
        await plugin.ask_as(ALICE, "read", "status/crm")
    clock.advance(YOUNG_SECONDS)
    with pytest.raises(TransientError, match="it has not registered"):
        await plugin.ask_as(ALICE, "update", "rotate/crm")


async def test_a_sidecar_that_does_not_take_the_signature_is_passed_over_for_the_callers_token_is_good(
    plugin, stand_in, clock
):
    misled, other = stand_in("one"), stand_in("two")
    misled.reply = lambda claims, body: (
        401,
        {"errors": ["the signature is not for this sidecar"], "code": "not_signed"},
    )
    await plugin.start()
    await misled.join(plugin)
    clock.advance(YOUNG_SECONDS)
    with pytest.raises(TransientError, match="one: it does not take this mount's signature"):
        await plugin.ask("update", "rotate/crm")
    await other.join(plugin)
    assert (await plugin.ask("update", "rotate/crm")).data == {"ok": True}


async def test_a_lost_answer_to_a_rotation_promises_nothing_and_is_sent_once(plugin, stand_in):
    hanging, other = stand_in("one"), stand_in("two")
    calls = []
    for door in (hanging, other):
        door.raw = lambda handler, door=door: (calls.append(door), door.released.wait(10))
    await plugin.start()
    await hanging.join(plugin)
    await other.join(plugin)
    answer = await plugin.ask("update", "rotate/crm")
    assert answer.status is None
    assert answer.data == {"role": "crm", "state": "unknown", "done": False}
    assert "vault read test/status/crm" in answer.warnings[0]
    assert len(calls) == 1


async def test_a_lost_answer_to_another_write_says_that_it_may_have_been_done(plugin, stand_in):
    door = stand_in()
    door.hang()
    await plugin.start()
    await door.join(plugin)
    for path, watch in (("config/demo", "config/demo"), ("static-roles/crm", "status/crm")):
        with pytest.raises(OperatorError, match="may have been done") as refused:
            await plugin.ask("update", path)
        # Clients send again by themselves what got 5xx.
        assert (refused.value.status, refused.value.code) == (424, "outcome_unknown")
        assert refused.value.remedy.endswith(f"vault read test/{watch}")


async def test_a_lost_answer_to_a_read_may_be_asked_again(plugin, stand_in):
    door = stand_in()
    door.raw = lambda handler: None
    await plugin.start()
    await door.join(plugin)
    with pytest.raises(TransientError) as refused:
        await plugin.ask("read", "status/crm")
    assert (refused.value.status, refused.value.code) == (503, "answer_lost")


@pytest.mark.parametrize("page", [b"<html>Bad gateway</html>", b"[1]", b'{"data": 1}'])
async def test_an_answer_that_is_not_a_sidecars_is_a_lost_one(plugin, stand_in, page):
    door = stand_in()

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(page)))
        handler.end_headers()
        handler.wfile.write(page)

    door.raw = answer
    await plugin.start()
    await door.join(plugin)
    with pytest.raises(TransientError) as refused:
        await plugin.ask("read", "status/crm")
    assert refused.value.code == "answer_lost"


async def test_reads_go_on_while_a_rotation_waits_and_the_sidecar_may_write_back_meanwhile(plugin, stand_in):
    door = stand_in()
    loop = asyncio.get_running_loop()
    await plugin.start()
    await door.join(plugin)

    def rotate(claims, body):
        asyncio.run_coroutine_threadsafe(plugin.publish("crm", 2), loop).result(5)
        return 200, {"data": {"version": 2, "done": True}}

    door.reply = rotate
    assert (await plugin.ask("update", "rotate/crm")).data == {"version": 2, "done": True}
    assert (await plugin.ask("read", "static-creds/crm")).data["version"] == 2


def test_all_tries_together_end_before_the_server_that_is_sealed_meanwhile_loses_patience():
    # A request in flight holds the server's state lock; it is to be free within 12 s.
    assert max(Limits().patient_seconds, Limits().brief_seconds) <= Limits().all_seconds < 12


async def test_full_places_are_503_at_once(mounted, stand_in, clock):
    plugin = mounted(http=Http(threads=1, reserved=1, queue=0))
    door = stand_in()
    await plugin.start()
    await door.join(plugin)
    clock.advance(YOUNG_SECONDS)
    with pytest.raises(TransientError, match="nothing was begun") as refused:
        await plugin.ask("update", "rotate/crm")
    assert refused.value.status == 503
    assert (await plugin.ask("read", "status/crm")).data == {"ok": True}


async def test_a_caller_with_too_many_requests_under_way_is_429_at_once_and_others_are_not(mounted, stand_in, clock):
    plugin = mounted(http=Http(threads=8, reserved=0, queue=0))
    door = stand_in()
    await plugin.start()
    await door.join(plugin)
    clock.advance(YOUNG_SECONDS)
    door.hang()
    runaway = [asyncio.create_task(plugin.ask_as(ALICE, "update", "rotate/crm")) for _ in range(6)]
    await asyncio.sleep(0)
    with pytest.raises(TransientError, match="nothing was begun") as refused:
        await plugin.ask_as(ALICE, "update", "rotate/crm")
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


async def test_a_standby_sends_nothing_and_asks_for_the_active_node(mounted, stand_in):
    storage, door = MemoryStorage(), stand_in()
    active = mounted(storage)
    await active.start()
    await door.join(active)
    standby = mounted(storage, standby=True)
    await standby.start()
    for operation, path in (("update", "rotate/crm"), ("read", "status/crm")):
        with pytest.raises(ForwardToActive):
            await standby.ask(operation, path)
    assert door.seen == []
