"""Every command of `docs/sdk.md`, run as it is printed, by real servers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from dev_server import DevServer, dev_server
from servers import BOTH

ROOT = Path(__file__).parents[2]
COMMANDS = re.findall(r"^\$ (.+)$", (ROOT / "docs" / "sdk.md").read_text(), re.MULTILINE)

pytestmark = pytest.mark.system


def run(server: DevServer, command: str) -> str:
    """What a command prints; a failure fails."""
    environ = {
        "PATH": f"{server.binary.parent}:{os.environ['PATH']}",
        "HOME": str(server.directory),
        "BAO_ADDR": server.address,
        "BAO_TOKEN": "root",
        "PLUGINS": str(server.plugins),
    }
    # The guide's `.venv` is the one that a clone's `make` makes; the tests' own may be elsewhere.
    there = command.replace("$PWD/.venv/bin/python", sys.executable)
    done = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", there],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("release", BOTH)
def test_the_guides_commands_do_what_it_says(release):
    said = {}
    with dev_server(BOTH[release]) as server:
        for command in COMMANDS:
            said[command] = run(server, command)
            if command == "bao read keys/creds/crm":
                before = server.call("LIST", "sys/leases/lookup/keys/creds/crm").data["keys"]
            if command.startswith("bao lease revoke"):
                assert server.eventually(lambda: server.call("LIST", "sys/leases/lookup/keys/creds/crm").status == 404)
        assert server.call("GET", "keys/roles/crm").status == 404
        log = server.log.read_text()

    assert len(before) == 1
    assert "scopes" in said["bao list -detailed keys/roles"]
    assert re.search(r"ttl\s+5m\b", said["bao read keys/roles/crm"])
    assert re.search(r"api_key\s+\S{20,}", said["bao read keys/creds/crm"])
    assert re.search(r"lease_duration\s+5m", said["bao read keys/creds/crm"])
    assert "What the keys of a role may do" in said["bao path-help keys/roles/crm"]
    key = re.search(r"api_key\s+(\S+)", said["bao read keys/creds/crm"])
    assert key
    assert key[1] not in log
