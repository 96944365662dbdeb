"""A plugin that is served, over the pipe and the socket: who may start it, and what its mounts answer."""

import asyncio
import base64
import contextlib
import json
import subprocess
import sys

import pytest
from grpclib.exceptions import StreamTerminatedError
from wire_host import EXAMPLE, SECOND, WireHost, data_of, eventually, python, started

from vault_plugin_sdk.wire.proto import backend_pb2 as pb
from vault_plugin_sdk.wire.proto import go_plugin_pb2 as go_plugin

NOTHING = go_plugin.Nothing()


def raw(reply):
    answer = data_of(reply)
    return answer["http_status_code"], json.loads(base64.b64decode(answer["http_raw_body"]))


# Start


@pytest.mark.parametrize(
    "environ", [{"VAULT_BACKEND_PLUGIN": None}, {"PLUGIN_PROTOCOL_VERSIONS": "3,4"}, {"PLUGIN_CLIENT_CERT": None}]
)
def test_without_a_fitting_host_it_ends_with_one_line_on_stderr(environ):
    with WireHost(python(EXAMPLE), environ) as host:
        assert host.wait() == 1
        assert host.line == ""
        host.wait_for_end_of_log()
        assert len(host.logged) == 1
        assert not host.logged[0].startswith("{")


def test_the_cookie_is_checked_before_anything_heavy_is_imported():
    program = (
        "import sys, vault_plugin_sdk.wire.serve as s\n"
        "try: s.serve(None, version='1.0.0')\n"
        "except SystemExit: print(sorted({'asyncio', 'ssl', 'grpclib', 'google', 'cryptography'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], env={}, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# A mount


def test_a_registration_probe_needs_no_storage(host):
    async def scenario():
        probe = host.new_mount()
        assert (await probe.setup()).err == ""
        return await host.call("/logical.PluginVersion/Version", NOTHING, go_plugin.VersionReply)

    assert host.run(scenario()).plugin_version == "v0.3.1"


def test_storage_may_be_announced_after_setup(host):
    async def scenario():
        late = host.new_mount()
        await late.setup()
        initializing = asyncio.create_task(late.initialize())
        await host.announce(late)
        return await initializing

    assert not host.run(scenario()).HasField("err")


def test_a_refused_setup_says_why(host):
    async def scenario():
        return await host.new_mount().setup({"refuse": "yes"})

    assert host.run(scenario()).err == "this mount option is not for us"


def test_type_and_special_paths_are_told(host, mount):
    async def scenario():
        kind = await mount.call("Type", pb.Empty(), pb.TypeReply)
        special = await mount.call("SpecialPaths", pb.Empty(), pb.SpecialPathsReply)
        return kind.type, special.paths

    kind, paths = host.run(scenario())
    assert kind == 1
    assert (list(paths.root), list(paths.unauthenticated)) == (["guarded/*"], ["open"])
    assert (list(paths.seal_wrap_storage), list(paths.local_storage)) == (["kept/"], ["wal/"])


def test_two_mounts_keep_their_storage_apart(host, mount):
    async def scenario():
        other = await host.mount()
        await mount.send("update", "kv/a", {"n": 1})
        await other.send("update", "kv/a", {"n": 2})
        keys = data_of(await mount.send("list", "kv/"))["keys"]
        return keys, data_of(await mount.send("read", "kv/a")), data_of(await other.send("read", "kv/a"))

    assert host.run(scenario()) == (["a"], {"n": 1}, {"n": 2})


def test_an_answer_may_be_nothing_data_warnings_or_raw(host, mount):
    async def scenario():
        nothing = await mount.send("read", "nothing")
        echo = await mount.send("update", "echo", {"a": [1, None]}, id="r1", display_name="alice")
        return nothing, echo, await mount.send("update", "accepted"), await mount.send("read", "secret")

    nothing, echo, accepted, secret = host.run(scenario())
    assert not nothing.HasField("response")
    assert data_of(echo)["data"] == {"a": [1, None]}
    assert data_of(echo)["who"][:2] == ["r1", "alice"]
    assert list(echo.response.warnings) == ["mind the gap"]
    assert raw(accepted) == (202, {"state": "rotating"})
    assert data_of(secret) == {"password": "pa55"}


def test_errors_say_who_acts_and_bugs_say_nothing(host, mount):
    async def scenario():
        paths = ("caller-error", "operator-error", "bug", "unserialisable")
        answers = [await mount.send("read", path) for path in paths]
        await eventually(lambda: _logged_times(host, "internal error", 2))
        return answers

    caller, operator, bug, unserialisable = map(raw, host.run(scenario()))
    assert caller == (404, {"errors": ["no such role; create it"], "code": "role_unknown", "remedy": "create it"})
    assert operator == (424, {"errors": ["the org is locked"]})
    for status, body in (bug, unserialisable):
        assert (status, list(body)) == (500, ["errors"])
        (incident,) = [line for line in host.log() if line.get("incident", "?") in body["errors"][0]]
        assert incident["@level"] == "error"
    assert "hunter2" not in "".join(host.logged)


def test_bodies_up_to_a_mebibyte_are_read_and_larger_ones_refused(host, mount):
    async def scenario():
        fits = await mount.send("update", "kv/big", {"text": "x" * 1_000_000})
        read = await mount.send("read", "kv/big")
        return fits, read, await mount.send("update", "kv/big", {"text": "x" * 20_000_000})

    fits, read, refused = host.run(scenario())
    assert not fits.HasField("err")
    assert len(data_of(read)["text"]) == 1_000_000
    assert raw(refused)[0] == 400


def test_a_large_answer_arrives_whole(host, mount):
    reply = host.run(mount.send("read", "big/20000000"))
    assert len(data_of(reply)["text"]) == 20_000_000


def test_requests_run_at_the_same_time(host, mount):
    async def scenario():
        slow = [asyncio.create_task(mount.send("read", "sleep/30")) for _ in range(40)]
        await eventually(lambda: _seen_times(mount, "asleep", 40))
        answer = await mount.send("read", "config")
        for task in slow:
            task.cancel()
        await eventually(lambda: _seen_times(mount, "cancelled", 40))
        return answer

    assert data_of(host.run(scenario())) == {"plugin_name": "example"}


async def _logged_times(host, text, times):
    return sum(text in line for line in host.logged) == times


async def _seen_times(mount, word, times):
    return data_of(await mount.send("read", "seen"))["seen"].count(word) == times


def test_resolve_path_touches_nothing(host, mount):
    async def scenario():
        before = len(mount.side.calls)
        reply = await mount.send("resolve-path", "kv/a", "{not json")
        exists = [await mount.exists(path) for path in ("known", "new", "else", "boom")]
        return reply, exists, mount.side.calls[before:]

    reply, exists, calls = host.run(scenario())
    assert reply.err.err_type == 5
    assert [(check.check_found, check.exists) for check in exists] == [
        (True, True),
        (True, False),
        *[(False, False)] * 2,
    ]
    assert calls == []
    assert host.logged == []


def test_another_name_of_a_path_is_resolved_from_memory_and_a_broken_hook_is_not_heard_of(host, mount):
    async def scenario():
        before = len(mount.side.calls)
        resolved = await mount.send("resolve-path", "alias/A", "null")
        return resolved, await mount.send("resolve-path", "boom", "null"), mount.side.calls[before:]

    resolved, broken, calls = host.run(scenario())
    assert data_of(resolved) == {"path": "kv/a"}
    assert broken.err.err_type == 5
    assert (calls, host.logged) == ([], [])


@pytest.mark.parametrize("operation", ["scan", "header"])
def test_rare_operations_are_not_taken_for_a_write(host, mount, operation):
    async def scenario():
        return await mount.send(operation, "kv/a", {"n": 1}), await mount.send("read", "kv/a")

    refused, read = host.run(scenario())
    assert raw(refused)[0] == 405
    assert not read.HasField("response")


# The server's side


@pytest.mark.parametrize("lacks", [set(), {"Storage/IsTransactional", "Storage/ListPage"}])
def test_what_the_storage_can_do_is_asked_once_and_made_up_for(host, lacks):
    async def scenario():
        mount = host.new_mount()
        mount.side.lacks = lacks
        await host.announce(mount)
        await mount.setup()
        initialized = await mount.initialize()
        ends = [data_of(await mount.send("read", f"transaction/{end}")) for end in ("commit", "conflict", "error")]
        await mount.send("update", "kv/a", {})
        await mount.send("update", "kv/b", {})
        pages = [data_of(await mount.send("list", "page", {"after": after}))["keys"] for after in ("", "b")]
        return initialized, ends, pages, mount.side.calls

    initialized, (committed, conflict, rolled_back), pages, calls = host.run(scenario())
    assert not initialized.HasField("err")
    assert pages == [["a", "b"], ["in"]]
    assert committed["listed"] == [["in"], ["in"]]
    assert committed["is"] is not bool(lacks)
    assert calls.count("Storage/IsTransactional") == (not lacks)
    if lacks:
        assert (committed["outside"], rolled_back["said"], rolled_back["after"]) == (True, "rolled back", True)
        assert conflict["said"] == ""
    else:
        assert (committed["inside"], committed["outside"], committed["after"]) == (True, False, True)
        assert conflict["said"] == "transaction commit failed"
        assert rolled_back["said"] == "rolled back"


def test_a_call_that_this_server_lacks_is_made_once_for_each_mount(host, mount):
    async def scenario():
        return [data_of(await mount.send("read", "system/absent"))["said"] for _ in range(2)]

    assert host.run(scenario()) == [["the server has no /pb.SystemView/GenerateIdentityToken"] * 2] * 2


def test_what_a_crash_left_half_done_is_undone_by_the_next_process(host, mount):
    """The server starts another process for the same mount, and may run the request in it once more."""
    with contextlib.suppress(StreamTerminatedError, OSError):
        host.run(mount.send("update", "make/thing"))
    assert host.wait() == 4

    with started(python(EXAMPLE)) as anew:

        async def scenario():
            again = anew.new_mount()
            again.side.storage = mount.side.storage
            await anew.announce(again)
            await again.setup()
            await again.initialize()
            await again.send("rollback", "")
            await again.send("rollback", "")
            return data_of(await again.send("read", "seen"))["seen"], await again.side.storage.list("wal/")

        assert anew.run(scenario()) == (["periodic", "unmade thing", "periodic"], [])


# Leases


def test_a_renewal_returns_the_whole_secret(host, mount):
    async def scenario():
        leased = (await mount.send("read", "leased", {"ttl": "60"})).response
        leased.secret.lease_options.increment = 30 * SECOND
        renewed = (await mount.send("renew", "leased", leased.data, secret=leased.secret)).response
        again = (await mount.send("renew", "leased", renewed.data, secret=renewed.secret)).response
        await mount.send("revoke", "leased", again.data, secret=again.secret)
        await mount.send("revoke", "leased", again.data, secret=again.secret)
        return leased, renewed, again, data_of(await mount.send("read", "seen"))["seen"]

    leased, renewed, again, seen = host.run(scenario())
    options = leased.secret.lease_options
    for secret in (renewed.secret, again.secret):
        assert secret.internal_data == leased.secret.internal_data
        assert secret.lease_options.issue_time == options.issue_time
        assert (secret.lease_options.renewable, secret.lease_options.MaxTTL) == (True, 600 * SECOND)
    assert renewed.secret.lease_options.TTL == 30 * SECOND
    assert renewed.data == "null"
    assert seen == ["revoked 7", "revoked 7"]


def test_a_failed_revocation_is_one_that_the_server_tries_again(host):
    async def scenario():
        mount = await host.mount({"revoke": "fails"})
        leased = (await mount.send("read", "leased")).response
        failed = await mount.send("revoke", "leased", leased.data, secret=leased.secret)
        foreign = await mount.send("revoke", "leased", "null", secret=pb.Secret(internal_data="{}"))
        return failed.err, foreign.err

    failed, foreign = host.run(scenario())
    assert (failed.err_type, failed.err_code, failed.err_msg) == (3, 503, "the org is away")
    assert foreign.err_type == 3


# Nodes


def test_a_standby_forwards_writes_and_does_no_periodic_work(host):
    async def scenario():
        standby = await host.mount(standby=True)
        await standby.send("rollback", "")
        writes = [await standby.send("update", path, {"x": 1}) for path in ("kv/a", "active")]
        return writes, data_of(await standby.send("read", "seen"))["seen"]

    writes, seen = host.run(scenario())
    assert [(reply.err.err_type, reply.err.err_msg) for reply in writes] == [
        (0, "please forward to the active node")
    ] * 2
    assert seen == []


def test_the_active_node_does_periodic_work_and_hears_of_changes(host, mount):
    async def scenario():
        reply = await mount.send("rollback", "")
        await mount.call("InvalidateKey", pb.InvalidateKeyArgs(key="kv/a"), pb.Empty)
        return reply, data_of(await mount.send("read", "seen"))["seen"]

    reply, seen = host.run(scenario())
    assert reply == pb.HandleRequestReply()
    assert seen == ["periodic", "invalidate kv/a"]
