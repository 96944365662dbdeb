"""The sidecar's own login, against the real server and a clock of the test's own."""

from dataclasses import replace

import pytest

from vault_plugin_sdk.framework.fields import declared
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.settings import Settings
from vault_salesforce_sidecar.store import KvUnavailable
from vault_salesforce_sidecar.vault.client import Token, Vault, VaultRefused
from vault_salesforce_sidecar.vault.login import METHODS
from vault_salesforce_sidecar.vault.login.keeper import _REMEDIES, Login


@pytest.fixture
def settings(told, approle):
    return told(auth_mount=approle.mount, role_id=approle.role_id, secret_id=approle.secret_id())


def is_logged_in(vault):
    try:
        vault.look_up(SecretStr(""))
    except VaultRefused:
        return False
    return True


def test_it_logs_in_and_comes_back_at_two_thirds_of_the_tokens_life(fresh, settings, clock):
    login = Login(fresh, settings, clock)
    assert login.reason
    assert login.step() == pytest.approx(40)
    assert (login.reason, login.logged_in.is_set(), is_logged_in(fresh)) == (None, True, True)


def test_it_renews_the_same_token(server, fresh, settings, clock):
    login = Login(fresh, settings, clock)
    login.step()
    before = fresh.read("auth/token/lookup-self")
    clock.seconds += 41
    assert login.step() == pytest.approx(40)
    after = fresh.read("auth/token/lookup-self")
    assert after["accessor"] == before["accessor"]
    assert "last_renewal_time" in after


def test_it_logs_in_anew_when_the_token_was_revoked(server, fresh, settings, clock):
    login = Login(fresh, settings, clock)
    fresh.forbidden = login.doubt
    login.step()
    server.ask("POST", "auth/token/revoke-accessor", {"accessor": fresh.read("auth/token/lookup-self")["accessor"]})
    with pytest.raises(VaultRefused):
        fresh.kv("secret").read("a")
    login.step()
    assert (login.reason, is_logged_in(fresh)) == (None, True)


def test_it_does_not_look_at_its_token_for_each_forbidden_path(fresh, settings, clock):
    login = Login(fresh, settings, clock)
    fresh.forbidden = login.doubt
    login.step()
    login.doubt()
    assert login.step() == pytest.approx(40)
    login.doubt()
    assert login.step() == pytest.approx(10)
    clock.seconds += 10
    assert login.step() == pytest.approx(30)


def test_a_doubt_does_not_put_off_the_renewal(fresh, settings, clock):
    login = Login(fresh, settings, clock)
    fresh.forbidden = login.doubt
    login.step()
    clock.seconds += 37
    login.doubt()
    assert login.step() == pytest.approx(3)
    login.doubt()
    assert login.step() == pytest.approx(3)


def test_a_token_that_cannot_be_renewed_is_replaced_in_time(server, pool, settings, clock):
    issued = []

    class Batch(Vault):
        def log_in(self, mount, **given):
            issued.append(super().log_in(mount, **given))
            return replace(issued[-1], renewable=False)

    login = Login(Batch(pool, server.addr), settings, clock)
    login.step()
    clock.seconds += 41
    login.step()
    assert len(issued) == 2


def test_a_refused_secret_id_is_tried_once_more_and_then_not_until_it_is_replaced(
    server, pool, settings, clock, tmp_path
):
    file = tmp_path / "secret-id"
    file.write_text("wrong\n")
    tries = []

    class Counting(Vault):
        def log_in(self, mount, **given):
            tries.append(given["secret_id"])
            return super().log_in(mount, **given)

    from_file = replace(settings, secret_id=SecretStr(""), secret_id_file=str(file))
    login = Login(Counting(pool, server.addr), from_file, clock)
    assert login.step() < 5
    for _ in range(5):
        clock.seconds += login.step()
    assert len(tries) == 2
    assert "secret" in login.reason.lower()
    assert "wrong" not in login.reason
    file.write_text(settings.secret_id.reveal())
    login.step()
    assert (login.reason, len(tries)) == (None, 3)


def test_a_file_that_is_not_there_is_a_reason_and_not_an_end(fresh, settings, clock, tmp_path):
    file = tmp_path / "secret-id"
    login = Login(fresh, replace(settings, secret_id=SecretStr(""), secret_id_file=str(file)), clock)
    login.step()
    assert str(file) in login.reason
    file.write_text(settings.secret_id.reveal())
    login.step()
    assert login.reason is None


def test_a_token_is_used_as_given(server, fresh, settings, clock, tmp_path):
    file = tmp_path / "token"
    file.write_text(server.root_token)
    by_token = replace(settings, auth_method="token", vault_token_file=str(file))
    login = Login(fresh, by_token, clock)
    assert login.step() > 60  # the root token has no end
    assert (login.reason, is_logged_in(fresh)) == (None, True)


def test_a_server_that_is_away_leaves_the_token_in_use(server, pool, settings, clock):
    class Away(Vault):
        def renew(self) -> Token:
            raise KvUnavailable("Vault is sealed")

    vault = Away(pool, server.addr)
    login = Login(vault, settings, clock)
    login.step()
    clock.seconds += 41
    with pytest.raises(KvUnavailable):
        login.step()
    assert (login.reason, is_logged_in(vault)) == (None, True)


def test_the_thread_logs_in_by_itself_and_ends(fresh, settings, clock):
    login = Login(fresh, settings, clock)
    login.start()
    assert login.logged_in.wait(20)
    login.stop()
    login._thread.join(10)
    assert not login._thread.is_alive()


@pytest.mark.parametrize("method", ["token", "approle"])
def test_a_credential_that_no_header_can_carry_is_a_reason_and_not_shown(fresh, settings, clock, method):
    spoilt = SecretStr("hvs.first\nhvs.second")
    login = Login(fresh, replace(settings, auth_method=method, vault_token=spoilt, secret_id=spoilt), clock)
    login.step()
    assert "characters" in login.reason
    assert "hvs" not in login.reason


def test_each_login_is_told_of(fresh, settings, clock):
    told = []
    login = Login(fresh, settings, clock, logged_in=lambda: told.append(login.logged_in.is_set()))
    login.step()
    clock.seconds += 41
    login.step()  # a renewal is none
    assert told == [True]


def test_every_method_of_the_settings_is_in_the_table_and_has_a_remedy():
    assert set(METHODS) == set(declared(Settings)["auth_method"].choices) == set(_REMEDIES)
