"""The check before the start: what differs is named, and nothing runs but what was compared."""

import hashlib
import json
import py_compile
import subprocess
import sys
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path

import pytest

from vault_salesforce_plugin import manifest
from vault_salesforce_plugin.manifest import Changed, check, module_name, parse


class Site:
    """A place with a package of a test's own, and a program that starts it as a launcher would."""

    def __init__(self, place):
        self.place = place
        self.module = self.write("pack/part.py", "VALUE = 'as installed'")
        self.write("pack/__init__.py", "")
        self.write("space/inner.py", "VALUE = 'in a namespace'")

    def write(self, relative, text):
        path = self.place / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
        return path

    def manifest(self):
        """Lines for all files that are there now."""
        paths = sorted(path for path in self.place.rglob("*") if path.is_file())
        return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path}\n" for path in paths)

    def start(self, code, text=None, magic=MAGIC_NUMBER, **environ):
        """Run the check, then the code."""
        text = self.manifest() if text is None else text
        program = Path(manifest.__file__).read_text()
        program += f"\nstart({text!r}, [{str(self.place)!r}], {magic.hex()!r})\n{code}"
        ran = subprocess.run(
            [sys.executable, "-ISB", "-c", program],
            capture_output=True,
            text=True,
            env=environ,
            check=False,
            timeout=30,
        )
        return ran.returncode, ran.stdout.strip(), ran.stderr.strip()


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path / "site")


def test_what_was_installed_is_loaded_and_the_standard_library_with_it(site):
    code = "import json, pack.part, space.inner; print(json.dumps([pack.part.VALUE, space.inner.VALUE]))"
    status, said, complained = site.start(code)
    assert (status, complained) == (0, "")
    assert json.loads(said) == ["as installed", "in a namespace"]


@pytest.mark.parametrize("relative", ["pack/part.py", "space/inner.py"])
def test_a_file_that_differs_is_named_with_the_next_step_before_anything_runs(site, relative):
    text = site.manifest()
    path = site.write(relative, "VALUE = 'changed'")
    status, said, complained = site.start("print('ran')", text)
    assert (status, said) == (1, "")
    (line,) = complained.splitlines()
    assert str(path) in line
    assert "run install-plugin again, and register the sha256 that it prints" in line


def test_a_file_that_is_gone_is_named(site):
    text = site.manifest()
    site.module.unlink()
    status, _, complained = site.start("print('ran')", text)
    assert status == 1
    assert f"{site.module} cannot be read (No such file or directory)" in complained


def test_where_a_server_waits_for_the_handshake_it_reads_the_sentence_in_its_place(site):
    text = site.manifest()
    site.write("pack/part.py", "VALUE = 'changed'")
    status, said, complained = site.start("print('ran')", text, VAULT_BACKEND_PLUGIN="anything")
    assert status == 1
    assert said == complained != ""
    assert said.count("|") < 3  # or the server would take it for a handshake


def test_another_python_is_refused(site):
    status, _, complained = site.start("print('ran')", magic=bytes(4))
    assert status == 1
    assert "another Python" in complained


def test_what_the_manifest_does_not_name_cannot_be_imported_even_inside_a_package_of_it(site):
    text = site.manifest()
    site.write("pack/slipped_in.py", "print('ran')")
    site.write("slipped_in.py", "print('ran')")
    code = """
for name in ("slipped_in", "pack.slipped_in", "space.slipped_in"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        print("not found")
"""
    assert site.start(code, text) == (0, "not found\nnot found\nnot found", "")


@pytest.mark.parametrize("slipped_in", ["libpthread.so.0", "glibc-hwcaps/x86-64-v3/libpart.so.1"])
def test_a_library_beside_those_of_an_extension_module_is_refused_for_the_loader_looks_there_first(site, slipped_in):
    site.write("pack.libs/libpart.so.1", "a library")
    text = site.manifest()
    assert site.start("print('ran')", text) == (0, "ran", "")
    site.write(f"pack.libs/{slipped_in}", "another")
    status, said, complained = site.start("print('ran')", text)
    assert (status, said) == (1, "")
    assert f"pack.libs/{slipped_in.partition('/')[0]} was not there" in complained


