"""The running product, as a test drives it, and the org's call in the midst of a change."""

import copy
import http.server
import json
import secrets
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vault_salesforce.dev.openbao import OpenBao
    from vault_salesforce.dev.rest import Answer, Rest
    from vault_salesforce.dev.stack import Stack

PATIENCE_SECONDS = 40.0


@dataclass(frozen=True)
class Account:
    """A Salesforce user with its role, both made for one test."""

    role: str
    username: str


class Product:
    """The running product, as a test drives it: through its addresses, with a user and a role of the test's own."""

    def __init__(self, stack: "Stack") -> None:
        self.stack = stack
        self.vault: Rest = stack.vault.api(stack.vault.root_token)
        self.org: Rest = stack.orgsim.control()
        self.connection = "demo"
        self._threads = ThreadPoolExecutor(16, thread_name_prefix="test")

    def through(self, node: "OpenBao") -> "Product":
        """The same, asked through another node of the server."""
        other = copy.copy(self)
        other.vault = node.api(node.root_token)
        return other

    def connect(self) -> None:
        """Make a connection of the test's own: three accounts that were refused for one reason are a hold on all."""
        like = dict(self.vault.ask("GET", "v1/sf/config/demo").data)
        self.connection = f"c{secrets.token_hex(4)}"
        fields = {name: like[name] for name in ("login_url", "allowed_roles", "mailbox", "sidecar_address")}
        self.vault.ask("POST", f"v1/sf/config/{self.connection}", fields)

    def user(self, **settings: Any) -> str:
        """Make a user whom the org asks for no token, unless `login_ranges` says otherwise."""
        username = f"u{secrets.token_hex(4)}@example.com"
        trusted = {"login_ranges": ["127.0.0.1"]}
        self.org.ask("POST", "users", {"username": username, "password": self.password()} | trusted | settings)
        return username

    @staticmethod
    def password() -> str:
        """A starting password."""
        return f"Start-1-{secrets.token_urlsafe(12)}"

    def account(self, **fields: Any) -> Account:
        """A user without a token, and its role, at version 1."""
        password = self.password()
        return self.role(self.user(password=password), password=password, **fields)

    def account_with_token(self, **fields: Any) -> Account:
        """A user who logs in with password and token; new tokens come by mail. At version 1."""
        password = self.password()
        username = self.user(password=password, login_ranges=[], ever_reset_token_manually=True)
        account = self.role(username, password=password, security_token_from="mailbox", **fields)
        self.org.ask("POST", f"users/{username}/reset-security-token")
        self.until(lambda: self.version(account) == 1, "version 1, with the mailed token")
        return account

    def role(self, username: str, **fields: Any) -> Account:
        """A role for a user."""
        name = f"r{secrets.token_hex(4)}"
        self.vault.ask("POST", f"v1/sf/static-roles/{name}", {"config": self.connection, "username": username} | fields)
        return Account(name, username)

    def rotate(self, account: Account, **fields: Any) -> "Answer":
        """Rotate, and take whatever is answered."""
        return self.vault.send("POST", f"v1/sf/rotate/{account.role}", fields)

    def rotate_meanwhile(self, account: Account, **fields: Any) -> "Future[Answer]":
        """The same from a thread of its own."""
        return self._threads.submit(self.rotate, account, **fields)

    def static_creds(self, account: Account) -> dict[str, Any]:
        """What the engine serves."""
        return dict(self.vault.ask("GET", f"v1/sf/static-creds/{account.role}").data)

    def version(self, account: Account) -> int:
        """The version that the engine serves; 0 before the first."""
        return int(self.vault.send("GET", f"v1/sf/version/{account.role}").data.get("version") or 0)

    def status(self, account: Account) -> dict[str, Any]:
        """The role's status."""
        return dict(self.vault.ask("GET", f"v1/sf/status/{account.role}").data)

    def kv(self, account: Account) -> dict[str, Any]:
        """The newest credential in KV, and its KV version as `kv_version`."""
        data = self.vault.ask("GET", f"v1/salesforce/data/creds/{account.role}").data
        return data["data"] | {"kv_version": data["metadata"]["version"]}

    def journal(self, account: Account) -> dict[str, Any]:
        """The journal entry of the account, as a human would read it."""
        name = account.username.replace("@", "%2540")  # the path has a percent sign of its own
        return dict(self.vault.ask("GET", f"v1/salesforce-engine/data/journal/{name}").data["data"])

    def counted(self, account: Account) -> dict[str, Any]:
        """What the org counted for the user."""
        return dict(self.org.ask("GET", f"users/{account.username}").body)

    def is_live(self, account: Account) -> bool:
        """Whether KV holds what the org holds, password and token; asked without a login."""
        held = self.kv(account)
        sent = {name: held[name] for name in ("password", "security_token")}
        seen = self.org.ask("POST", f"users/{account.username}/check", sent).body
        return bool(seen["password"] and seen["security_token"])

    def bao(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """The real command line, as an operator uses it."""
        from vault_salesforce.dev.openbao import BAO

        environment = self.stack.vault.environment_of_cli(self.stack.vault.root_token)
        return subprocess.run((BAO, *arguments), env=environment, capture_output=True, text=True, check=False)

    def misbehave(self, account: Account, **knobs: Any) -> None:
        """Turn knobs of the org for this user's requests alone; a bare value is the knob's first parameter."""
        limits = {"username": account.username}
        self.org.ask("PATCH", "misbehave", {name: knob | limits for name, knob in knobs.items()})

    @staticmethod
    def until(look: Callable[[], Any], what: str, within_seconds: float = PATIENCE_SECONDS) -> Any:
        """Wait, with an end, for what a server does in its own time."""
        from vault_salesforce.dev.waiting import until

        return until(look, what, within_seconds)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()


class Hook:
    """Where the org calls at the instant of a password change, and waits (at most 5 s) for the answer.

    Attributes:
        url: For the knobs `hook_url` and `hook_after_url`.
        seen: What each call gave, or the exception that it raised.
        act: Called with the org's facts, on the server's thread, while the org waits.
    """

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.act: Callable[[dict[str, Any]], Any] = lambda facts: facts
        self.called = threading.Event()
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                facts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                try:
                    hook.seen.append(hook.act(facts))
                except Exception as exc:  # noqa: BLE001 - the test looks at it
                    hook.seen.append(exc)
                hook.called.set()
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
