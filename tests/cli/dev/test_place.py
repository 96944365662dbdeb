"""A stack's own directory: taken while its process lives, and swept once it does not."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from vault_salesforce.dev.place import Place

KILLED = """
import os, signal
from vault_salesforce.dev.place import Place
print(Place().path, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def usual(monkeypatch):
    """Where temporary files go; short enough for sockets."""
    with tempfile.TemporaryDirectory() as directory:
        usual = Path(directory).resolve() / "tmp"
        usual.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(usual))
        yield usual


def killed(usual):
    environment = os.environ | {"TMPDIR": str(usual)}
    done = subprocess.run(
        (sys.executable, "-c", KILLED), env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    return Path(done.stdout.strip())


def test_the_directory_of_a_process_that_was_killed_goes_with_the_next_start(usual):
    left = killed(usual)
    assert list(usual.iterdir()) == [left]
    place = Place()
    assert list(usual.iterdir()) == [place.path]
    place.remove()
    place.remove()
    assert list(usual.iterdir()) == []


def test_the_directory_of_a_process_that_lives_stays(usual):
    one, other = Place(), Place()
    assert set(usual.iterdir()) == {one.path, other.path}
    for place in (one, other):
        place.remove()


def test_what_is_not_a_stack_of_ours_stays(usual):
    elsewhere = usual.parent / ".lock"
    elsewhere.touch()
    (usual / "vault-salesforce-link").symlink_to(usual.parent)
    (usual / "vault-salesforce-no-lock").mkdir()
    Place().remove()
    assert len(list(usual.iterdir())) == 2
    assert elsewhere.exists()
