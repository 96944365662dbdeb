"""The program: what it does not import before the handshake."""

import subprocess
import sys

import pytest
from wire_host import data_of, started

HEAVY = ("urllib3", "jwt", "vault_salesforce_plugin.backend", "vault_salesforce_contract")


def test_nothing_of_the_engine_is_imported_before_the_handshake():
    code = f"import sys, vault_salesforce_plugin.__main__; sys.exit(repr([m for m in {HEAVY} if m in sys.modules]))"
    ran = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert ran.stderr.strip() == "[]"


@pytest.mark.parametrize(
    "inherited",
    [
        {"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "cpp"},
        {"HTTPS_PROXY": "http://127.0.0.1:1", "SSL_CERT_FILE": "/nowhere", "VAULT_TOKEN": "the server's own"},
    ],
    ids=["a library's switch", "what is common"],
)
def test_nothing_in_the_servers_environment_changes_the_plugin(inherited):
    """The first keeps protobuf from being imported. OpenBao passes all of it on, and no registration can differ."""
    with started([sys.executable, "-I", "-m", "vault_salesforce_plugin"], **inherited) as host:

        async def scenario():
            mount = await host.mount()
            return data_of(await mount.send("read", "info"))["published"]

        assert host.run(scenario()) == 0
