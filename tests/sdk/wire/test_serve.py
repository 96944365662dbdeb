"""A plugin as a process, driven as its server drives it."""

import asyncio
import base64
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from grpclib.client import UnaryStreamMethod
from grpclib.exceptions import GRPCError, StreamTerminatedError
from wire_host import SECOND, WireHost, python, started

from vault_plugin_sdk.wire.grpclib_transport import Channel
from vault_plugin_sdk.wire.methods import RemoteMethod, RpcError, Status
from vault_plugin_sdk.wire.proto import backend_pb2 as pb
from vault_plugin_sdk.wire.proto import go_plugin_pb2 as go_plugin
from vault_plugin_sdk.wire.tls import client_context, make_key_pair

EXAMPLE = Path(__file__).with_name("example_plugin.py")
NOTHING = go_plugin.Nothing()
SHUTDOWN = RemoteMethod("/plugin.GRPCController/Shutdown", go_plugin.Nothing, go_plugin.Nothing)


@pytest.fixture
def host():
    with started(python(EXAMPLE)) as running:
        yield running


@pytest.fixture
def mount(host):
    return host.run(host.mount({"plugin_name": "example"}))


def data_of(reply):
    assert not reply.HasField("err"), reply.err
    return json.loads(reply.response.data)


def raw(reply):
    answer = data_of(reply)
    return answer["http_status_code"], json.loads(base64.b64decode(answer["http_raw_body"]))


async def eventually(look):
    """Await `look()` until it is true; tests bound it from outside."""
    while not await look():  # noqa: ASYNC110 - what is waited for happens in another process
        await asyncio.sleep(0.01)


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


def test_a_host_certificate_that_cannot_be_read_is_told_and_nothing_is_left():
    with WireHost(python(EXAMPLE), {"PLUGIN_CLIENT_CERT": "no certificate"}) as host:
        assert host.wait() == 1
        assert host.line == ""
        host.wait_for_end_of_log()
        assert "cannot be read" in host.log()[0]["@message"]
        assert host.leftovers == []


def test_a_temporary_folder_that_is_too_deep_for_a_socket_is_told_and_left_empty(tmp_path):
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    with WireHost(python(EXAMPLE), {"TMPDIR": str(deep)}) as host:
        assert host.wait() == 1
        host.wait_for_end_of_log()
        assert "cannot listen" in host.log()[0]["@message"]
        assert list(deep.iterdir()) == []


def test_the_socket_lies_in_a_private_folder(host):
    folder = Path(host.socket).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_stranger_cannot_connect(host):
    async def scenario():
        channel = Channel(host.socket, client_context(make_key_pair(), host.plugin_certificate()))
        try:
            await channel.call(SHUTDOWN, NOTHING)
        finally:
            channel.close()

    with pytest.raises(RpcError) as refused:
        host.run(scenario())
    assert refused.value.status is Status.UNAVAILABLE
    assert host.process.poll() is None


# What every plugin offers


def test_the_general_services_answer_without_a_mount(host):
    async def scenario():
        version = await host.call("/logical.PluginVersion/Version", NOTHING, go_plugin.VersionReply)
        multiplexing = await host.call(
            "/pluginutil.multiplexing.PluginMultiplexing/MultiplexingSupport",
            NOTHING,
            go_plugin.MultiplexingSupportResponse,
        )
        health = await host.call(
            "/grpc.health.v1.Health/Check", go_plugin.HealthCheckRequest(), go_plugin.HealthCheckResponse
        )
        stdio = UnaryStreamMethod(host._channel, "/plugin.GRPCStdio/StreamStdio", go_plugin.Nothing, go_plugin.Nothing)
        return version.plugin_version, multiplexing.supported, health.status, await stdio(NOTHING)

    assert host.run(scenario()) == ("v0.3.1", True, 1, [])


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
    assert (list(paths.root), list(paths.seal_wrap_storage), list(paths.unauthenticated)) == (
        ["guarded/*"],
        ["kept/"],
        [],
    )


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
        return [await mount.send("read", path) for path in ("caller-error", "operator-error", "bug", "unserialisable")]

    caller, operator, bug, unserialisable = map(raw, host.run(scenario()))
    assert caller == (404, {"errors": ["no such role"], "code": "role_unknown", "remedy": "create it"})
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


async def _logged(host, text):
    return any(text in line for line in host.logged)


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


# Output


def test_whatever_is_printed_arrives_as_a_log_object(host, mount):
    fatal = json.dumps({"@message": 5, "@level": {}, "@timestamp": []})

    async def scenario():
        for way in ("print", "descriptor", "log"):
            await mount.send("update", "print", {"way": way, "text": fatal})
        await mount.send("update", "print", {"way": "descriptor", "text": "x" * 200_000})
        await mount.send("update", "print", {"way": "print", "text": "the end"})
        await eventually(lambda: _logged(host, "the end"))

    host.run(scenario())
    for line, text in zip(host.log(), host.logged, strict=True):
        assert len(text) < 65_536
        assert all(isinstance(line[key], str) for key in ("@message", "@level", "@timestamp", "@module"))
    assert [line["@message"] for line in host.log()].count(fatal) == 3


# End


def test_shutdown_is_answered_and_leaves_nothing(host, mount):
    async def scenario():
        return await host.call(SHUTDOWN.path, NOTHING, go_plugin.Nothing)

    assert host.run(scenario()) == NOTHING
    assert host.wait() == 0
    assert host.leftovers == []


def test_cleanup_ends_one_mount_and_the_others_go_on(host, mount):
    async def scenario():
        other = await host.mount()
        await mount.call("Cleanup", pb.Empty(), pb.Empty)
        with pytest.raises(GRPCError):
            await mount.send("read", "config")
        return data_of(await other.send("read", "config"))

    assert host.run(scenario()) == {}


def test_ctrl_c_does_not_end_it_and_a_termination_does(host, mount):
    os.kill(host.process.pid, signal.SIGINT)
    assert data_of(host.run(mount.send("read", "config")))

    os.kill(host.process.pid, signal.SIGTERM)
    assert host.wait() == 0
    assert host.leftovers == []


def test_a_crash_is_seen_as_a_broken_connection(host, mount):
    with pytest.raises(StreamTerminatedError):
        host.run(mount.send("update", "die"))
    assert host.wait() == 3


def test_an_orphan_leaves(tmp_path):
    """The plugin's parent is a process between it and this one, which is killed."""
    between = tmp_path / "between.py"
    between.write_text("import subprocess, sys\nsubprocess.Popen(sys.argv[1:]).wait()\n")
    with WireHost([sys.executable, "-I", between, *python(EXAMPLE)]) as host:
        assert host.line
        host.process.kill()
        host.wait_for_end_of_log()
        assert "gone" in host.log()[-1]["@message"]
        assert host.leftovers == []
