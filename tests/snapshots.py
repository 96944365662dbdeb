"""Going back in time: Vault as a whole, or its two KV mounts alone, as tools that copy KV do."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from desk import Desk
from product import Account, Product

KV = ("salesforce", "salesforce-engine")
RESTORE_SECONDS = 90.0
# Rotations since the copy was taken.
AGO = [1, pytest.param(5, marks=pytest.mark.long), pytest.param(50, marks=pytest.mark.long)]


def bao(product, *arguments):
    """Run the real command line. Returns: What it printed."""
    done = product.bao(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def save(product):
    """A snapshot of the whole server, now."""
    file = product.stack.directory / "vault.snap"
    bao(product, "operator", "raft", "snapshot", "save", str(file))
    return file


def restore(product, file):
    """Restore it, and wait until the server is active again: it seals and unseals itself meanwhile."""
    bao(product, "operator", "raft", "snapshot", "restore", str(file))
    product.until(
        lambda: product.vault.send("GET", "v1/sf/info").status == 200, "the engine after the restore", RESTORE_SECONDS
    )


def restore_while_stopped(product, file):
    """Stop the sidecar, and restore: nobody remembers what came after the copy."""
    product.stack.sidecar.stop()
    bao(product, "operator", "raft", "snapshot", "restore", str(file))
    product.until(product.stack.vault.active, "the server", RESTORE_SECONDS)


def start_held(product):
    """Start the sidecar as a runbook says, held. Returns: The hold."""
    sidecar = product.stack.sidecar
    sidecar.restart(settings={"START_HELD": "true"})
    sidecar.set({"START_HELD": ""})  # for the next start
    return held(product)


def make(product, mount, **settings):
    """Make a KV v2 mount anew, with nothing in it."""
    product.vault.ask("POST", f"v1/sys/mounts/{mount}", {"type": "kv", "options": {"version": "2"}})
    settings = {"cas_required": True} | settings
    product.until(
        lambda: product.vault.send("POST", f"v1/{mount}/config", settings).status in (200, 204), "the KV mount"
    )


@dataclass
class KvCopy:
    """What a KV mount holds now: the newest version of each path."""

    mount: str
    secrets: dict[str, Any] = field(default_factory=dict)

    def take(self, product, folder=""):
        """Read all of it."""
        listed = product.vault.send("LIST", f"v1/{self.mount}/metadata/{folder}").data.get("keys") or ()
        for name in listed:
            path = f"{folder}{name}".replace("%", "%25")
            if name.endswith("/"):
                self.take(product, path)
            else:
                self.secrets[path] = product.vault.ask("GET", f"v1/{self.mount}/data/{path}").data["data"]
        return self

    def put_back(self, product):
        """Into a mount made anew, as such tools do: each path begins at version 1 again."""
        product.vault.ask("DELETE", f"v1/sys/mounts/{self.mount}")
        make(product, self.mount)
        for path, data in self.secrets.items():
            written = {"data": data or {}, "options": {"cas": 0}}
            product.vault.ask("POST", f"v1/{self.mount}/data/{path}", written)


def save_kv(product):
    """A copy of both mounts, now."""
    return [KvCopy(mount).take(product) for mount in KV]


def restore_kv(product, copies):
    """Put both back, in mounts made anew."""
    for copy in copies:
        copy.put_back(product)


def held(product):
    """The hold on everything, once there is one."""
    return product.until(
        lambda: (answer := product.vault.send("GET", "v1/sf/hold")).status == 200 and answer.data,
        "the brake",
        RESTORE_SECONDS,
    )


def rotate(product, account, times=1):
    """Rotate, to the end."""
    for _ in range(times):
        answer = product.rotate(account)
        assert answer.data.get("done"), answer


def rotates_again(product, account):
    """Rotate, once the hold is over."""
    product.until(lambda: product.rotate(account).status == 200, "a rotation after the hold")


def failed_logins(product, account):
    """Of the user, in a row."""
    return product.counted(account)["failed_logins"]


def no_lockout(product, account):
    """Nobody was locked, and no failed login counts."""
    assert (product.counted(account)["lockouts"], failed_logins(product, account)) == (0, 0)


def no_harm(product, account):
    """What KV and the mount hold is live; no login was spent, and nobody was locked."""
    assert product.is_live(account)
    assert product.static_creds(account)["version"] == product.kv(account)["kv_version"]
    no_lockout(product, account)


@dataclass(frozen=True)
class Past:
    """A role that was rotated since a copy was taken, and the desk of whoever mends what comes of the copy.

    Attributes:
        copy: What `save`, or another that takes copies, returned.
        logins: Of the user, until then.
        password: What was live then.
    """

    product: Product
    desk: Desk
    account: Account
    copy: Any
    logins: int
    password: str = field(repr=False)

    @classmethod
    def taken(cls, product, directory, save, ago):
        """A new role, a copy, and so many rotations since."""
        account = product.account()
        copy = save(product)
        rotate(product, account, ago)
        logins, password = product.counted(account)["logins"], product.kv(account)["password"]
        return cls(product, Desk(product, directory), account, copy, logins, password)

    def spent_no_login(self):
        """Nobody logged in since."""
        assert self.product.counted(self.account)["logins"] == self.logins

    def stuck(self):
        """The status, once the role is stuck."""
        return self.product.until(lambda: self.desk.status_in(self.account, "stuck"), "stuck", RESTORE_SECONDS)

    def hand_in(self):
        """A person knows the password, where the engine holds nothing that logs in."""
        done = self.desk.type(f"vault write sf/resync/{self.account.role} password=-", f"{self.password}\n")
        assert done.returncode == 0, done.stderr
        assert self.product.is_live(self.account)
