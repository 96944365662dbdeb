"""The Salesforce org of the stack, on ports that stay the same when it is started again."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from vault_salesforce.dev.part import Part, Program
from vault_salesforce.dev.ports import on_free_ports
from vault_salesforce.dev.rest import Rest


@dataclass(frozen=True)
class User:
    """A user of the org, who once asked for a security token, so that each change of password mails a new one."""

    username: str
    password: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)

    def to_json(self) -> dict[str, Any]:
        """As the simulator's configuration wants it."""
        return {
            "username": self.username,
            "password": self.password,
            "security_token": self.security_token or None,
            "ever_reset_token_manually": True,
        }


class OrgSim:
    """The simulator.

    Args:
        directory: Its own; the maildir for all its users is in it.
        environment: Its environment.
        tell: See `Part`.
        users_again: The users for an org that died and has forgotten everything.
    """

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str],
        tell: Callable[[str], None],
        users_again: Callable[[], Sequence[User]],
    ) -> None:
        self.url = self.control_url = ""
        self.mail = directory / "mail"
        self._environment, self._users_again = environment, users_again
        self._users: Callable[[], Sequence[User]] = users_again
        self._configuration = directory / "org.json"
        self.part = Part("orgsim", self._program, directory, tell)

    def start(self, users: Sequence[User]) -> None:
        """Start with these users.

        Raises:
            PartFailed: It did not come up.
        """
        self._users = lambda: users
        on_free_ports(2, self._start_on)
        self._users = self._users_again

    def stop(self) -> None:
        """End it."""
        self.part.stop()

    def control(self) -> Rest:
        """Its control port."""
        return Rest(self.control_url)

    def _start_on(self, port: int) -> None:
        self.url, self.control_url = (f"http://127.0.0.1:{each}" for each in (port, port + 1))
        self.part.start(self._answers)

    def _answers(self) -> bool:
        try:
            return self.control().send("GET", "org").status == HTTPStatus.OK
        except OSError:
            return False

    def _program(self) -> Program:
        self._configuration.touch(mode=0o600)
        self._configuration.write_text(json.dumps({"users": [user.to_json() for user in self._users()]}))
        port, control_port = (url.rpartition(":")[2] for url in (self.url, self.control_url))
        command = (sys.executable, "-I", "-m", "salesforce_orgsim", "--port", port, "--control-port", control_port)
        files = ("--config", str(self._configuration), "--maildir", str(self.mail))
        return Program((*command, *files), self._environment)
