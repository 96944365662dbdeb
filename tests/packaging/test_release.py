"""A release is what its checksums say: every file is in them, by what it holds."""

import shutil
import subprocess
import tarfile

import pytest
import release


@pytest.fixture
def released(tmp_path, monkeypatch):
    """A release of stand-ins: what builds and describes the real ones has tests of its own."""
    inside = tmp_path / "in" / "bundle-1"
    inside.mkdir(parents=True)
    (inside / "SHA256SUMS").write_text("")
    target = tmp_path / "dist"
    target.mkdir()
    bundle, binary = target / "bundle-1.tar.gz", target / "plugin-1"
    with tarfile.open(bundle, "w:gz") as tar:
        tar.add(inside, inside.name)
    binary.write_bytes(b"plugin")

    def made(*names):
        for name in names:
            (target / name).write_bytes(name.encode())
        return [target / name for name in names]

    monkeypatch.setattr(release.distributions, "build", lambda *_: made("a-1.whl", "a-1.tar.gz"))
    monkeypatch.setattr(release.sbom, "write", lambda *_: iter(made("a-1.cdx.json")))
    return target, release.release(target, bundle, binary, tmp_path / "cyclonedx-py")


def checked(target):
    command = (shutil.which("sha256sum"), "--check", "--strict", "SHA256SUMS")
    return subprocess.run(command, cwd=target, capture_output=True, check=False)


def test_every_file_of_a_release_is_in_its_checksums(released):
    target, files = released
    named = [line.split("  ")[1] for line in (target / "SHA256SUMS").read_text().splitlines()]
    assert named == sorted({path.name for path in target.iterdir()} - {"SHA256SUMS"})
    assert {path.name for path in files} == {*named, "SHA256SUMS"}
    assert checked(target).returncode == 0


def test_a_byte_that_was_changed_is_noticed(released):
    target, files = released
    for file in files[:-1]:
        before = file.read_bytes()
        file.write_bytes(before[:-1] + b"?")
        assert checked(target).returncode != 0, file.name
        file.write_bytes(before)
    assert checked(target).returncode == 0
