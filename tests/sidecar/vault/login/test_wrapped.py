"""A SecretID that is delivered wrapped, at the real server."""

import json
import stat

import pytest
import structlog

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.store import KvUnavailable
from vault_salesforce_sidecar.vault.client import Vault, VaultRefused
from vault_salesforce_sidecar.vault.login.approle import AppRole
from vault_salesforce_sidecar.vault.login.credential import CredentialMissing
from vault_salesforce_sidecar.vault.login.wrapped import FILE_NAME, WrappedSecretId


class Delivery:
    """A sidecar's start after start, with one state directory and one file for the wrapping token."""

    def __init__(self, told, approle, pool, server, tmp_path):
        self.approle, self._pool, self._server, self._told = approle, pool, server, told
        self.file, self.state = tmp_path / "wrapped", tmp_path / "state"
        self.kept = self.state / FILE_NAME

    def deliver(self, token=None):
        token = token or self.approle.wrapped()
        self.file.write_text(token)
        return token

    def start(self, kind=Vault, **more):
        settings = self._told(
            auth_mount=self.approle.mount,
            role_id=self.approle.role_id,
            wrapped_secret_id_file=str(self.file),
            state_directory=str(self.state),
            **more,
        )
        return AppRole(settings, kind(self._pool, self._server.addr))

    def refused(self, **more):
        with structlog.testing.capture_logs() as logged, pytest.raises(CredentialMissing) as refused:
            self.start(**more).credential()
        return str(refused.value), [line for line in logged if line["log_level"] == "error"]


@pytest.fixture(autouse=True)
def _no_standbys(monkeypatch):
    monkeypatch.setattr(WrappedSecretId, "lag_seconds", 0.0)


@pytest.fixture
def delivery(told, approle, pool, server, tmp_path):
    return Delivery(told, approle, pool, server, tmp_path)


def logs_in(method):
    return method.log_in(method.credential()).ttl_seconds == 60


def test_it_is_unwrapped_once_and_kept_for_its_owner_alone(delivery):
    token = delivery.deliver()
    method = delivery.start()
    assert logs_in(method)
    assert logs_in(method)
    assert stat.S_IMODE(delivery.kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(delivery.state.stat().st_mode) == 0o700
    assert [file.name for file in delivery.state.iterdir()] == [FILE_NAME]
    assert token not in delivery.kept.read_text()


@pytest.mark.parametrize("delivered", ["still there", "gone"])
def test_a_restart_needs_no_human(delivery, delivered):
    delivery.deliver()
    secret_id = delivery.start().credential()
    if delivered == "gone":
        delivery.file.unlink()
    again = delivery.start()
    with structlog.testing.capture_logs() as logged:
        assert again.credential() == secret_id
    assert logged == []
    assert logs_in(again)


def test_a_new_delivery_takes_the_place_of_what_was_kept(delivery):
    delivery.deliver()
    method = delivery.start()
    before = method.credential()
    delivery.deliver()
    assert method.credential() != before
    assert logs_in(delivery.start())


def test_the_token_may_come_in_the_environment(told, approle, fresh, tmp_path):
    settings = told(
        auth_mount=approle.mount,
        role_id=approle.role_id,
        wrapped_secret_id=approle.wrapped(),
        state_directory=str(tmp_path / "state"),
        auth_role="side",
    )
    assert logs_in(AppRole(settings, fresh))


def test_one_that_somebody_else_unwrapped_is_said_aloud_with_what_to_do_and_once(delivery):
    delivery.approle.unwrap(delivery.deliver())
    reason, logged = delivery.refused()
    for part in ("somebody else has unwrapped it", "its time is over", "secret-id-accessor/destroy", "audit log"):
        assert part in reason
    assert [line["event"] for line in logged] == ["wrapping_token_refused"]
    assert "attempt of this sidecar" not in reason
    method = delivery.start()
    with structlog.testing.capture_logs() as logged:
        for _ in range(3):
            with pytest.raises(CredentialMissing):
                method.credential()
    assert len(logged) == 1


def test_one_whose_time_is_over_says_that_this_may_be_why(delivery):
    delivery.deliver("s.WhateverThisOnceWas000000")
    assert "its time is over" in delivery.refused()[0]


def test_what_was_kept_serves_on_where_a_new_delivery_was_stolen(delivery):
    delivery.deliver()
    before = delivery.start().credential()
    delivery.approle.unwrap(delivery.deliver())
    with structlog.testing.capture_logs() as logged:
        method = delivery.start()
        assert method.credential() == before
    assert "wrapping_token_refused" in [line["event"] for line in logged]
    assert logs_in(method)
    delivery.deliver()
    assert method.credential() != before


def test_a_token_that_wraps_something_else_is_not_unwrapped(delivery, server):
    token = delivery.deliver(delivery.approle.wrapped("sys/wrapping/wrap", body={"secret_id": "the attacker's"}))
    reason, logged = delivery.refused()
    assert "sys/wrapping/wrap" in reason
    assert "in the place of the right one" in reason
    assert logged
    assert delivery.approle.unwrap(token) == {"secret_id": "the attacker's"}
    assert not delivery.kept.exists()


def test_with_the_roles_name_a_secret_id_of_another_role_is_not_unwrapped(delivery, server):
    other = f"auth/{delivery.approle.mount}/role/other"
    server.ask("POST", other, {})
    delivery.deliver(delivery.approle.wrapped(f"{other}/secret-id"))
    assert "/role/other/secret-id" in delivery.refused(auth_role="side")[0]
    delivery.deliver()
    assert logs_in(delivery.start(auth_role="side"))


def test_where_nothing_can_be_kept_nothing_is_unwrapped(delivery):
    delivery.state.write_text("a file where the folder should be")
    token = delivery.deliver()
    assert "cannot be written" in delivery.refused()[0]
    assert delivery.approle.unwrap(token)["secret_id"]


def test_an_answer_that_was_lost_is_known_as_our_own(delivery):
    class Lossy(Vault):
        def unwrap(self, token: SecretStr):
            super().unwrap(token)
            raise KvUnavailable("Vault gave no answer")

    delivery.deliver()
    with pytest.raises(KvUnavailable):
        delivery.start(Lossy).credential()
    assert "an attempt of this sidecar was cut off" in delivery.refused()[0]
    delivery.deliver()
    assert logs_in(delivery.start())


def test_a_standby_that_does_not_know_the_token_yet_is_asked_once_more_before_the_alarm(delivery):
    class Behind(Vault):
        behind = True

        def look_up_wrapping(self, token: SecretStr):
            if self.behind:
                self.behind = False
                raise VaultRefused("wrapping token is not valid", None, 400, ())
            return super().look_up_wrapping(token)

    delivery.deliver()
    with structlog.testing.capture_logs() as logged:
        assert logs_in(delivery.start(Behind))
    assert [line["event"] for line in logged] == ["secret_id_unwrapped"]


def test_a_spoilt_file_is_as_if_there_were_none(delivery):
    delivery.deliver()
    delivery.start().credential()
    delivery.kept.write_text("{")
    assert "gives nothing any more" in delivery.refused()[0]
    delivery.deliver()
    assert logs_in(delivery.start())
    assert "secret_id" in json.loads(delivery.kept.read_text())
