"""The demo, as somebody who has just cloned the checkout runs it, and once more right after."""

import os
import pwd
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

LAST_LINE = re.compile(r"demo: crm rotated twice, proven by login, in \d+ s")


def demo(directory, **options):
    home, temporary = directory / "home", directory / "tmp"
    for each in (home, temporary):
        each.mkdir(exist_ok=True)
        if "user" in options:
            os.chown(each, options["user"], options["group"])
    done = subprocess.run(
        (sys.executable, "-m", "vault_salesforce", "demo"),
        env={"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(temporary)},
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **options,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert LAST_LINE.fullmatch(done.stdout.splitlines()[-1])
    assert list(home.iterdir()) == []
    assert list(temporary.iterdir()) == []
    return done.stdout


def test_it_passes_twice_and_leaves_nothing():
    with tempfile.TemporaryDirectory() as directory:
        for _ in range(2):
            shown = demo(Path(directory))
            assert re.search(r"^ +password +\S{3}…$", shown, re.MULTILINE)
            assert re.search(r"^ +\d+ checks, 0 failed$", shown, re.MULTILINE)


@pytest.mark.skipif(os.getuid() != 0, reason="runs as an ordinary user already")
def test_it_passes_as_an_ordinary_user(tmp_path_factory):
    nobody = pwd.getpwnam("nobody")
    identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    try:
        subprocess.run((sys.executable, "-c", "import vault_salesforce"), cwd="/", check=True, **identity)
    except PermissionError:
        pytest.skip("this checkout is closed to others")
    with tempfile.TemporaryDirectory() as directory:  # pytest's own is closed to others
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)
        demo(Path(directory), **identity)
