"""The SDK under the real server: a tiny engine, registered, mounted and driven through the HTTP API."""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wire_host import EXAMPLE

NAME = "vault-plugin-secrets-example"
PATIENCE_SECONDS = 30

pytestmark = pytest.mark.system


class Bao:
    """A dev server of its own, with its own HOME, on two neighbouring ports."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.plugins = directory / "plugins"
        self.plugins.mkdir()
        self.log = directory / "server.log"
        self._changed = threading.Event()
        for _ in range(5):
            if self._start():
                return
        pytest.fail(f"the server did not start:\n{self.log.read_text()}")

    def _start(self) -> bool:
        port = _free_pair()
        self.address = f"http://127.0.0.1:{port}"
        config = self.directory / "extra.hcl"
        config.write_text(f'plugin_directory = "{self.plugins}"\n')
        command = [shutil.which("bao", path=str(Path(sys.executable).parent)) or "bao", "server", "-dev"]
        command += ["-dev-no-store-token", "-dev-root-token-id=root", f"-dev-listen-address=127.0.0.1:{port}"]
        command += [f"-config={config}", "-log-level=debug"]
        environ = {"HOME": str(self.directory), "TMPDIR": str(self.directory), "PATH": os.environ["PATH"]}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        return self.eventually(lambda: self.process.poll() is not None or self._ready()) and self.process.poll() is None

    def _ready(self) -> bool:
        try:
            return "secret/" in self.call("GET", "sys/mounts")[1]["data"]
        except OSError:
            return False

    def eventually(self, fact: Any, seconds: float = PATIENCE_SECONDS) -> bool:
        """Wait until `fact()` is true; the server offers nothing to wait on."""
        deadline = time.monotonic() + seconds
        while not fact():
            if time.monotonic() > deadline:
                return False
            self._changed.wait(0.05)
        return True

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """One request; status and decoded body."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - our own server on loopback
            f"{self.address}/v1/{path}", data, {"X-Vault-Token": "root"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as reply:  # noqa: S310 - as above
                status, text = reply.status, reply.read()
        except urllib.error.HTTPError as refused:
            with refused:
                status, text = refused.code, refused.read()
        return status, json.loads(text) if text else None

    def register(self, launcher: str) -> None:
        """Put a launcher into the plugin directory and register it."""
        path = self.plugins / NAME
        path.write_text(launcher)
        path.chmod(0o755)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        body = {"command": NAME, "sha256": digest, "version": "v0.3.1"}
        status, answer = self.call("PUT", f"sys/plugins/catalog/secret/{NAME}", body)
        assert status == 204, answer

    def mount(self, path: str) -> None:
        """Mount the example."""
        status, answer = self.call("POST", f"sys/mounts/{path}", {"type": NAME})
        assert status == 204, f"{answer}\n{self.log.read_text()[-4000:]}"

    def plugin_pids(self) -> set[int]:
        """Processes that run the launcher of this server."""
        found = set()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if str(self.plugins / NAME).encode() in (entry / "cmdline").read_bytes():
                        found.add(int(entry.name))
                except OSError:
                    continue
        return found

    def stop(self) -> None:
        """End the server, and whatever it left behind."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
            for pid in self.plugin_pids():
                os.kill(pid, signal.SIGKILL)


def _free_pair() -> int:
    """A free port whose neighbour is free too: a dev server takes both."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


@pytest.fixture
def bao() -> Iterator[Bao]:
    with tempfile.TemporaryDirectory(prefix="bao-") as directory:
        server = Bao(Path(directory))
        try:
            server.register(
                f"#!{sys.executable} -I\nimport runpy\nrunpy.run_path({str(EXAMPLE)!r}, run_name='__main__')\n"
            )
            yield server
        finally:
            server.stop()


def test_an_engine_serves_storage_leases_errors_and_help(bao: Bao) -> None:
    bao.mount("ex")

    assert bao.call("POST", "ex/kv/a", {"colour": "blue"})[0] == 204
    assert bao.call("GET", "ex/kv/a")[1]["data"] == {"colour": "blue"}
    assert bao.call("LIST", "ex/kv/")[1]["data"] == {"keys": ["a"]}
    assert bao.call("GET", "ex/kv/none")[0] == 404

    lease = bao.call("GET", "ex/leased")[1]
    assert lease["renewable"]
    assert lease["lease_duration"] == 60
    renewed = bao.call("PUT", "sys/leases/renew", {"lease_id": lease["lease_id"], "increment": 30})
    assert renewed[1]["lease_duration"] == 30, renewed
    assert bao.call("PUT", "sys/leases/renew", {"lease_id": lease["lease_id"], "increment": 20})[0] == 200
    assert bao.call("PUT", "sys/leases/revoke", {"lease_id": lease["lease_id"], "sync": True})[0] == 204
    assert "revoked 7" in bao.call("GET", "ex/seen")[1]["data"]["seen"]

    assert bao.call("GET", "ex/caller-error") == (
        404,
        {"errors": ["no such role; create it"], "code": "role_unknown", "remedy": "create it"},
    )
    assert bao.call("GET", "ex/transient-error")[1]["retry_after_seconds"] == 3
    status, answer = bao.call("GET", "ex/bug")
    assert (status, list(answer)) == (500, ["errors"])
    assert bao.call("GET", "ex/accepted") == (202, {"state": "rotating"})
    assert bao.call("POST", "ex/kv/a", {"x": "y" * 2_000_000})[0] == 400
    assert bao.call("POST", "ex/echo", {})[1]["warnings"] == ["mind the gap"]
    assert len(bao.call("GET", "ex/big/5000000")[1]["data"]["text"]) == 5_000_000
    assert "An example." in bao.call("GET", "ex?help=1")[1]["help"]
    assert "hunter2" not in bao.log.read_text()


def test_nothing_that_is_printed_or_logged_brings_the_server_down(bao: Bao) -> None:
    bao.mount("ex")
    fatal = json.dumps({"@message": 5, "@level": {}, "@timestamp": []})

    for way in ("print", "descriptor", "log"):
        assert bao.call("POST", "ex/print", {"way": way, "text": fatal})[0] == 204
    assert bao.call("POST", "ex/print", {"way": "log", "text": "a\nlong\n" + "é" * 200_000})[0] == 204

    assert bao.eventually(lambda: bao.log.read_text().count(fatal) == 3)
    assert bao.call("GET", "sys/health")[0] == 200


def test_two_mounts_share_a_process_that_comes_back_after_a_crash(bao: Bao) -> None:
    bao.mount("one")
    bao.mount("two")
    bao.call("POST", "one/kv/a", {"n": 1})
    bao.call("POST", "two/kv/a", {"n": 2})
    (pid,) = bao.plugin_pids()

    os.kill(pid, signal.SIGKILL)
    assert bao.eventually(lambda: bao.call("GET", "one/kv/a")[0] == 200)
    assert bao.eventually(lambda: bao.call("GET", "two/kv/a")[0] == 200)
    assert bao.call("GET", "one/kv/a")[1]["data"] == {"n": 1}
    assert bao.call("GET", "two/kv/a")[1]["data"] == {"n": 2}

    assert bao.call("PUT", "sys/plugins/reload/backend", {"mounts": ["one"]})[0] in {200, 204}
    assert bao.call("GET", "one/kv/a")[0] == 200
    assert bao.eventually(lambda: bao.call("GET", "two/kv/a")[0] == 200)
    (after,) = bao.plugin_pids()
    assert after != pid


def test_a_killed_server_leaves_no_plugin_behind(bao: Bao) -> None:
    bao.mount("ex")
    assert bao.plugin_pids()

    bao.process.kill()
    bao.process.wait()

    assert bao.eventually(lambda: not bao.plugin_pids())
    assert not list(bao.directory.glob("vault-plugin-*"))
