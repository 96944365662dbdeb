"""An operator's terminal beside the running product, and what people do to its users in Salesforce."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from product import Account, Product

from vault_salesforce.dev.openbao import BAO

OUTSIDE = "Changed-outside-1"  # a password that somebody set in Salesforce


@dataclass(frozen=True)
class Desk:
    """Where an operator reads a status and types what it says."""

    product: Product
    directory: Path

    def __post_init__(self):
        (self.directory / "vault").symlink_to(BAO)

    def type(self, command, supplied=""):
        """Type a command; `supplied` is what a person types where it waits for a secret."""
        environment = self.product.stack.vault.environment_of_cli(self.product.stack.vault.root_token)
        environment["PATH"] = f"{self.directory}:{environment['PATH']}"
        return subprocess.run(
            ("/bin/bash", "-c", command), env=environment, input=supplied, capture_output=True, text=True, check=False
        )

    def status(self, account):
        """What `status/<role>` says."""
        read = self.type(f"vault read -format=json sf/status/{account.role}")
        assert read.returncode == 0, read.stderr
        return json.loads(read.stdout)["data"]

    def status_in(self, account, state):
        """The same where the role is in this state; nothing where it is in another, or nobody answers yet."""
        seen = self.product.vault.send("GET", f"v1/sf/status/{account.role}").data
        return self.status(account) if seen.get("state") == state else None

    def rests(self, account, state):
        """The status, once the role is in this state."""
        self.product.until(lambda: self.product.status(account)["state"] == state, state)
        return self.status(account)

    def take(self, status, supplied=""):
        """Take the next step."""
        step = status["next_step"]
        # A return ends what is typed, as it ends what an editor saves.
        done = self.type(step, f"{supplied}\n" if supplied else "")
        assert done.returncode == 0, (step, done.stderr)
        return done

    def is_well(self, account, version):
        """Whether the role comes to this version, and is all right."""
        self.product.until(lambda: self.product.version(account) == version, f"version {version}")
        status = self.product.until(lambda: (seen := self.product.status(account))["state"] == "ok" and seen, "ok")
        assert status["next_step"] == ""
        assert self.product.is_live(account)


def during(product, hook, account, act, **knobs):
    """Have something happen between a change of the password and its answer, and rotate."""
    hook.act = lambda _: act()
    product.misbehave(account, hook_after_url={"url": hook.url, "times": 1}, **knobs)
    return product.rotate(account)


def person(product, account, **settings):
    """Somebody does something to the user in Salesforce."""
    product.org.ask("PATCH", f"users/{account.username}", settings)


def mailed_token(product, account):
    """The token in the user's last mail, as a person reads it."""
    body = product.org.ask("GET", f"mailbox/{account.username}").data[-1]["body"]
    return next(word for word in body.split() if len(word) in (24, 25) and word.isalnum())


def role_with_a_token_by_hand(product, **fields):
    """A role at version 1 whose new tokens somebody has to hand in."""
    password = product.password()
    username = product.user(password=password, login_ranges=[], ever_reset_token_manually=True)
    product.org.ask("POST", f"users/{username}/reset-security-token")
    token = mailed_token(product, Account("", username))
    return product.role(username, password=password, security_token=token, security_token_from="manual", **fields)
