"""A crowd of consumers, and the library that the example in Node needs."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from crowd import EXAMPLES, Crowd

BUILT = Path(sys.prefix) / "consumers-node"  # with what is installed for the tests, and never in the example itself
INSTALL_SECONDS = 300
OUT_OF_REACH = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH")


@pytest.fixture
def crowd_of(product, tmp_path):
    """Makes the crowd of an account."""
    made = []

    def make(account):
        made.append(Crowd(product, account, tmp_path))
        return made[-1]

    yield make
    for crowd in made:
        crowd.close()


@pytest.fixture(scope="session")
def node_example():
    """The folder of the Node example with its library, installed once; skipped where it cannot be."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("Node is not installed")
    BUILT.mkdir(exist_ok=True)
    with (BUILT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = hashlib.sha256((EXAMPLES / "node" / "package-lock.json").read_bytes()).hexdigest()
        stamp = BUILT / "installed"
        if not stamp.exists() or stamp.read_text() != wanted:
            _install()
            stamp.write_text(wanted)
        copied, text = BUILT / "salesforce-login.js", (EXAMPLES / "node" / "salesforce-login.js").read_text()
        if not copied.exists() or copied.read_text() != text:  # another test process may be reading it
            copied.write_text(text)
    return BUILT


def _install():
    for name in ("package.json", "package-lock.json"):
        shutil.copy(EXAMPLES / "node" / name, BUILT)
    command = [
        "npm",
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--fetch-retries=1",
        "--cache",
        BUILT / "cache",
    ]
    done = subprocess.run(command, cwd=BUILT, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    shutil.rmtree(BUILT / "cache", ignore_errors=True)
    if done.returncode and any(code in done.stderr for code in OUT_OF_REACH):
        pytest.skip("the registry of npm is out of reach")
    assert done.returncode == 0, done.stderr
