"""The sidecar's policy is what the server accepts, and holds no more than it should."""

import subprocess

import pytest

from vault_salesforce.dev.openbao import BAO
from vault_salesforce.dev.setup import Mounts, crm_user, sidecar_policy


@pytest.fixture
def policy():
    return sidecar_policy(Mounts("sf-2", "apps", "engine"))


def test_the_real_command_reads_the_policy_and_has_nothing_to_change(policy, tmp_path):
    file = tmp_path / "sidecar.hcl"
    file.write_text(policy)
    home = {"HOME": str(tmp_path)}
    subprocess.run((BAO, "policy", "fmt", str(file)), env=home, capture_output=True, check=True)
    assert file.read_text() == policy


def test_the_policy_names_the_mounts_that_it_is_for(policy):
    assert 'path "sf-2/sidecar/+"' in policy
    assert 'path "apps/data/creds/+"' in policy
    assert 'path "engine/data/*"' in policy
    assert "$" not in policy


def test_the_policy_deletes_nothing_and_leases_no_credential(policy):
    assert "delete" not in policy.replace("deleted", "")
    for copy in ("apps/data/creds/+", "apps/metadata/creds/", "sf-2/static-creds/+"):
        policy = policy.replace(copy, "")
    assert "creds/" not in policy


def test_no_two_stacks_share_a_password():
    assert crm_user().password != crm_user().password
