"""What belongs to the plugin's process, and what does not."""

import os
import py_compile
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from vault_salesforce_plugin import closure
from vault_salesforce_plugin.closure import NotInstalled
from vault_salesforce_plugin.manifest import module_name


@pytest.fixture(scope="module")
def found():
    return closure.find(closure.interpreter())


def names(found):
    return {module_name(str(path), [str(place) for place in found.places]) for path in found.files} - {None}


def test_the_three_packages_and_what_they_are_built_on_belong_to_it(found):
    roots = {name.partition(".")[0] for name in names(found)}
    assert {"vault_plugin_sdk", "vault_salesforce_contract", "vault_salesforce_plugin"} <= roots
    assert {"cryptography", "google", "grpclib", "jwt", "urllib3"} <= roots


def test_a_release_of_the_sidecar_or_of_the_command_line_changes_nothing_of_it(found):
    roots = {name.partition(".")[0] for name in names(found)}
    assert not roots & {"vault_salesforce_sidecar", "vault_salesforce", "salesforce_orgsim", "flask", "hvac", "click"}


def test_packages_are_covered_whole_for_some_of_their_parts_are_imported_late(found):
    assert "vault_plugin_sdk.testing" in names(found)
    assert "urllib3.contrib.socks" in names(found)


def test_extension_modules_are_covered(found):
    assert any(name.startswith("cryptography.hazmat.bindings._rust") for name in names(found))
    assert any(path.suffix == ".so" for path in found.files)


def test_a_directory_of_libraries_is_covered_whole_and_a_package_is_not_one(tmp_path):
    for name in ("pack.libs/libpart.so.1", "pack.libs/libother.so.1", "pack/part.so", "pack/data.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    mapped = [str(tmp_path / "pack.libs/libpart.so.1"), str(tmp_path / "pack/part.so"), "/usr/lib/libc.so.6"]
    covered = closure.libraries(mapped, [str(tmp_path)])
    assert {str(path.relative_to(tmp_path)) for path in covered} == {
        "pack.libs/libpart.so.1",
        "pack.libs/libother.so.1",
        "pack/part.so",
    }


def test_every_source_has_its_byte_code_beside_it(found):
    sources = [path for path in found.files if path.suffix == ".py"]
    assert found.without_byte_code == ()
    assert {Path(cache_from_source(str(path))) for path in sources} <= set(found.files)


def test_the_interpreter_is_the_one_below_the_environment():
    python = closure.interpreter()
    assert not python.is_relative_to(sys.prefix)
    assert python == python.resolve()
    assert os.access(python, os.X_OK)


def test_an_interpreter_that_is_none_is_told(tmp_path):
    with pytest.raises(NotInstalled, match="cannot be run"):
        closure.find(tmp_path / "nowhere")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "module.py"
    path.write_text("VALUE = 1\n")
    return path


def byte_code(source):
    return closure._byte_code([source])


@pytest.mark.parametrize("mode", py_compile.PycInvalidationMode)
def test_byte_code_that_fits_is_taken_as_it_is(source, mode):
    cached = Path(py_compile.compile(str(source), invalidation_mode=mode))
    before = cached.stat().st_mtime_ns
    assert byte_code(source) == ({cached}, ())
    assert cached.stat().st_mtime_ns == before


@pytest.mark.parametrize("mode", py_compile.PycInvalidationMode)
@pytest.mark.parametrize("old", [b"", b"VALUE = 22\n"], ids=["none", "of another source"])
def test_byte_code_that_is_missing_or_stale_is_made_anew(source, mode, old):
    cached = Path(cache_from_source(str(source)))
    if old:
        text = source.read_bytes()
        source.write_bytes(old)
        py_compile.compile(str(source), invalidation_mode=mode)
        source.write_bytes(text)
    assert byte_code(source) == ({cached}, ())
    assert closure._belongs(cached, source)


@pytest.mark.parametrize("spoilt", [b"", b"nonsense", bytes(16)])
def test_byte_code_that_cannot_be_read_belongs_to_nothing(source, spoilt):
    cached = Path(py_compile.compile(str(source)))
    cached.write_bytes(spoilt)
    assert not closure._belongs(cached, source)


def test_a_source_that_cannot_be_compiled_is_told(source):
    source.write_text("def\n")
    assert byte_code(source) == (set(), (source,))
