"""A copy of Vault, with a sidecar of its own, beside the original: it changes nothing until somebody adopts it."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from replica import Replica
from snapshots import RESTORE_SECONDS, no_harm, rotate, save

from vault_salesforce.dev.openbao import BAO, OpenBao, Shared

pytestmark = pytest.mark.system


@dataclass(frozen=True)
class Copied(Shared):
    """What a copy has of its own, but for the audit log: a server refuses one at another path than is stored."""

    audit: Path = Path()


def answers(server):
    """Whether there is a server, sealed as it is."""
    try:
        return bool(server.api().send("GET", "v1/sys/seal-status").body)
    except OSError:
        return False


@pytest.fixture
def cloned(restorable, tmp_path):
    """Makes a server with all that the original holds now, its seal's key too."""
    product, servers = restorable, []

    def make():
        original, directory = product.stack.vault, tmp_path / "clone"
        directory.mkdir()
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
        server = OpenBao(directory, environment, lambda _: None, shared=Copied(directory, audit=original.shared.audit))
        servers.append(server)
        server.start()
        file = save(product)
        shutil.copytree(original.plugins, server.plugins, dirs_exist_ok=True)
        server.stop()
        shutil.copy(original.shared.unseal_key, server.shared.unseal_key)
        shutil.rmtree(directory / "data")
        (directory / "data").mkdir()
        server.part.start(lambda: answers(server))
        first = server.api().ask("PUT", "v1/sys/init", {"recovery_shares": 1, "recovery_threshold": 1})
        server.part.wait(server.active)
        server.root_token = str(first.body["root_token"])
        command = (str(BAO), "operator", "raft", "snapshot", "restore", "-force", str(file))
        subprocess.run(command, env=server.environment_of_cli(server.root_token), check=True, capture_output=True)
        server.stop()
        server.root_token = original.root_token
        server.restart()
        return server

    yield make
    for server in servers:
        server.stop()


def test_a_clone_changes_nothing_until_it_is_adopted(restorable, cloned, tmp_path):
    product = restorable
    account, other = product.account(), product.account()
    server = cloned()
    vault = server.api(server.root_token)
    settings = {"vault_addr": server.address, "auth_method": "token", "vault_token": server.root_token}
    sidecar = Replica(product.stack, tmp_path, "clones-own", **settings)
    try:
        sidecar.start(lambda: "never reached" in str(sidecar.readiness()[1]))
        refused = product.until(
            lambda: (
                (answer := vault.send("POST", f"v1/sf/rotate/{account.role}")).status == 503
                and "never reached" in str(answer.body)
                and answer
            ),
            "a refusal",
            RESTORE_SECONDS,
        )
        assert vault.ask("GET", f"v1/sf/static-creds/{account.role}").data["password"]
        assert (product.counted(account)["logins"], product.counted(account)["password_changes"]) == (1, 0)
        # The original knows nothing of it.
        rotate(product, account)
        no_harm(product, account)
        adopt = re.search(r"to live on its own: vault (kv patch \S+ \S+ owner installation=)", str(refused.body))
        environment = server.environment_of_cli(server.root_token)
        done = subprocess.run(
            (str(BAO), *adopt[1].split()), env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        rotated = product.until(
            lambda: (answer := vault.send("POST", f"v1/sf/rotate/{other.role}")).status == 200 and answer,
            "a rotation of the adopted clone",
            RESTORE_SECONDS,
        )
        assert rotated.data["done"]
    finally:
        sidecar.stop()
