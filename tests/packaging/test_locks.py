"""The locks: whole, with hashes, in step with what the distributions ask for, and silent about where they were made."""

import re
import tomllib
from pathlib import Path

import audit
import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PYPROJECTS = ("pyproject.toml", "sdk/pyproject.toml", "orgsim/pyproject.toml")
OURS = {"vault-salesforce", "vault-plugin-sdk", "salesforce-orgsim"}
ENTRY = re.compile(r"^(\S+==\S+)(?: ; ([^\\\n]+?))?((?: \\\n +--hash=sha256:[0-9a-f]{64})*)\n", re.MULTILINE)


def entries(path):
    """Each package of a lock: name, version, hashes."""
    text = path.read_text()
    assert ENTRY.sub("", text) == ""
    found = [(Requirement(told), hashes) for told, _, hashes in ENTRY.findall(text)]
    return [(canonicalize_name(one.name), str(one.specifier)[2:], hashes.count("sha256:")) for one, hashes in found]


def asked():
    """Every requirement of the three distributions, and of the groups."""
    for name in PYPROJECTS:
        content = tomllib.loads((ROOT / name).read_text())
        project = content["project"]
        yield from content["build-system"]["requires"]
        yield from project["dependencies"]
        for extra in project.get("optional-dependencies", {}).values():
            yield from extra
        groups = content.get("dependency-groups", {})
        yield from (*groups.get("check", ()), *groups.get("build", ()))


@pytest.mark.parametrize("lock", audit.LOCKS)
def test_every_package_of_a_lock_has_its_hashes(lock):
    found = entries(ROOT / "packaging" / lock)
    assert found
    assert [name for name, _, hashes in found if not hashes] == []


def test_all_that_the_distributions_ask_for_is_locked_at_a_version_that_suits_them():
    locked = {name: version for name, version, _ in entries(ROOT / "packaging" / "setup.txt")}
    missing = []
    for told in asked():
        requirement = Requirement(told)
        name = canonicalize_name(requirement.name)
        if name in OURS or (requirement.marker and not requirement.marker.evaluate(dict(default_environment()))):
            continue
        if not requirement.specifier.contains(locked.get(name, "0")):
            missing.append(told)
    assert missing == []


def test_constraints_and_locks_name_the_same_versions():
    constraints = {name: version for name, version, _ in entries(ROOT / "constraints.txt")}
    for lock in audit.LOCKS[:3]:
        for name, version, _ in entries(ROOT / "packaging" / lock):
            assert constraints.get(name, version) == version, (lock, name)
    assert {name for name, *_ in entries(ROOT / "packaging" / "setup.txt")} == set(constraints)


@pytest.mark.parametrize("path", ["constraints.txt", *(f"packaging/{name}" for name in audit.LOCKS)])
def test_a_lock_does_not_tell_which_index_made_it(path):
    text = (ROOT / path).read_text()
    assert "//" not in text
    assert not re.search(r"^\s*(-i|-f|--index|--extra|--find|--trusted)", text, re.MULTILINE)
