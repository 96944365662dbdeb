"""An upgrade of the plugin and its roll-back, with the very commands that install-plugin prints."""

import shlex
import subprocess
import sys

import pytest
import releases
from product import Product

from vault_salesforce.dev.openbao import BAO
from vault_salesforce_plugin import __version__
from vault_salesforce_plugin.install import NAME

pytestmark = pytest.mark.system

OLD, NEW = f"v{__version__}", "v9.9.9"


@pytest.fixture(scope="session")
def newer(tmp_path_factory):
    """A release that is newer than the one under test, and does the same."""
    return releases.make(tmp_path_factory.mktemp("newer") / "venv", NEW.removeprefix("v"))


@pytest.fixture(params=["stack", "older_stack"], ids=["newest", "2.6"])
def product(request):
    """The running product, which is left at the version that it had."""
    made = Product(request.getfixturevalue(request.param))
    yield made
    run(made, f"bao secrets tune -plugin-version={OLD} sf/", "bao plugin reload -mounts=sf/")
    made.vault.send("DELETE", f"v1/sys/plugins/catalog/secret/{NAME}?version={NEW}")
    made.close()


def run(product, *commands):
    """Commands as an operator pastes them; what the last one said."""
    environment = product.stack.vault.environment_of_cli(product.stack.vault.root_token)
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "bao"
        done = subprocess.run((BAO, *arguments), env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return done.stdout


def versions(product):
    """The version that the mount is to run, the one that it runs, and what the running one says of itself."""
    mount = product.vault.ask("GET", "v1/sys/mounts/sf").data
    said = product.vault.ask("GET", "v1/sf/info").data["version"]
    return mount["plugin_version"], mount["running_plugin_version"], f"v{said}"


def renewed(product, leased):
    renewal = {"lease_id": leased["lease_id"], "increment": 600}
    return product.vault.ask("PUT", "v1/sys/leases/renew", renewal).body["lease_duration"]


def test_an_upgrade_and_its_roll_back_keep_leases_copies_and_marks(product, newer):
    held, due = product.account(lease_rotation_interval=0), product.account(lease_rotation_interval=0)
    leased = product.vault.ask("GET", f"v1/sf/creds/{held.role}").body
    ended = product.vault.ask("GET", f"v1/sf/creds/{due.role}").body
    before = product.static_creds(held)
    product.stack.sidecar.stop()
    try:
        product.vault.ask("PUT", "v1/sys/leases/revoke", {"lease_id": ended["lease_id"], "sync": True})
        said = newer.install(product.stack.vault.plugins).stdout
        register, _, tune, reload, look = (line.strip() for line in said.splitlines() if line.startswith("  bao"))

        run(product, register)
        run(product, f"bao secrets enable -path=sf-try -plugin-version={NEW} {NAME}", "bao secrets disable sf-try")
        assert versions(product) == (OLD, OLD, OLD)
        run(product, tune)
        assert versions(product) == (NEW, OLD, OLD)
        assert run(product, reload, look).strip() == NEW.removeprefix("v")
        assert versions(product) == (NEW, NEW, NEW)
        assert keeps(product, held, leased, before, due)

        run(product, f"bao secrets tune -plugin-version={OLD} sf/", "bao plugin reload -mounts=sf/")
        assert versions(product) == (OLD, OLD, OLD)
        assert keeps(product, held, leased, before, due)
    finally:
        product.stack.sidecar.restart()
    product.until(lambda: product.version(due) == 2, "the rotation that was due before the upgrade")
    assert product.is_live(due)
    assert product.version(held) == 1
    product.vault.ask("PUT", "v1/sys/leases/revoke", {"lease_id": leased["lease_id"], "sync": True})
    product.until(lambda: product.version(held) == 2, "the rotation after the lease that outlived both reloads")
    assert product.is_live(held)


def keeps(product, held, leased, before, due):
    """Whether the lease can be renewed, the copy read, and the mark seen."""
    marks = product.vault.ask("GET", "v1/sf/info").data["due"]
    assert due.role in str(marks)
    assert product.static_creds(held) == before
    return renewed(product, leased) > 500


def test_a_launcher_that_was_registered_without_its_version_shadows_those_with_one(product):
    """What such a registration looks like, what it does to the next mount, and how it is taken back."""
    broken = product.stack.vault.plugins / "broken"
    broken.write_text(f"#!{sys.executable}\nraise SystemExit('not today')\n")
    broken.chmod(0o755)
    catalog = f"v1/sys/plugins/catalog/secret/{NAME}"
    sha256 = subprocess.run(("/usr/bin/sha256sum", broken), capture_output=True, text=True, check=True).stdout.split()[
        0
    ]
    run(product, f"bao plugin register -sha256={sha256} -command=broken secret {NAME}")
    try:
        assert product.vault.send("GET", catalog).status == 200  # found without a version, and so taken first
        assert product.vault.send("POST", "v1/sys/mounts/shadowed", {"type": NAME}).status == 400
        run(product, f"bao secrets enable -path=shadowed -plugin-version={OLD} {NAME}", "bao secrets disable shadowed")
    finally:
        run(product, f"bao plugin deregister secret {NAME}")
        broken.unlink()
    assert versions(product) == (OLD, OLD, OLD)
    run(product, f"bao secrets enable -path=shadowed {NAME}", "bao secrets disable shadowed")
