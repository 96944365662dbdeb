"""The program: what it does not import before the handshake."""

import subprocess
import sys

HEAVY = ("urllib3", "jwt", "vault_salesforce_plugin.backend", "vault_salesforce_contract")


def test_nothing_of_the_engine_is_imported_before_the_handshake():
    code = f"import sys, vault_salesforce_plugin.__main__; sys.exit(repr([m for m in {HEAVY} if m in sys.modules]))"
    ran = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert ran.stderr.strip() == "[]"
