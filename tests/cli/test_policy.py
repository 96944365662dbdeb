"""The policies, filled in: nothing is left open, and nothing can be smuggled in."""

import subprocess

import pytest
from click.testing import CliRunner

from vault_salesforce.__main__ import main
from vault_salesforce.dev.openbao import BAO
from vault_salesforce.policy import NAMES, policy

FOR_APPS = ("consumer", "consumer-leased")
OF_ALL = ("sidecar", "break-glass")
ROLE = {name: "crm" if name in FOR_APPS else None for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_the_real_command_reads_each_and_has_nothing_to_change(name, tmp_path):
    file = tmp_path / f"{name}.hcl"
    text = policy(name, mount="team/sf", kv="apps", engine_kv="engine", role=ROLE[name])
    file.write_text(text)
    subprocess.run((BAO, "policy", "fmt", str(file)), env={"HOME": str(tmp_path)}, capture_output=True, check=True)
    assert file.read_text() == text
    assert "$" not in text
    assert '"patch"' not in text, "nothing of ours is patched"


def test_the_command_prints_what_can_be_piped_into_the_servers():
    shown = CliRunner().invoke(main, ["policy", "operator", "--mount", "sf/", "--role", "team-a-*"])
    assert shown.exit_code == 0, shown.output
    assert shown.output == policy("operator", role="team-a-*")
    assert 'path "sf/rotate/team-a-*"' in shown.output


@pytest.mark.parametrize("name", FOR_APPS)
def test_an_apps_policy_is_for_one_role_or_prefix(name):
    shown = CliRunner().invoke(main, ["policy", name])
    assert shown.exit_code == 2
    assert "name it" in shown.output
    assert 'version/crm"' in policy(name, role="crm")


@pytest.mark.parametrize("name", OF_ALL)
def test_what_covers_every_role_is_not_narrowed_in_appearance_only(name):
    with pytest.raises(ValueError, match="covers every role"):
        policy(name, role="crm")


@pytest.mark.parametrize("role", ["", "*", "a/b", 'x" { capabilities = ["root"] }', "a*b", "++", "a b"])
def test_a_role_that_no_role_can_be_called_is_refused(role):
    with pytest.raises(ValueError, match="role must be"):
        policy("consumer", role=role)


@pytest.mark.parametrize("option", ["mount", "kv", "engine_kv"])
@pytest.mark.parametrize("path", ["", "*", "a//b", 'x"'])
def test_a_path_that_no_mount_can_have_is_refused(option, path):
    with pytest.raises(ValueError, match=f"{option} must be"):
        policy("sidecar", **{option: path})
