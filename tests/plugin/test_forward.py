"""Everything that is a sidecar's, over a real TLS connection: what is sent, and what becomes of the answer."""

import asyncio
import json

import pytest

from vault_plugin_sdk.logical.errors import CallerError, ForwardToActive, OperatorError, TransientError
from vault_plugin_sdk.logical.response import Response
from vault_plugin_sdk.logical.storage import MemoryStorage


async def test_the_claims_say_what_is_asked_by_whom_of_which_sidecar_for_how_long(plugin, stand_in, clock, alice):
    door = stand_in()
    await plugin.start()
    await door.join(plugin)
    await plugin.ask_as(alice, "update", "rotate/crm", wait="5s", force=True)
    ((claims, body),) = door.seen
    assert (claims.iss, claims.aud, claims.jti) == ("test_accessor", "one", "request-7")
    assert (claims.operation, claims.path, claims.caller) == ("update", "rotate/crm", alice)
    assert (claims.iat, claims.exp - claims.iat) == (int(clock.now().timestamp()), 30)
    assert json.loads(body) == {"wait": "5s", "force": True}


async def test_a_read_is_signed_for_the_mount_too_although_the_server_does_not_name_it_then(plugin, stand_in, alice):
    door = stand_in()
    await plugin.start()
    await door.join(plugin)
    await plugin.ask_as(alice, "read", "status/crm")
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


async def test_no_5xx_for_a_rotation_that_a_killed_process_may_have_passed_on_before(mounted, stand_in, alice):
    """A plugin is killed with a rotation in hand: the server asks the next one again, which no sidecar knows yet."""
    storage, door = MemoryStorage(), stand_in()
    before = mounted(storage)
    await before.start()
    await door.join(before)
    await before.ask_as(alice, "update", "rotate/crm")
    plugin = mounted(storage)
    await plugin.start()
    answer = await plugin.ask_as(alice, "update", "rotate/crm")
    assert (answer.status, answer.data["done"]) == (None, False)
    assert "may be going on" in answer.warnings[0]
    with pytest.raises(TransientError, match="it has not registered"):
        await plugin.ask_as(alice, "read", "status/crm")
    plugin.grow_old()
    with pytest.raises(TransientError, match="it has not registered"):
        await plugin.ask_as(alice, "update", "rotate/crm")


async def test_a_process_is_as_young_as_it_was_when_the_request_came(replaced, stand_in, alice):
    """Found by the fault tests: what was tried for seconds was answered by a process that had grown old over it."""
    door = stand_in()
    plugin = await replaced(door)
    door.on_stranger = plugin.grow_old
    answer = await plugin.ask_as(alice, "update", "rotate/crm")
    assert (answer.status, answer.data["state"]) == (None, "unknown")


@pytest.mark.parametrize("code", ["not_up", "stopping"])
async def test_a_young_process_passes_on_no_503_of_a_sidecar_that_declines_either(mounted, stand_in, alice, code):
    door = stand_in()
    plugin = mounted(MemoryStorage())
    await plugin.start()
    await door.join(plugin)
    door.reply = lambda claims, body: (503, {"errors": ["it is not up"], "code": code})
    assert (await plugin.ask_as(alice, "update", "rotate/crm")).data["state"] == "unknown"
    plugin.grow_old()
    assert (await plugin.ask_as(alice, "update", "rotate/crm")).status == 503


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


@pytest.mark.parametrize(
    "page",
    [
        *(b"<html>Bad gateway</html>", b"[1]", b'{"data": 1}', b'{"warnings": 3}', b'{"data": {"version": NaN}}'),
        *(b'{"data": {"version": 1e999}}', b'{"data": ' + b"[" * 5_000 + b"]" * 5_000 + b"}"),
        b'{"data": ' + b'{"a": ' * 900 + b"1" + b"}" * 901,
    ],
)
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
