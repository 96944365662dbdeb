"""An app that reads its credential through an agent, configured as `docs/consumers.md` says."""

import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from agent import Agent, Audit, Renders, documented
from servers import NEWEST

from vault_salesforce.policy import policy

if TYPE_CHECKING:
    from product import Account, Product

INTERVAL_SECONDS = 1
_HOOK = '["systemctl", "reload", "crm.service"]'


class App:
    """The app of one account.

    Args:
        product: The running product.
        account: Whose credential it reads.
        directory: Its own.
    """

    def __init__(self, product: "Product", account: "Account", directory: Path) -> None:
        self.account = account
        self.audit = Audit(product.stack.directory / "vault" / "audit.log")
        self.paths = {
            "static-creds": f"sf/static-creds/{account.role}",
            "creds": f"sf/creds/{account.role}",
            "KV": f"salesforce/data/creds/{account.role}",
        }
        self._product, self._directory = product, directory
        self._stop = ExitStack()
        self._logins = f"v1/auth/approle/role/{account.role}"
        product.vault.ask("POST", self._logins, {"token_policies": self.policies(), "token_period": "1h"})

    def policies(self) -> list[str]:
        """Make the policies of a reader of this account; their names."""
        names = [f"{kind}-{self.account.role}" for kind in ("consumer", "consumer-leased")]
        for name in names:
            text = policy(name.removesuffix(f"-{self.account.role}"), role=self.account.role)
            self._product.vault.ask("PUT", f"v1/sys/policies/acl/{name}", {"policy": text})
        return names

    def configuration(self, titles: tuple[str, ...], directory: Path) -> str:
        """The documented configuration, for this server, this role and a directory of the test's."""
        directory.mkdir()
        (directory / "role-id").write_text(self._product.vault.ask("GET", f"{self._logins}/role-id").data["role_id"])
        secret_id = self._product.vault.ask("POST", f"{self._logins}/secret-id", {}).data["secret_id"]
        (directory / "secret-id").write_text(secret_id)
        return (
            "".join(map(documented, titles))
            .replace("https://vault.example.com:8200", self._product.stack.vault.address)
            .replace("/etc/crm", str(directory))
            .replace("/run/crm", str(directory))
            .replace("/crm`", f"/{self.account.role}`")
            .replace('render_interval = "30s"', f'render_interval = "{INTERVAL_SECONDS}s"')
        )

    def agent(
        self, *titles: str, binary: Path = NEWEST, then: tuple[str, ...] = ()
    ) -> tuple[Agent, dict[str, Renders]]:
        """An agent with the documented templates of these titles.

        Args:
            titles: Keys of `paths`.
            binary: The program.
            then: What the hook becomes after each render, given the rendered file as its last argument.

        Returns:
            The agent, not started yet, and what each template rendered.
        """
        directory = self._directory / secrets.token_hex(4)
        text = self.configuration(("/etc/crm/agent.hcl", *titles), directory)
        renders = {}
        for title in titles:
            suffix = {"static-creds": "", "creds": "-leased", "KV": "-kv"}[title]
            renders[title] = Renders(directory / f"salesforce{suffix}.json", then=then)
            text = text.replace(_HOOK, json.dumps(renders[title].command), 1)
        return self.keep(Agent(directory, text, binary=binary)), renders

    def proxy(self, address: str, *, cache: bool = True) -> Agent:
        """The documented proxy, at this address."""
        directory = self._directory / secrets.token_hex(4)
        text = self.configuration(("proxy.hcl",), directory).replace("127.0.0.1:8100", address)
        return self.keep(Agent(directory, text if cache else text.replace("cache {}", ""), mode="proxy"))

    def keep(self, agent: Agent) -> Agent:
        """Have it stopped at the end of the test."""
        self._stop.callback(agent.stop)
        return agent

    def close(self) -> None:
        """End its agents."""
        self._stop.close()


@pytest.fixture
def app_of(product: "Product", tmp_path: Path) -> Iterator[Any]:
    """Makes the app of an account."""
    with ExitStack() as at_end:

        def make(account: "Account") -> App:
            app = App(product, account, tmp_path)
            at_end.callback(app.close)
            return app

        yield make
