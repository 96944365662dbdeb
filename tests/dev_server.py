"""A dev server of a test's own, for plugins: nothing on disk, and gone with the test."""

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Answer:
    """What came back: status, decoded body (None where there was none), and the headers of some names."""

    status: int
    body: Any
    headers: Any

    @property
    def data(self) -> Any:
        """The member `data`."""
        return self.body["data"]


class DevServer:
    """A dev server with its own HOME, on two neighbouring ports. Its root token is `root`."""

    def __init__(self, directory: Path, binary: Path) -> None:
        self.directory = directory
        self.binary = binary
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
        command = [str(self.binary), "server", "-dev"]
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
            mounts = self.call("GET", "sys/mounts")
        except OSError:
            return False
        return mounts.status == HTTPStatus.OK and "secret/" in mounts.data

    def eventually(self, fact: Any, seconds: float = PATIENCE_SECONDS) -> bool:
        """Wait until `fact()` is true; the server offers nothing to wait on."""
        deadline = time.monotonic() + seconds
        while not fact():
            if time.monotonic() > deadline:
                return False
            self._changed.wait(0.05)
        return True

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str = "root",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request, with a token unless that is empty."""
        data = None if body is None else json.dumps(body).encode()
        sent = dict(headers or {}) | ({"X-Vault-Token": token} if token else {})
        request = urllib.request.Request(  # noqa: S310 - our own server on loopback
            f"{self.address}/v1/{path}", data, sent, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as reply:  # noqa: S310 - as above
                return _answer(reply)
        except urllib.error.HTTPError as refused:
            with refused:
                return _answer(refused)

    def register(self, name: str, program: Path, version: str) -> Answer:
        """Put a launcher of a program into the plugin directory and register it."""
        path = self.plugins / name
        launcher = f"import runpy\nrunpy.run_path({str(program)!r}, run_name='__main__')\n"
        path.write_text(f"#!{sys.executable} -I\n{launcher}")
        path.chmod(0o755)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        body = {"command": name, "sha256": digest, "version": version}
        return self.call("PUT", f"sys/plugins/catalog/secret/{name}", body)

    def mount(self, path: str, name: str, **config: object) -> None:
        """Mount a plugin."""
        answer = self.call("POST", f"sys/mounts/{path}", {"type": name, "config": config})
        assert answer.status == 204, f"{answer.body}\n{self.log.read_text()[-4000:]}"

    def plugin_pids(self) -> set[int]:
        """Processes that run a launcher of this server."""
        found = set()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if str(self.plugins).encode() in (entry / "cmdline").read_bytes():
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


def _answer(reply: Any) -> Answer:
    text = reply.read()
    return Answer(reply.status, json.loads(text) if text else None, reply.headers)


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


@contextlib.contextmanager
def dev_server(binary: Path) -> Iterator[DevServer]:
    """A running server."""
    with tempfile.TemporaryDirectory(prefix="bao-") as directory:
        server = DevServer(Path(directory), binary)
        try:
            yield server
        finally:
            server.stop()
