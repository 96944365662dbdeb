"""The limit of open files."""

import subprocess
import sys

import pytest

from vault_salesforce_sidecar.files import needed
from vault_salesforce_sidecar.settings import from_environ

SCRIPT = """
import resource, sys
from vault_salesforce_sidecar.files import allow
soft, hard, files = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
sentence = allow(files)
print(*resource.getrlimit(resource.RLIMIT_NOFILE), sentence or "")
"""


def settings(**given):
    least = {"VAULT_ADDR": "https://vault.example.com", "ROLE_ID": "role"}
    return from_environ({f"VAULT_SALESFORCE_{name}": value for name, value in (least | given).items()}, "host")


def allowed(soft, hard, files):
    command = (sys.executable, "-c", SCRIPT, str(soft), str(hard), str(files))
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_usual_limit_is_enough_for_the_usual_settings():
    assert needed(settings()) <= 1024 < needed(settings(SLOTS="512", WEB_THREADS="256"))


@pytest.mark.parametrize(
    ("soft", "hard", "files", "limits"),
    [(512, 900, 400, "512 900"), (512, 900, 800, "800 900"), (512, 900, 900, "900 900")],
)
def test_the_limit_is_raised_as_far_as_needed(soft, hard, files, limits):
    assert allowed(soft, hard, files) == limits


def test_what_cannot_be_raised_is_told_in_one_sentence():
    told = allowed(512, 900, 2000)
    assert told.startswith("900 900 SLOTS and WEB_THREADS may need 2000 open files, and the process may open 900:")
