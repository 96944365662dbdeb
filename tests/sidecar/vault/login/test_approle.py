"""AppRole logins, at the real auth method."""

import pytest

from vault_salesforce_sidecar.vault.client import VaultRefused
from vault_salesforce_sidecar.vault.login.approle import AppRole


def test_a_secret_id_logs_in_from_the_environment_and_from_a_file(told, approle, fresh, tmp_path):
    (tmp_path / "secret-id").write_text(approle.secret_id() + "\n")
    common = {"auth_mount": approle.mount, "role_id": approle.role_id}
    for given in ({"secret_id": approle.secret_id()}, {"secret_id_file": str(tmp_path / "secret-id")}):
        method = AppRole(told(**common, **given), fresh)
        assert method.log_in(method.credential()).ttl_seconds == 60


def test_a_role_that_binds_no_secret_id_takes_none(server, told, approle, fresh):
    change = {"bind_secret_id": False, "token_bound_cidrs": ["127.0.0.1/32"]}
    server.ask("POST", f"auth/{approle.mount}/role/side", change)
    method = AppRole(told(auth_mount=approle.mount, role_id=approle.role_id), fresh)
    assert method.log_in(method.credential()).ttl_seconds == 60


def test_a_wrong_one_is_refused(told, approle, fresh):
    method = AppRole(told(auth_mount=approle.mount, role_id=approle.role_id, secret_id="wrong"), fresh)
    with pytest.raises(VaultRefused) as refused:
        method.log_in(method.credential())
    assert refused.value.errors == ("invalid role or secret ID",)
    assert "wrong" not in refused.value.sentence
