"""Wheels and source archives: the same bytes whoever builds them, and nothing in them that does not belong."""

import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import distributions
import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("bench", "cli", "contract", "docs", "orgsim", "plugin", "sdk", "sidecar", "tests")
FILES = (".gitignore", "CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml")


def copy(target):
    """The repository as a checkout has it."""
    leave = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*_cache")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, target / folder, ignore=leave)
    for file in FILES:
        shutil.copy(ROOT / file, target)
    return target


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """What is built in one checkout."""
    target = tmp_path_factory.mktemp("built")
    distributions.build(copy(tmp_path_factory.mktemp("here")), target, "wheel", "sdist")
    return target


def contents(directory):
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def test_two_builds_in_two_places_by_two_people_give_the_same_bytes(built, tmp_path_factory):
    elsewhere, target = copy(tmp_path_factory.mktemp("elsewhere-with-a-longer-name")), tmp_path_factory.mktemp("again")
    for file in elsewhere.rglob("*"):
        os.utime(file, (1, 2_000_000_000))
        file.chmod(0o700 if file.is_dir() else 0o600)
    distributions.build(elsewhere, target, "wheel", "sdist")
    assert len(contents(built)) == 6
    assert contents(target) == contents(built)


def test_a_wheel_that_is_built_from_the_source_archive_is_the_same(built, tmp_path):
    for archive in built.glob("*.tar.gz"):
        with tarfile.open(archive) as tar:
            tar.extractall(tmp_path, filter="data")
    # As in the repository: two of them in folders of the first.
    (tree,) = tmp_path.glob("vault_salesforce-*")
    for name, place in (("vault_plugin_sdk", "sdk"), ("salesforce_orgsim", "orgsim")):
        (folder,) = tmp_path.glob(f"{name}-*")
        folder.rename(tree / place)
    target = tmp_path / "wheels"
    target.mkdir()
    distributions.build(tree, target, "wheel")
    wheels = {name: content for name, content in contents(built).items() if name.endswith(".whl")}
    assert contents(target) == wheels


def test_nothing_is_in_them_but_our_packages_and_the_licence(built):
    for wheel in built.glob("*.whl"):
        names = zipfile.ZipFile(wheel).namelist()
        assert any(name.endswith("licenses/LICENSE") for name in names)
        tops = {name.partition("/")[0] for name in names}
        ours = {top for top in tops if top.startswith(("vault_", "salesforce_"))}
        assert tops == ours
    for archive in built.glob("*.tar.gz"):
        with tarfile.open(archive) as tar:
            inside = [name.partition("/")[2] for name in tar.getnames()]
        assert not [name for name in inside if name.startswith(("tests/", "docs/", "bench/", ".venv/", "dist/"))]
        assert "LICENSE" in inside
