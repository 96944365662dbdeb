"""What install-plugin tells an operator."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from vault_salesforce_plugin import advice
from vault_salesforce_plugin.closure import Closure
from vault_salesforce_plugin.install import NAME, Installed


@pytest.fixture
def sound(tmp_path, monkeypatch):
    """An installation to which root alone may write, whoever runs the test, and where nothing is to be said."""
    plugins, file = tmp_path / "plugins", tmp_path / "site" / "part.py"
    for path in (plugins, file.parent):
        path.mkdir(mode=0o755)
    for path in (launcher := plugins / f"{NAME}-v1.2.3", file, tmp_path / "python"):
        path.touch(mode=0o755)
    monkeypatch.setattr(
        advice, "_with_parents", lambda paths: [path for path in paths if path.is_relative_to(tmp_path)]
    )
    if os.geteuid():
        pytest.skip("only root can own files as root")
    covered = Closure((file.parent,), (file,), ())
    return Installed(
        launcher, "ab" * 32, NAME, "v1.2.3", replaced=False, interpreter=tmp_path / "python", covered=covered
    )


def warned(installed, directory=None):
    return advice.warnings(installed, directory or installed.path.parent)


def test_of_a_sound_installation_nothing_is_said(sound):
    assert warned(sound) == []


def test_a_link_to_the_plugin_directory_must_not_stand_in_the_servers_configuration(sound, tmp_path):
    (tmp_path / "link").symlink_to(sound.path.parent)
    (sentence,) = warned(sound, tmp_path / "link")
    assert f'plugin_directory = "{sound.path.parent}"' in sentence


def test_a_launcher_that_was_replaced_must_be_registered_now(sound):
    (sentence,) = warned(replace(sound, replaced=True))
    assert "register this one now" in sentence


@pytest.mark.parametrize(
    ("name", "mode"), [("site/part.py", 0o600), ("site", 0o700), ("plugins", 0o750), ("python", 0o600)]
)
def test_what_others_cannot_read_keeps_a_server_that_is_not_root_from_starting_it(sound, tmp_path, name, mode):
    (tmp_path / name).chmod(mode)
    (sentence,) = warned(sound)
    assert sentence.startswith(f"{tmp_path / name} is not open to other users")


@pytest.mark.parametrize(
    ("name", "who"), [("plugins", "let root own the plugin_directory"), ("site", "install as root")]
)
@pytest.mark.parametrize("how", ["its mode", "its owner"])
def test_what_others_can_write_is_told(sound, tmp_path, name, who, how):
    if how == "its mode":
        (tmp_path / name).chmod(0o775)
    else:
        os.chown(tmp_path / name, 12345, -1)
    (sentence,) = warned(sound)
    assert sentence.startswith(f"{tmp_path / name} can be written by others than root")
    assert who in sentence


def test_a_directory_in_which_nobody_may_replace_what_is_not_his_is_no_danger(sound, tmp_path):
    (tmp_path / "site").chmod(0o1777)
    assert warned(sound) == []


def test_a_file_system_that_runs_nothing_is_told(sound, monkeypatch):
    seen = os.statvfs(sound.path.parent)
    fields = [seen[number] for number in range(10)]
    fields[8] |= os.ST_NOEXEC
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(fields))
    (sentence,) = warned(sound)
    assert "noexec" in sentence


def test_sources_without_byte_code_are_counted(sound):
    covered = replace(sound.covered, without_byte_code=(Path("/a.py"), Path("/b.py")))
    (sentence,) = warned(replace(sound, covered=covered))
    assert sentence.startswith("2 files have no byte code")


def test_the_next_steps_are_whole_commands_with_this_version(sound):
    text = advice.next_steps(sound, "team/sf")
    commands = [line.strip() for line in text.splitlines() if line.startswith("  ")]
    assert commands == [
        f"bao {sound.command}",
        f"bao secrets enable -path=team/sf -plugin-version=v1.2.3 {NAME}",
        "bao secrets tune -plugin-version=v1.2.3 team/sf/",
        "bao plugin reload -mounts=team/sf/",
        "bao read -field=version team/sf/info",
    ]
    assert "vault" in text
