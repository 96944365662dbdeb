"""The demo, as somebody who has just cloned the checkout runs it, and once more right after."""

import os
import pwd
import re
import subprocess
import sys
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


def test_it_passes_twice_and_leaves_nothing(tmp_path):
    for _ in range(2):
        shown = demo(tmp_path)
        assert re.search(r"^ +password +\S{3}…$", shown, re.MULTILINE)


@pytest.mark.skipif(os.getuid() != 0, reason="runs as an ordinary user already")
def test_it_passes_as_an_ordinary_user(tmp_path_factory):
    nobody = pwd.getpwnam("nobody")
    directory = Path("/tmp") / f"vault-salesforce-demo-{os.getpid()}"  # noqa: S108 - pytest's own is closed to others
    directory.mkdir()
    os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    reads = subprocess.run(
        (sys.executable, "-c", "import vault_salesforce"),
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
        capture_output=True,
        cwd="/",
        check=False,
    )
    if reads.returncode:
        pytest.skip("an ordinary user cannot read this checkout")
    demo(directory, user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[])
