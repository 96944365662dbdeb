"""One more sidecar beside those of a running stack, with settings of the test's own."""

import json
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import urllib3

from vault_salesforce.dev.part import Part, Program
from vault_salesforce.dev.stack import Stack
from vault_salesforce.dev.waiting import until

_PREFIX = "VAULT_SALESFORCE_"


class Replica:
    """A sidecar of the stack's mount; a context manager, which leaves no registration behind.

    Args:
        stack: Whose mounts it serves.
        directory: Its own.
        instance: Its name.
        settings: The login, and whatever else is not as usual.
    """

    def __init__(self, stack: Stack, directory: Path, instance: str, **settings: str) -> None:
        self.instance = instance
        self._stack = stack
        self._directory = directory / instance
        self._directory.mkdir()
        self.ready_file = self._directory / "ready.json"
        mounts = stack.mounts
        usual = {
            "VAULT_ADDR": ",".join(stack.cluster.addresses),
            "MOUNT": mounts.engine,
            "KV_MOUNT": mounts.kv,
            "ENGINE_KV_MOUNT": mounts.engine_kv,
            "INSTANCE": instance,
            "LISTEN_PORT": "0",
            "MAILBOX_ROOT": str(stack.orgsim.mail),
            "READY_FILE": str(self.ready_file),
        }
        self._settings = usual | {name.upper(): value for name, value in settings.items()}
        self.part = Part(instance, self._program, self._directory, lambda _: None)

    def start(self, ready: Callable[[], bool] | None = None) -> Self:
        """Start, and wait until it is registered, or what else counts as ready."""
        self.ready_file.unlink(missing_ok=True)
        self.part.start(ready or self.ready_file.exists)
        return self

    def stop(self) -> None:
        """End it."""
        self.part.stop()

    @property
    def log(self) -> str:
        """All that it wrote."""
        return self.part.errors.read_text(errors="replace") if self.part.errors.exists() else ""

    @property
    def url(self) -> str:
        """Where it listens."""
        for line in reversed(self.log.splitlines()):
            if '"listening"' in line:
                return str(json.loads(line)["url"])
        return ""

    def readiness(self) -> tuple[int, dict[str, Any]]:
        """What its readiness probe says: status and body; 0 where it does not answer yet."""
        return self.probe("/health/ready")

    def probe(self, path: str) -> tuple[int, dict[str, Any]]:
        """Ask one of its probes; 0 where it does not answer yet."""
        status, content = self.get(path)
        return status, json.loads(content) if content else {}

    def get(self, path: str) -> tuple[int, bytes]:
        """What it answers there, with the certificate that is found there; 0 where it does not answer yet."""
        if not self.url:
            return 0, b""
        parts = urlsplit(self.url)
        assert parts.hostname
        assert parts.port
        try:
            context = ssl.create_default_context(
                cadata=ssl.get_server_certificate((parts.hostname, parts.port), timeout=5)
            )
            with urllib3.PoolManager(ssl_context=context, retries=False, timeout=5) as pool:
                answer = pool.request("GET", self.url + path)
                return answer.status, answer.data
        except (OSError, urllib3.exceptions.HTTPError):
            return 0, b""

    def said(self) -> dict[str, Any]:
        """What `info` says of it; empty where it is not registered."""
        vault = self._stack.vault.api(self._stack.vault.root_token)
        return dict(vault.ask("GET", f"v1/{self._stack.mounts.engine}/info").data["sidecars"].get(self.instance) or {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        vault, engine = self._stack.vault.api(self._stack.vault.root_token), self._stack.mounts.engine
        until(lambda: vault.send("DELETE", f"v1/{engine}/sidecar/{self.instance}").status < 300, "the registration")

    def _program(self) -> Program:
        settings = {_PREFIX + name: value for name, value in self._settings.items()}
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self._directory), "LANG": "C.UTF-8"}
        return Program((sys.executable, "-I", "-m", "vault_salesforce", "sidecar"), environment | settings)
