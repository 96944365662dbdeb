"""A mount that is moved or disabled ends all its leases at once, and means nothing by it."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from product import Product

from vault_salesforce.dev import setup
from vault_salesforce.dev.setup import AppRole, Mounts
from vault_salesforce.dev.stack import Stack

pytestmark = pytest.mark.system

DOCUMENT = Path(__file__).parents[2] / "docs" / "leases.md"
LEASES = 100
MOVED = Mounts(engine="moved/sf")


@pytest.fixture
def own():
    """A product of this test's own: it does not survive it."""
    with Stack(tell=lambda _: None) as made:
        made.start()
        product = Product(made)
        yield product
        product.close()


def documented(product, command):
    """Run a command of `docs/leases.md`, as it is written there."""
    assert f"$ {command}\n" in DOCUMENT.read_text()
    vault = product.stack.vault
    environment = vault.environment_of_cli(vault.root_token)
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    ran = subprocess.run(("/bin/sh", "-c", command), env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def another_login(vault):
    role = f"v1/auth/approle/role/{setup.POLICY}"
    role_id = vault.ask("GET", f"{role}/role-id").data["role_id"]
    return AppRole(role_id, vault.ask("POST", f"{role}/secret-id", {}).data["secret_id"])


def test_neither_a_move_nor_a_disabled_mount_rotates_and_after_a_move_the_engine_goes_on(own):
    stack, vault = own.stack, own.vault
    account = own.account(lease_rotation_interval=0)

    def lend(mount):
        with ThreadPoolExecutor(16) as readers:
            path = f"v1/{mount}/creds/{account.role}"
            return list(readers.map(lambda _: vault.ask("GET", path).body["lease_id"], range(LEASES)))

    def living(mount):
        return len(vault.send("LIST", f"v1/sys/leases/lookup/{mount}/creds/{account.role}/").data.get("keys", ()))

    lend("sf")
    documented(own, "bao secrets move sf moved/sf")
    assert (living("sf"), living(MOVED.engine)) == (0, 0)
    assert vault.ask("GET", f"v1/{MOVED.engine}/info").data["due"] == []
    # Reads go on at once: the copies moved along.
    assert vault.ask("GET", f"v1/{MOVED.engine}/static-creds/{account.role}").data["version"] == 1
    assert vault.ask("GET", f"v1/{MOVED.engine}/creds/{account.role}").body["lease_duration"] == 600

    stack.sidecar.stop()
    documented(own, "vault-salesforce policy sidecar --mount moved/sf | bao policy write salesforce-sidecar -")
    vault.ask("POST", f"v1/auth/approle/role/{setup.POLICY}", {"token_policies": ["salesforce-sidecar"]})
    documented(own, "bao kv patch -mount=salesforce-engine -cas=1 owner mount=moved/sf")
    stack.sidecar.start(stack.cluster.addresses, MOVED, another_login(vault), stack.orgsim.mail)
    rotated = vault.ask("POST", f"v1/{MOVED.engine}/rotate/{account.role}", {}).data
    assert (rotated["done"], rotated["version"]) == (True, 2)
    assert own.counted(account)["password_changes"] == 1

    lend(MOVED.engine)
    vault.ask("DELETE", f"v1/sys/mounts/{MOVED.engine}")
    assert living(MOVED.engine) == 0
    assert own.counted(account)["password_changes"] == 1
    assert own.is_live(account)
