"""The archive for machines without a package index: complete, checked by hashes, and the same whenever it is built."""

import hashlib
import shlex
import subprocess
import sys
import tarfile
import venv

import pytest
import releases
import wire_host

pytestmark = pytest.mark.system

NO_INDEX = {"PATH": "/usr/bin:/bin", "PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@pytest.fixture(scope="session")
def archive():
    return releases.bundle()


@pytest.fixture(scope="session")
def folder(archive, tmp_path_factory):
    """What is in it."""
    directory = tmp_path_factory.mktemp("bundle")
    with tarfile.open(archive) as tar:
        tar.extractall(directory, filter="data")
    (inside,) = directory.iterdir()
    return inside


def commands(folder):
    """Those of its own text, by the first word that tells them apart."""
    text = (folder / "INSTALL.txt").read_text()
    lines = [shlex.split(line, comments=True) for line in text.splitlines() if line.startswith("  ")]
    return {line[-1].removeprefix("requirements-").removesuffix(".txt"): line for line in lines}


def install(folder, part, directory):
    """Install a part into an environment with the documented command, and nothing to reach an index with."""
    program, *arguments = commands(folder)[part]
    assert program == "pip"
    pip = (sys.executable, "-m", program, "--python", directory)
    done = subprocess.run((*pip, *arguments), cwd=folder, env=NO_INDEX, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_its_checksums_are_right_and_its_own_is_beside_it(archive, folder):
    program, *arguments = commands(folder)["SHA256SUMS"]
    assert subprocess.run((f"/usr/bin/{program}", *arguments), cwd=folder, check=False).returncode == 0
    covered = {line.split()[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files - covered == {"SHA256SUMS"}
    told = archive.with_name(f"{archive.name}.sha256").read_text()
    assert told == f"{hashlib.sha256(archive.read_bytes()).hexdigest()}  {archive.name}\n"


def test_nothing_in_it_depends_on_when_or_by_whom_it_was_built(archive):
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
    assert len({member.mtime for member in members}) == 1
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members} == {(0, 0, "", "")}
    assert [member.name for member in members] == sorted(member.name for member in members)
    assert archive.read_bytes()[4:8] == members[0].mtime.to_bytes(4, "little")


def test_a_node_gets_no_part_that_it_does_not_need(folder):
    plugin = (folder / "requirements-plugin.txt").read_text()
    assert not any(name in plugin for name in ("flask", "gunicorn", "hvac", "zeep", "orgsim"))
    assert all(" --hash=sha256:" in line for line in plugin.splitlines())


def test_both_halves_are_installed_without_an_index_and_start(folder, tmp_path):
    venv.create(tmp_path / "venv", symlinks=True)
    program = tmp_path / "venv" / "bin" / "vault-salesforce"
    install(folder, "plugin", tmp_path / "venv")
    (tmp_path / "plugins").mkdir()
    subprocess.run((program, "install-plugin", "--directory", tmp_path / "plugins"), capture_output=True, check=True)
    (launcher,) = (tmp_path / "plugins").iterdir()
    with wire_host.started([launcher]) as host:
        assert host.line.startswith("1|5|unix|")
    install(folder, "sidecar", tmp_path / "venv")
    ran = subprocess.run((program, "sidecar"), env=NO_INDEX, capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert "VAULT_SALESFORCE_VAULT_ADDR is not set" in ran.stderr


def test_a_wheel_that_was_changed_is_refused(folder, tmp_path):
    (wheel,) = (folder / "wheels").glob("urllib3-*.whl")
    spoilt = tmp_path / "wheels" / wheel.name
    spoilt.parent.mkdir()
    spoilt.write_bytes(wheel.read_bytes() + b"\0")
    (line,) = (line for line in (folder / "requirements-plugin.txt").read_text().splitlines() if "urllib3" in line)
    (tmp_path / "requirements.txt").write_text(line)
    told = ("--no-index", "--find-links", "wheels", "--require-hashes", "-r", "requirements.txt")
    done = subprocess.run(
        (sys.executable, "-m", "pip", "download", *told),
        cwd=tmp_path,
        env=NO_INDEX,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
