"""The launcher."""

import hashlib
import os
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import wire_host
from injector import cannot_have_a_root_of_its_own

from vault_salesforce_plugin import __version__, closure, install
from vault_salesforce_plugin.closure import Closure, NotInstalled

ROOT = Path(__file__).parents[2]
PYTHON = Path("/opt/python/bin/python3.11")
NOTHING = Closure((), (), ())


@pytest.fixture(scope="module")
def covered():
    return closure.find(closure.interpreter())


def test_what_is_written_has_the_hash_and_the_command_that_registers_it(tmp_path):
    installed = install.install(tmp_path)
    assert installed.path == tmp_path.resolve() / f"vault-plugin-secrets-salesforce-v{__version__}"
    assert installed.sha256 == hashlib.sha256(installed.path.read_bytes()).hexdigest()
    assert installed.path.stat().st_mode & 0o7777 == 0o755
    assert installed.command == (
        f"plugin register -sha256={installed.sha256} -command={installed.path.name} -version=v{__version__} "
        "secret vault-plugin-secrets-salesforce"
    )
    assert not installed.replaced


def test_the_hashes_of_all_that_is_covered_stand_in_it(tmp_path, covered):
    text = install.launcher(PYTHON, covered)
    for path in covered.files:
        assert f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path}\n" in text


def test_a_second_time_changes_nothing_and_what_was_spoilt_is_replaced(tmp_path):
    first = install.install(tmp_path, checked=False)
    assert install.install(str(tmp_path), checked=False) == first
    first.path.write_text("spoilt")
    assert install.install(tmp_path, checked=False) == replace(first, replaced=True)
    assert [path.name for path in tmp_path.iterdir()] == [first.path.name]


def test_a_link_to_the_plugin_directory_is_resolved_for_the_server_follows_none(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    assert install.install(link, checked=False).path.parent == real.resolve()


def test_a_directory_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        install.install(tmp_path / "nowhere")


def test_an_environment_in_which_the_plugin_does_not_load_is_told_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [path for path in sys.path if not path.endswith("contract")])
    with pytest.raises(NotInstalled, match="vault_salesforce_contract"):
        install.install(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("python", ["/opt/" + "x" * 120 + "/bin/python", "/opt/my python/bin/python"])
def test_an_interpreter_that_a_first_line_cannot_name_is_started_by_a_shell(tmp_path, python):
    path = tmp_path / python.removeprefix("/")
    path.parent.mkdir(parents=True)
    path.symlink_to(closure.interpreter())
    program = tmp_path / "program"
    program.write_text(
        install.launcher(path, NOTHING).partition("# vault")[0] + "import sys\nprint(sys.flags.isolated)\n"
    )
    program.chmod(0o755)
    assert program.read_text().startswith("#!/bin/sh\n")
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == "1\n"


def test_the_longest_line_that_every_kernel_reads_is_used():
    longest = "/" + "x" * (install.MAX_FIRST_LINE_BYTES - len("#!/ -ISB\n"))
    assert install.launcher(Path(longest), NOTHING).startswith(f"#!{longest} -ISB\n")
    assert install.launcher(Path(longest + "x"), NOTHING).startswith("#!/bin/sh\n")


@pytest.mark.parametrize("directory", ["a\nb", 'a"b', "a'b", "a\\b"])
def test_a_path_that_could_end_the_text_around_it_is_refused(tmp_path, directory):
    with pytest.raises(ValueError, match="holds a line break, a quote or a backslash"):
        install.launcher(Path(f"/opt/{directory}/python"), NOTHING)
    file = tmp_path / directory / "part.py"
    file.parent.mkdir()
    file.touch()
    with pytest.raises(ValueError, match="holds a line break, a quote or a backslash"):
        install.launcher(PYTHON, Closure((tmp_path,), (file,), ()))


@pytest.mark.parametrize("checked", [True, False])
def test_the_launcher_runs_isolated_and_tells_a_human_what_it_is(tmp_path, checked):
    installed = install.install(tmp_path, checked=checked)
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
    assert "register it with a server" in ran.stderr


@pytest.mark.parametrize("checked", [True, False])
def test_what_the_servers_environment_says_to_python_is_not_heard(tmp_path, checked):
    """OpenBao's own environment wins over what was registered, so no name in it may reach the interpreter."""
    installed = install.install(tmp_path, checked=checked)
    evil = tmp_path / "evil"
    evil.mkdir()
    for name in ("json", "vault_plugin_sdk", "usercustomize"):
        (evil / f"{name}.py").write_text("raise SystemExit('PYTHONPATH got in')")
    with wire_host.started([installed.path], PYTHONPATH=str(evil), PYTHONHOME="/nowhere", PYTHONINSPECT="1") as host:
        assert wire_host.data_of(host.run(_info(host)))["published"] == 0


async def _info(host):
    mount = await host.mount()
    return await mount.send("read", "info")


@pytest.mark.skipif(cannot_have_a_root_of_its_own() != "", reason=cannot_have_a_root_of_its_own())
def test_it_starts_on_a_read_only_root_without_a_home_and_where_nothing_temporary_may_be_executed(tmp_path):
    installed = install.install(tmp_path)
    script = (
        "mount -t tmpfs -o noexec,mode=0700 tmpfs $TMPDIR && mount -o remount,bind,ro / && ! touch /probe 2>/dev/null"
        ' && exec "$0"'
    )
    namespace = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", script]
    with wire_host.WireHost([*namespace, installed.path], {"HOME": "/nowhere"}) as host:
        assert host.line.startswith("1|5|unix|"), host.logged


def test_a_host_is_answered_with_a_handshake(tmp_path):
    with wire_host.started([install.install(tmp_path).path]) as host:
        assert host.line.startswith("1|5|unix|")


def test_what_is_loaded_is_what_is_covered_and_the_standard_library(covered, tmp_path):
    """Of a process that was started by the launcher, up to a mount that is ready."""
    text = install.launcher(closure.interpreter(), covered)
    program = tmp_path / "program"
    program.write_text(
        text.rpartition("from vault_salesforce_plugin.__main__")[0]
        + "import vault_salesforce_plugin.backend as backend, vault_plugin_sdk.wire.process\n"
        + "backend.SalesforceBackend()\n"
        + "files = (getattr(module, '__file__', None) for module in sys.modules.values())\n"
        + "print(*filter(None, files), sep='\\n')\n"
    )
    ran = subprocess.run([closure.interpreter(), "-ISB", program], capture_output=True, text=True, check=True)
    library = Path(os.__file__).parent
    loaded = {Path(line) for line in ran.stdout.splitlines()} - {program}
    assert loaded - {path for path in loaded if path.is_relative_to(library)} <= set(covered.files)
    assert len(loaded & set(covered.files)) > 100


def test_the_version_is_that_of_the_last_release_that_changed_the_plugin():
    released = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert [int(part) for part in __version__.split(".")] <= [int(part) for part in released.split(".")]
