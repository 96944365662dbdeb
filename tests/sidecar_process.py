"""A sidecar's process, as it is started, with what it logs: for the tests that ask it from outside."""

import json
import os
import ssl
import subprocess
import sys
import threading
from pathlib import Path

PROGRAM = "import os; from vault_salesforce_sidecar import serve; serve.main(os.environ)"
PATIENCE_SECONDS = 30


class Process:
    """A sidecar's process, with the lines of its log."""

    def __init__(self, environ):
        self.popen = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], env=environ, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        self.lines = []
        self._news = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        with self.popen.stderr as stream:
            for line in stream:
                with self._news:
                    self.lines.append(line.decode())
                    self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def logged(self, event):
        """The first line about `event`, waited for."""
        with self._news:
            found = self._news.wait_for(lambda: self._find(event) or self._ended, PATIENCE_SECONDS)
            assert found, f"no {event}: {self.lines}"
            assert self._find(event), self.lines
            return self._find(event)

    def _find(self, event):
        for line in self.lines:
            if line.startswith("{") and json.loads(line)["event"].startswith(event):
                return json.loads(line)
        return None

    def worker(self):
        """The pid of its one worker; while a reload changes it, of the new one."""
        return int(Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children").read_text().split()[-1])

    def ended(self):
        """Wait until every process that writes to its stderr is gone."""
        self._reader.join(PATIENCE_SECONDS)
        return not self._reader.is_alive()


def environ_of(server, directory):
    """The environment of a sidecar at this server, with a log-in, mounts and a folder of its own."""
    settings = {
        "VAULT_ADDR": server.addr,
        "AUTH_METHOD": "token",
        "VAULT_TOKEN_FILE": str(directory / "token"),
        "KV_MOUNT": server.mount_kv(),
        "ENGINE_KV_MOUNT": server.mount_kv(),
        "LISTEN_PORT": "0",
        "INSTANCE": "one",
        "READY_FILE": str(directory / "ready.json"),
    }
    (directory / "token").write_text(server.root_token)
    prefixed = {f"VAULT_SALESFORCE_{name}": value for name, value in settings.items()}
    return {"PATH": os.environ["PATH"], "HOME": str(directory)} | prefixed


def address_of(url):
    """Host and port."""
    host, _, port = url.removeprefix("https://").rpartition(":")
    return host, int(port)


def trusting(url):
    """TLS that trusts the certificate found there and no other."""
    return ssl.create_default_context(cadata=ssl.get_server_certificate(address_of(url)))