def test_byte_code_that_was_not_there_at_installation_is_never_run(site):
    text = site.manifest()
    wicked = site.place / "wicked.py"
    wicked.write_text("print('ran'); VALUE = 'wicked'\n")
    cached = Path(cache_from_source(str(site.module)))
    py_compile.compile(str(wicked), str(cached))
    # Python itself would take it for the module's: it goes by time and size.
    seen = site.module.stat()
    head = MAGIC_NUMBER + bytes(4) + int(seen.st_mtime).to_bytes(4, "little") + seen.st_size.to_bytes(4, "little")
    cached.write_bytes(head + cached.read_bytes()[16:])
    code = "import pack.part; print(pack.part.VALUE)"
    assert site.start(code, text) == (0, "as installed", "")
    plain = subprocess.run(
        [sys.executable, "-IB", "-c", f"import sys; sys.path.insert(0, {str(site.place)!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert plain.stdout.split() == ["ran", "wicked"]  # so the test shows what it says


def test_byte_code_that_was_there_is_run_and_where_it_was_changed_since_the_source_is(site):
    cached = Path(py_compile.compile(str(site.module)))
    text = site.manifest()
    code = "import pack.part; print(pack.part.VALUE, pack.part.__spec__.loader.get_code('pack.part') is not None)"
    assert site.start(code, text) == (0, "as installed True", "")
    cached.write_bytes(cached.read_bytes()[:16] + b"nonsense")
    assert site.start(code, text) == (0, "as installed True", "")
    cached.unlink()
    assert site.start(code, text) == (0, "as installed True", "")


def test_a_source_that_changes_between_check_and_import_is_refused(site):
    code = f"""
open({str(site.module)!r}, "a").write("VALUE = 'changed'")
try:
    import pack.part
except ImportError as exc:
    print(exc)
"""
    status, said, _ = site.start(code)
    assert status == 0
    assert "was changed while the plugin started" in said


def test_nothing_of_the_environment_runs_before_the_check(site, tmp_path):
    """Of a virtual environment whose `site` would run a line of somebody's at each start."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (packages / "evil.pth").write_text("import sys; sys.stderr.write('pth ran')\n")
    # Not sitecustomize: some systems have one of their own, which comes first.
    (packages / "usercustomize.py").write_text("import sys; sys.stderr.write('usercustomize ran')\n")
    (packages / "distutils-precedence.pth").write_text("import usercustomize\n")
    python = tmp_path / "venv" / "bin" / "python"
    seen = [
        subprocess.run([python, flags, "-c", "pass"], capture_output=True, text=True, check=True).stderr
        for flags in ("-IB", "-ISB")
    ]
    assert "pth ran" in seen[0]
    assert "usercustomize ran" in seen[0]
    assert seen[1] == ""


def test_the_lines_are_those_of_sha256sum(site):
    ran = subprocess.run(["/usr/bin/sha256sum", "--quiet", "--check"], input=site.manifest(), text=True, check=False)
    assert ran.returncode == 0
    assert parse("ab  /a b.py\ncd  /c.so\n") == {"/a b.py": "ab", "/c.so": "cd"}


def test_byte_code_is_not_compared_before_it_is_loaded(tmp_path):
    check({str(tmp_path / "gone.pyc"): "00"})
    with pytest.raises(Changed, match=r"gone\.so cannot be read"):
        check({str(tmp_path / "gone.so"): "00"})


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/s/pack/__init__.py", "pack"),
        ("/s/pack/part.py", "pack.part"),
        ("/s/pack/fast.abi3.so", "pack.fast"),
        ("/s/pack.libs/libfoo-1234.so", None),
        ("/s/deep/er/part.py", "er.part"),
        ("/elsewhere/part.py", None),
        ("/s/pack/__pycache__/part.cpython-311.pyc", None),
    ],
)
def test_a_files_name_as_a_module_comes_from_its_place(path, name):
    assert module_name(path, ["/s/deep", "/s"]) == name
