"""Both forms of the plugin on the real server: mounted, driven, killed; and refused where code was changed."""

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
import releases
import servers

from vault_salesforce.dev.openbao import OpenBao
from vault_salesforce.dev.waiting import until
from vault_salesforce_plugin import __version__
from vault_salesforce_plugin.install import NAME

pytestmark = pytest.mark.system

VERSION = f"v{__version__}"
CREDENTIAL = {
    "username": "crm@example.com",
    "password": "Published-1",
    "version": 1,
    "rotation_id": "r1",
    "last_vault_rotation": "2030-01-01T12:00:00Z",
    "login_url": "https://example.my.salesforce.com",
}


class Server:
    """A server without sidecar or org, as an operator meets it who installs the plugin."""

    def __init__(self, directory, binary):
        home = directory / "home"
        for path in (home, directory / "vault"):
            path.mkdir()
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8"}
        self.bao = OpenBao(directory / "vault", environment, lambda _: None, binary)
        self.bao.start()
        self.api = self.bao.api(self.bao.root_token)

    @property
    def plugins(self):
        return self.bao.plugins

    def register(self, file, version=VERSION):
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        entry = {"command": file.name, "sha256": sha256, "version": version}
        self.api.ask("PUT", f"v1/sys/plugins/catalog/secret/{NAME}", entry)

    def mount(self, path, version=VERSION):
        return self.api.send("POST", f"v1/sys/mounts/{path}", {"type": NAME, "config": {"plugin_version": version}})

    def reload(self, path):
        return self.api.send("PUT", "v1/sys/plugins/reload/backend", {"mounts": [f"{path}/"]})

    def info(self, path="sf"):
        return self.api.send("GET", f"v1/{path}/info")

    def processes(self):
        """Those that run anything from the plugin directory."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    arguments = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if f"{self.plugins}/".encode() in arguments:
                    found.append(int(entry.name))
        return found


@pytest.fixture
def start():
    """Starts a server, given its program; ended after the test, and all that it left."""
    with tempfile.TemporaryDirectory(prefix="vs-") as directory:
        made = []

        def start(binary=servers.NEWEST):
            made.append(Server(Path(directory).resolve(), binary))
            return made[0]

        yield start
        for server in made:
            server.bao.stop()
            for pid in server.processes():
                os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def release(tmp_path_factory):
    """The release under test, installed."""
    return releases.make(tmp_path_factory.mktemp("release") / "venv")


@pytest.fixture(params=["launcher", "binary"])
def artefact(request):
    """Puts the plugin into a plugin directory, and tells its file there."""
    if request.param == "launcher":
        return request.getfixturevalue("release").launcher
    return lambda plugins: Path(shutil.copy2(releases.binary(), plugins))


def test_a_form_of_the_plugin_serves_leases_restarts_and_leaves_nothing_behind(start, artefact):
    server = start()
    server.register(artefact(server.plugins))
    for path in ("sf", "other"):
        assert server.mount(path).status == 204
    assert server.info().data["version"] == __version__
    shared = server.processes()
    assert len(shared) <= 2  # one file that unpacks itself waits for its own child

    server.api.ask("POST", "v1/sf/published/crm", CREDENTIAL)
    assert server.api.ask("GET", "v1/sf/static-creds/crm").data["password"] == "Published-1"
    leased = server.api.ask("GET", "v1/sf/creds/crm").body
    server.api.ask("PUT", "v1/sys/leases/renew", {"lease_id": leased["lease_id"], "increment": 60})
    server.api.ask("PUT", "v1/sys/leases/revoke", {"lease_id": leased["lease_id"], "sync": True})
    assert [mark["role"] for mark in due(server)] == ["crm"]
    assert "Salesforce credentials" in server.api.ask("GET", "v1/sf?help=1").body["help"]
    assert server.api.send("POST", "v1/sf/rotate/crm", {}).status == 503  # no sidecar: said by the engine itself

    os.kill(min(shared), signal.SIGKILL)
    until(lambda: not set(shared) & set(server.processes()), "the end of both processes of a single file")
    for path in ("sf", "other"):  # the server may find out by a request that fails
        until(lambda path=path: server.info(path).status == 200, "an answer from a new process")
    assert server.api.ask("GET", "v1/sf/static-creds/crm").data["password"] == "Published-1"
    assert [mark["role"] for mark in due(server)] == ["crm"]

    server.bao.stop()
    assert server.processes() == []


def due(server):
    return server.api.ask("GET", "v1/sf/info").data["due"]


@pytest.mark.parametrize("binary", servers.BOTH.values(), ids=servers.BOTH)
def test_code_that_was_changed_is_refused_in_words_that_the_operator_reads(start, release, binary, tmp_path):
    """As after an upgrade of a package, until install-plugin was run again."""
    server = start(binary)
    changed = releases.Release(tmp_path / "venv", __version__)
    shutil.copytree(release.directory, changed.directory, symlinks=True)
    server.register(changed.launcher(server.plugins))
    assert server.mount("sf").status == 204
    module = changed.site / "urllib3" / "fields.py"
    module.write_text(module.read_text() + "# of another release\n")

    refused = server.reload("sf")
    assert refused.status == 400
    assert f"{module} is not the file that this launcher was made for" in refused.sentences
    assert "run install-plugin again, and register the sha256 that it prints" in refused.sentences
    until(lambda: not server.processes(), "the end of every attempt")
    fresh = server.mount("fresh")
    assert fresh.status == 400
    assert "is not the file that this launcher was made for" in fresh.sentences

    server.register(changed.launcher(server.plugins))
    assert server.reload("sf").status < 300
    assert server.info().status == 200


@pytest.fixture
def noexec(tmp_path):
    """Runs a file with a TMPDIR in which nothing may be executed, and tells what it said."""
    place = tmp_path / "noexec"
    place.mkdir()
    script = f'mount -t tmpfs -o noexec tmpfs "{place}" && TMPDIR="{place}" exec "$0"'

    def run(file):
        command = ("/usr/bin/unshare", "--mount", "/bin/sh", "-c", script, file)
        return subprocess.run(command, capture_output=True, text=True, check=False).stderr

    if os.geteuid() or "not permitted" in run("/bin/true"):
        pytest.skip("only root may mount a file system")
    return run


def test_a_temporary_directory_in_which_nothing_may_be_executed(noexec, release, tmp_path):
    """The launcher does not mind; the single file names the directory in which it was unpacked."""
    assert "register it with a server" in noexec(release.launcher(tmp_path))
    said = noexec(releases.binary())
    assert "Failed to load Python shared library" in said
    assert f"{tmp_path}/noexec/" in said
    assert "failed to map segment" in said
