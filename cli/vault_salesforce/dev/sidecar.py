"""The sidecar of the stack: its settings as environment variables, its SecretID in a file."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from vault_salesforce.dev.host import LOOPBACK, Host
from vault_salesforce.dev.part import Part, Program, numbered
from vault_salesforce.dev.ports import on_free_ports
from vault_salesforce.dev.setup import AppRole, Mounts

_PREFIX = "VAULT_SALESFORCE_"


class Sidecar:
    """One sidecar.

    Args:
        directory: Its own.
        environment: What it gets besides its settings.
        tell: See `Part`.
        number: Which of them, from 1.
        host: Where it runs.
    """

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str],
        tell: Callable[[str], None],
        number: int = 1,
        host: Host = LOOPBACK,
    ) -> None:
        self.url = ""
        self._host = host
        self._directory, self._environment = directory, environment
        self._ready_file = directory / "ready.json"
        self.secret_id_file = directory / "secret-id"
        self._settings: dict[str, str] = {}
        self.instance = numbered("dev", number)
        self.part = Part(numbered("sidecar", number), self._program, directory, tell)

    def start(self, vault_addresses: Sequence[str], mounts: Mounts, login: AppRole, mailbox_root: Path) -> None:
        """Start, and wait until the plugin has answered its first heartbeat.

        Args:
            vault_addresses: Of all nodes.
            mounts: Where things are in Vault.
            login: Its own.
            mailbox_root: Below which mailboxes are.

        Raises:
            PartFailed: It did not come up.
        """
        self.secret_id_file.touch(mode=0o600)
        self.secret_id_file.write_text(login.secret_id)
        self._settings = {
            "VAULT_ADDR": ",".join(vault_addresses),
            "MOUNT": mounts.engine,
            "KV_MOUNT": mounts.kv,
            "ENGINE_KV_MOUNT": mounts.engine_kv,
            "INSTANCE": self.instance,
            "ROLE_ID": login.role_id,
            "SECRET_ID_FILE": str(self.secret_id_file),
            "MAILBOX_ROOT": str(mailbox_root),
            "READY_FILE": str(self._ready_file),
        }
        if self._host.certified:
            self._settings["VAULT_CA_CERT"] = str(self._host.certified.authority)
        on_free_ports(1, self._start_on)

    def restart(
        self,
        vault_addresses: Sequence[str] | None = None,
        settings: Mapping[str, str] | None = None,
        ready: Callable[[], bool] | None = None,
    ) -> None:
        """Start again as before, after `stop`.

        Args:
            vault_addresses: That it knows from now on.
            settings: Others that it has from now on, by their names without the prefix.
            ready: What counts as up, in place of a heartbeat that was answered.
        """
        self.set(settings or {})
        if vault_addresses:
            self._settings["VAULT_ADDR"] = ",".join(vault_addresses)
        self._ready_file.unlink(missing_ok=True)
        self.part.start(ready or self._ready_file.exists)

    def set(self, settings: Mapping[str, str]) -> None:
        """Have these settings from the next start on, by their names without the prefix; an empty one is not set."""
        self._settings |= settings

    def stop(self) -> None:
        """End it in its own time: what is under way comes to a durable state."""
        self.part.stop()

    def _start_on(self, port: int) -> None:
        self.url = f"https://{self._host.address}:{port}"
        self._settings |= {"LISTEN_HOST": self._host.address, "LISTEN_PORT": str(port)}
        self.restart()

    def _program(self) -> Program:
        settings = {_PREFIX + name: value for name, value in self._settings.items()}
        command = (*self._host.enter, sys.executable, "-I", "-m", "vault_salesforce", "sidecar")
        return Program(command, {**self._environment, **settings})
