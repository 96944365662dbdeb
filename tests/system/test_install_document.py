"""`docs/install.md`, typed from the archive to the end: each command as it stands there, and what it says."""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest
import releases
from typed import Terminal, blocks, commands, section

from vault_salesforce.dev.openbao import OpenBao
from vault_salesforce_plugin import __version__
from vault_salesforce_plugin.install import NAME

pytestmark = pytest.mark.system

PAGE = "install.md"
NEXT = "0.2.0"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
CREDENTIAL = {
    "username": "crm@example.com",
    "password": "Published-1",
    "version": 1,
    "rotation_id": "r1",
    "last_vault_rotation": "2030-01-01T12:00:00Z",
    "login_url": "https://example.my.salesforce.com",
}


def typed(heading, block):
    """The commands of one console block of a section."""
    return commands(f"```console\n{blocks(section(PAGE, heading), 'console')[block]}```\n")


class Node:
    """A Vault node with the places that the document names, and a terminal as root."""

    def __init__(self, directory, archive):
        home = directory / "home"
        for path in (home, directory / "vault"):
            path.mkdir()
        self.bao = OpenBao(directory / "vault", ENVIRONMENT | {"HOME": str(home), "TMPDIR": str(home)}, lambda _: None)
        self.opt, self.home = directory / "opt", home
        self.names = {
            "/usr/bin/python3.11": sys.executable,
            "/opt/vault-salesforce": str(self.opt),
            "/etc/openbao/plugins": str(self.bao.plugins),
            "vault-salesforce-0.1.0-cp311-linux-x86_64": archive.name.removesuffix(".tar.gz"),
            "-address=https://<each node>:8200": "-address=$BAO_ADDR",
        }
        assert __version__ == "0.1.0", "the document installs the release before its example of an upgrade"

    def type(self, *lines, directory=None, **names):
        """Type them; what the last one printed."""
        environment = self.bao.environment_of_cli(self.bao.root_token) | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        terminal = Terminal(environment, directory or self.home, self.names | names)
        said = [terminal.type(line) for line in lines]
        return said[-1]

    def sha256(self, version):
        """Of the launcher of a release, as install-plugin printed it."""
        return hashlib.sha256((self.bao.plugins / f"{NAME}-v{version}").read_bytes()).hexdigest()

    def mounts(self):
        """Which version each mount of the plugin is to run, and which one it runs."""
        found = self.bao.api(self.bao.root_token).ask("GET", "v1/sys/mounts").data
        return {
            path: (mount["plugin_version"], mount["running_plugin_version"])
            for path, mount in found.items()
            if mount["type"] == NAME
        }

    def kill_the_plugin(self):
        """End its processes, as a restart of the server does."""
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and f"{self.bao.plugins}/".encode() in (entry / "cmdline").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)


@pytest.fixture
def node():
    archive = releases.bundle()
    with tempfile.TemporaryDirectory(prefix="vs-") as directory:
        made = Node(Path(directory).resolve(), archive)
        for file in (archive, archive.with_name(f"{archive.name}.sha256")):
            shutil.copy(file, made.home)
        made.bao.start()
        yield made
        made.bao.stop()


def test_each_command_as_typed_installs_upgrades_rolls_back_and_uninstalls(node):
    check, unpack, change, compare = typed("Get it", -1)
    node.type(check, unpack)
    inside = node.home / node.names["vault-salesforce-0.1.0-cp311-linux-x86_64"]
    assert change.removeprefix("cd ") == "vault-salesforce-0.1.0-cp311-linux-x86_64"
    node.type(compare, directory=inside)

    said = node.type(*typed("Install", 0), directory=inside)
    assert node.sha256("0.1.0") in said
    register, enable = typed("Install", 2)
    assert register.replace("<sha256>", node.sha256("0.1.0")) in said
    node.type(register, enable, **{"<sha256>": node.sha256("0.1.0")})
    assert node.mounts() == {"sf/": ("v0.1.0", "v0.1.0")}

    info, read, verify = typed("Install", 3)
    assert re.search(rf"sha256 +{node.sha256('0.1.0')}", node.type(info))
    assert "next_step" in node.type(read)
    node.type(verify)
    vault = node.bao.api(node.bao.root_token)
    vault.ask("POST", "v1/sf/published/crm", CREDENTIAL)
    vault.ask("GET", "v1/sf/creds/crm")

    releases.make(node.opt / NEXT, NEXT).launcher(node.bao.plugins)
    register, enable, disable, tune, reload, look = typed("Upgrade", 0)
    node.type(register, enable, **{"<sha256>": node.sha256(NEXT)})
    assert node.mounts() == {"sf/": ("v0.1.0", "v0.1.0"), "sf-try/": ("v0.2.0", "v0.2.0")}
    node.type(disable, tune)
    assert node.mounts() == {"sf/": ("v0.2.0", "v0.1.0")}  # until the reload
    assert node.type(reload, look).strip() == NEXT
    assert node.type(*typed("Upgrade", 1)).strip() == NEXT
    assert node.mounts() == {"sf/": ("v0.2.0", "v0.2.0")}

    assert node.type(*typed("Roll back", 0)).strip() == "0.1.0"
    assert node.mounts() == {"sf/": ("v0.1.0", "v0.1.0")}
    node.type(*typed("Roll back", 1))
    assert not (node.opt / NEXT).exists()
    assert vault.ask("GET", "v1/sf/static-creds/crm").data["password"] == "Published-1"

    # In the wrong order, as it says: without its file the plugin ends no lease.
    disable, deregister, *remove = typed("Uninstall", 0)
    launcher = node.bao.plugins / f"{NAME}-v0.1.0"
    aside = launcher.rename(launcher.with_name("aside"))
    node.kill_the_plugin()
    refused = vault.send("DELETE", "v1/sys/mounts/sf")
    assert refused.status == 400
    assert "failed to revoke" in refused.sentences
    node.type(*typed("Uninstall", 1))
    assert node.mounts() == {}
    aside.rename(launcher)

    # And in the right one.
    node.type(typed("Install", 2)[1])
    vault.ask("POST", "v1/sf/published/crm", CREDENTIAL)
    vault.ask("GET", "v1/sf/creds/crm")
    node.type(disable, deregister, *remove)
    assert node.mounts() == {}
    assert list(node.bao.plugins.iterdir()) == []
    assert not (node.opt / "0.1.0").exists()
