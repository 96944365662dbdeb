"""The launcher."""

import hashlib
import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from vault_salesforce_plugin import __version__, install

ROOT = Path(__file__).parents[2]


def test_what_is_written_has_the_hash_and_the_command_that_registers_it(tmp_path):
    installed = install.install(tmp_path)
    assert installed.path == tmp_path.resolve() / "vault-plugin-secrets-salesforce"
    assert installed.sha256 == hashlib.sha256(installed.path.read_bytes()).hexdigest()
    assert installed.path.stat().st_mode & 0o7777 == 0o755
    assert f"-sha256={installed.sha256} " in installed.command
    assert f"-version=v{__version__} secret {installed.path.name}" in installed.command


def test_a_second_time_replaces_the_first_and_leaves_nothing_else(tmp_path):
    first = install.install(tmp_path)
    first.path.write_text("spoilt")
    assert install.install(str(tmp_path)) == first
    assert [path.name for path in tmp_path.iterdir()] == [first.path.name]


def test_a_link_to_the_plugin_directory_is_resolved_for_the_server_follows_none(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    assert install.install(link).path.parent == real.resolve()


def test_a_directory_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        install.install(tmp_path / "nowhere")


def test_the_interpreter_is_not_resolved_for_a_virtual_environment_is_a_link():
    assert install.launcher("/opt/venv/bin/python").splitlines()[0] == "#!/opt/venv/bin/python -IB"


@pytest.mark.parametrize("interpreter", ["/opt/" + "x" * 120 + "/bin/python", "/opt/my python's/bin/python"])
def test_an_interpreter_that_a_first_line_cannot_name_is_started_by_a_shell(interpreter):
    text = install.launcher(interpreter)
    assert text.startswith(f"#!/bin/sh\nexec {shlex.quote(interpreter)} -IB -m ")


def test_the_longest_line_that_every_kernel_reads_is_used():
    longest = "/" + "x" * (install.MAX_FIRST_LINE_BYTES - len("#!/ -IB\n"))
    assert install.launcher(longest).startswith(f"#!{longest} -IB\n")
    assert install.launcher(longest + "x").startswith("#!/bin/sh\n")


def test_a_line_break_in_the_path_is_refused():
    with pytest.raises(ValueError, match="line break"):
        install.launcher("/opt/a\nb/python")


@pytest.mark.parametrize("environment", ["venv", "venv with a blank"])
def test_the_launcher_runs_isolated_and_tells_a_human_what_it_is(tmp_path, environment):
    link = tmp_path / environment
    link.symlink_to(sys.prefix)
    installed = install.install(tmp_path, str(link / "bin" / "python"))
    (tmp_path / "vault_plugin_sdk.py").write_text("raise SystemExit('PYTHONPATH got in')")
    ran = subprocess.run(
        [installed.path],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)},
    )
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert len(ran.stderr.splitlines()) == 1
    assert "plugin" in ran.stderr


def test_the_version_is_the_distributions():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
