"""What the KV mounts must be like."""

from dataclasses import replace

import pytest

from vault_salesforce_sidecar.settings import from_environ
from vault_salesforce_sidecar.vault import mounts


@pytest.fixture
def settings(server):
    environ = {"VAULT_SALESFORCE_VAULT_ADDR": server.addr, "VAULT_SALESFORCE_ROLE_ID": "r"}
    made = from_environ(environ, "host")
    return replace(made, kv_mount=server.mount_kv(), engine_kv_mount=server.mount_kv())


def test_good_mounts_have_no_faults_however_often_they_are_asked(vault, settings):
    assert mounts.faults(vault, settings) == []
    assert mounts.faults(vault, settings) == []


@pytest.mark.parametrize(
    ("configuration", "command"),
    [
        ({"cas_required": False}, "cas_required=true"),
        ({"delete_version_after": "1h"}, "delete_version_after=0s"),
        ({"max_versions": 3}, "max_versions=10"),
    ],
)
def test_each_fault_comes_with_the_command_that_mends_it(server, vault, settings, configuration, command):
    wrong = replace(settings, kv_mount=server.mount_kv(**configuration))
    (fault,) = mounts.faults(vault, wrong)
    assert f"vault write {wrong.kv_mount}/config {command}" in fault


def test_the_engines_mount_belongs_to_one_mount(vault, settings):
    assert mounts.faults(vault, settings) == []
    (fault,) = mounts.faults(vault, replace(settings, mount="other"))
    assert "belongs to the mount sf/" in fault
    assert fault.endswith(f"vault kv patch -mount={settings.engine_kv_mount} -cas=1 owner mount=other")
