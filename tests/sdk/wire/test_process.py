"""A plugin's process, as its host sees it: from the socket to the end, and what it writes."""

import asyncio
import contextlib
import json
import os
import resource
import signal
import stat
import sys
import tempfile
import time
from pathlib import Path

import pytest
from grpclib.client import UnaryStreamMethod
from grpclib.exceptions import GRPCError, StreamTerminatedError
from wire_host import EXAMPLE, WireHost, certificate_pem, data_of, eventually, python, started

from vault_plugin_sdk.wire.grpclib_transport import Channel
from vault_plugin_sdk.wire.handshake import HandshakeError, Invitation
from vault_plugin_sdk.wire.methods import RemoteMethod, RpcError, Status
from vault_plugin_sdk.wire.process import run
from vault_plugin_sdk.wire.proto import backend_pb2 as pb
from vault_plugin_sdk.wire.proto import go_plugin_pb2 as go_plugin
from vault_plugin_sdk.wire.tls import client_context, make_key_pair

NOTHING = go_plugin.Nothing()
SHUTDOWN = RemoteMethod("/plugin.GRPCController/Shutdown", go_plugin.Nothing, go_plugin.Nothing)


async def _logged(host, text):
    return any(text in line for line in host.logged)


# Start


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


def test_it_leaves_no_core_and_its_files_are_its_users_alone(host):
    assert resource.prlimit(host.process.pid, resource.RLIMIT_CORE) == (0, 0)
    assert "Umask:\t0077" in Path(f"/proc/{host.process.pid}/status").read_text()


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


def test_without_any_folder_for_the_socket_the_remedy_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    invitation = Invitation(certificate_pem(make_key_pair().pem))
    with pytest.raises(HandshakeError, match="set TMPDIR"):
        asyncio.run(run(None, "1.0.0", invitation))


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


def test_a_fault_that_nobody_waited_for_is_logged_without_its_text(host, mount):
    async def scenario():
        await mount.send("read", "forgotten")
        await eventually(lambda: _logged(host, "never retrieved"))

    host.run(scenario())
    (line,) = host.log()
    assert line["error_type"] == "builtins.ValueError"
    assert "hunter2" not in host.logged[0]


def test_nothing_but_the_one_line_ever_goes_to_stdout(host, mount):
    """The server takes anything before the line for a broken plugin, and drops what comes after."""

    async def scenario():
        await mount.send("update", "print", {"way": "print", "text": "printed"})
        await eventually(lambda: _logged(host, "printed"))
        await host.call(SHUTDOWN.path, NOTHING, go_plugin.Nothing)

    host.run(scenario())
    assert host.wait() == 0
    assert host.line.count("|") == 5
    assert host.line.startswith("1|5|unix|")
    assert host.process.stdout.read() == b""


# End


def test_shutdown_waits_for_nobody_since_the_other_mounts_requests_fail_meanwhile(host, mount):
    async def scenario():
        asleep = asyncio.create_task(mount.send("read", "sleep/60"))
        await mount.send("update", "linger")
        await host.call(SHUTDOWN.path, NOTHING, go_plugin.Nothing)
        with contextlib.suppress(StreamTerminatedError, ConnectionError):
            await asleep

    host.run(scenario())
    assert host.wait() == 0


def test_after_its_reply_to_shutdown_nothing_more_is_answered(host, mount):
    """It ends in the turn of the reply: a request that still got in would be one that the server lost."""

    async def scenario():
        await host.call(SHUTDOWN.path, NOTHING, go_plugin.Nothing)
        with pytest.raises((StreamTerminatedError, OSError)):
            await mount.send("read", "config")

    host.run(scenario())
    assert host.wait() == 0


def test_after_shutdown_it_is_gone_long_before_its_host_would_kill_it():
    """Until then requests for its other mounts fail. A host kills it after two seconds; one quick end will do."""

    def ending():
        with started(python(EXAMPLE)) as host:
            host.run(host.mount())
            host.run(host.call(SHUTDOWN.path, NOTHING, go_plugin.Nothing))
            began = time.monotonic()
            assert host.wait() == 0
            return time.monotonic() - began

    assert any(ending() < 1 for _ in range(5))


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


@pytest.fixture
def impatient():
    """The example's command, where a host is missed within seconds."""
    program = (
        "import runpy\n"
        "import vault_plugin_sdk.wire.ownership as ownership\n"
        "import vault_plugin_sdk.wire.process as process\n"
        "ownership.UNCLAIMED_SECONDS = 2.5\n"
        "ownership.LOST_SECONDS = 0.2\n"
        "process._LOOK_FOR_OWNER_SECONDS = 0.1\n"
        f"runpy.run_path({str(EXAMPLE)!r}, run_name='__main__')\n"
    )
    return [sys.executable, "-I", "-c", program]


def test_a_host_that_never_connects_is_not_waited_for(impatient):
    with WireHost(impatient) as host:
        assert host.line
        assert host.wait() == 0
        assert host.leftovers == []


def test_a_host_that_connects_and_sets_nothing_up_is_not_waited_for(impatient):
    """So a server leaves the process of an attempt that failed: connected, and never used."""
    with started(impatient) as host:
        assert host.wait() == 0
        host.wait_for_end_of_log()
        assert "no server has used" in host.log()[-1]["@message"]


def test_a_host_that_has_a_mount_may_be_silent_for_as_long_as_it_likes(impatient):
    with started(impatient) as host:

        async def scenario():
            mount = await host.mount({"plugin_name": "example"})
            await mount.send("read", "sleep/3")
            return data_of(await mount.send("read", "config"))

        assert host.run(scenario()) == {"plugin_name": "example"}


def test_a_host_that_is_lost_without_a_word_is_not_waited_for_even_where_the_parent_lives(impatient):
    """As behind a single file's starter, which waits for this process and outlives the server."""
    with started(impatient) as host:
        host.run(host.mount())
        host._channel.close()
        assert host.wait() == 0


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
