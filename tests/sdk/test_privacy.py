"""A process that holds secrets: its memory and its files are nobody else's."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, os, resource, signal
from pathlib import Path
from vault_plugin_sdk.privacy import keep_private

before = resource.getrlimit(resource.RLIMIT_CORE)
keep_private()
print("limit", *resource.getrlimit(resource.RLIMIT_CORE))
print("dumpable", ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
Path("file").touch()
Path("folder").mkdir()
print("modes", oct(Path("file").stat().st_mode & 0o777), oct(Path("folder").stat().st_mode & 0o777))
child = os.fork()
if not child:
    os._exit(resource.getrlimit(resource.RLIMIT_CORE)[1] + ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
print("child", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
os.kill(os.getpid(), signal.SIGSEGV)
"""


@pytest.fixture
def ended(tmp_path):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30
    )


def test_it_leaves_no_core_and_no_file_that_others_may_read(ended, tmp_path):
    assert ended.stdout.splitlines() == ["limit 0 0", "dumpable 0", "modes 0o600 0o700", "child 0"]
    assert ended.returncode < 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.skipif(os.geteuid() != 0, reason="another user can only be become by root")
def test_another_process_of_the_same_user_reads_neither_its_memory_nor_its_environment():
    program = (
        "import os, sys; from vault_plugin_sdk.privacy import keep_private;"
        "os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534); keep_private();"
        "print(os.getpid(), flush=True); sys.stdin.read()"
    )
    look = (
        "import os, sys; os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)\n"
        "for name in ('environ', 'mem', 'maps'):\n"
        "    try: os.close(os.open(f'/proc/{sys.argv[1]}/{name}', os.O_RDONLY)); print('open')\n"
        "    except PermissionError: print('closed')\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        pid = process.stdout.readline().decode().strip()
        seen = subprocess.run([sys.executable, "-c", look, pid], capture_output=True, text=True, check=True, timeout=30)
        process.stdin.close()
    assert set(seen.stdout.split()) == {"closed"}
