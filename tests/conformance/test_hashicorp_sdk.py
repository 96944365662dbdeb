"""HashiCorp's own client against our plugin: the Go tests beside this file, run against a launcher just written."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from vault_salesforce_plugin import __version__
from vault_salesforce_plugin.install import install

HERE = Path(__file__).parent
# Where Go's own archive puts it, for those who did not add it to their PATH.
GO = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
BUILD_SECONDS, RUN_SECONDS = 900, 180
VET = os.environ.get("GO_VET", "off")  # the first time it takes as long as a fifth of the build
# What the go command says where it cannot get at the modules, or is older than they ask for: nothing of ours.
NOT_TO_BE_HAD = ("dial tcp", "i/o timeout", "reading http", "x509:", "module lookup disabled", "go.mod requires go >=")
# What says where modules come from. The plugin inherits the rest too, as it would a server's.
INHERITED = ("PATH", "GO", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_")

pytestmark = pytest.mark.skipif(GO is None, reason="Go is not installed")


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """The go command's: all that it writes is inside the virtual environment, and nobody measures what it builds."""
    home = Path(sys.prefix) / "go"
    home.mkdir(exist_ok=True)
    inherited = {name: value for name, value in os.environ.items() if name.upper().startswith(INHERITED)}
    return inherited | {
        "HOME": str(home),
        "GOPATH": str(home / "path"),
        "GOMODCACHE": str(home / "modules"),
        "GOCACHE": str(home / "cache"),
        "GOENV": "off",
        "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false '-gcflags=all=-N -l' '-ldflags=-s -w'",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }


@pytest.fixture
def launcher() -> Iterator[dict[str, str]]:
    """A launcher as an operator installs it, and a place for sockets: its path must be short."""
    with tempfile.TemporaryDirectory(prefix="sdk-") as directory:
        plugins, sockets = Path(directory) / "plugins", Path(directory) / "t"
        plugins.mkdir()
        sockets.mkdir()
        installed = install(plugins)
        yield {
            "PLUGIN_LAUNCHER": str(installed.path),
            "PLUGIN_SHA256": installed.sha256,
            "PLUGIN_VERSION": __version__,
            "TMPDIR": str(sockets),
        }
        assert list(sockets.iterdir()) == [], "something was left behind"


def go(*arguments: str, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run the go command for a build: behind everything else that this machine does."""
    command = ("nice", str(GO), *arguments)
    return subprocess.run(
        command, cwd=HERE, env=environment, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )


def outcomes(environment: Mapping[str, str]) -> dict[str, str]:
    """Run the Go tests, and show what they print while they do; name of each → how it ended, "" for all of them."""
    found = {}
    command = (str(GO), "test", "-vet=off", "-count=1", f"-timeout={RUN_SECONDS}s", "-json", ".")
    with subprocess.Popen(command, cwd=HERE, env=environment, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        for line in run.stdout:
            event = json.loads(line)
            sys.stdout.write(event.get("Output", ""))
            if event["Action"] in ("pass", "fail", "skip"):
                found[event.get("Test", "")] = event["Action"]
    return found


def test_the_go_files_are_in_their_form(environment):
    command = (Path(str(GO)).resolve().with_name("gofmt"), "-l", HERE)
    assert subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout == ""


def test_hashicorps_client_drives_the_plugin(environment, launcher):
    fetched = go("list", "-deps", "-test", ".", environment=environment)
    if fetched.returncode and any(reason in fetched.stderr for reason in NOT_TO_BE_HAD):
        pytest.skip(f"the Go modules cannot be had here: {fetched.stderr.strip().splitlines()[-1]}")
    built = go("test", f"-vet={VET}", "-run=^$", ".", environment=environment)
    assert built.returncode == 0, built.stdout + built.stderr

    found = outcomes(environment | launcher)
    assert {name: outcome for name, outcome in found.items() if outcome != "pass"} == {}
    assert len(found) > 1
