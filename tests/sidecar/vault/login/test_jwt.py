"""Kubernetes and JWT logins, at the real auth methods."""

import pytest

from vault_salesforce_sidecar.settings import SERVICE_ACCOUNT_TOKEN
from vault_salesforce_sidecar.vault.login.keeper import Login

NAMESPACE, ACCOUNT, ROLE = "salesforce", "sidecar", "side"


@pytest.fixture(params=["kubernetes", "jwt"])
def method(request):
    return request.param


@pytest.fixture
def file(tmp_path, token_review):
    made = tmp_path / "token"
    made.write_text(token_review.token(NAMESPACE, ACCOUNT))
    return made


@pytest.fixture
def settings(request, method, told, file):
    mount = request.getfixturevalue(method)
    return told(auth_method=method, auth_mount=mount, auth_role=ROLE, jwt_file=str(file))


@pytest.fixture
def login(settings, fresh, clock):
    return Login(fresh, settings, clock)


def test_the_platforms_token_logs_in(login, method, token_review):
    login.step()
    assert (login.reason, login.logged_in.is_set()) == (None, True)
    reviewed = [f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"] if method == "kubernetes" else []
    assert token_review.reviewed == reviewed


def test_its_file_is_read_again_before_each_login(server, login, fresh, file, token_review):
    login.step()
    server.ask("POST", "auth/token/revoke-accessor", {"accessor": fresh.read("auth/token/lookup-self")["accessor"]})
    file.write_text(token_review.token(NAMESPACE, "another"))
    login.doubt()
    login.step()
    assert not login.logged_in.is_set()
    file.write_text(token_review.token(NAMESPACE, ACCOUNT))
    login.step()
    assert login.reason is None


def test_another_account_is_refused_with_what_vault_says_and_without_the_token(login, method, file, token_review):
    token = token_review.token(NAMESPACE, "another")
    file.write_text(token)
    login.step()
    said = {"kubernetes": "service account name not authorized", "jwt": "subject"}[method]
    assert said in login.reason
    assert f"login by {method}" in login.reason
    assert token not in login.reason


def test_a_token_that_is_over_is_refused_and_its_successor_is_taken_at_once(login, file, token_review):
    file.write_text(token_review.token(NAMESPACE, ACCOUNT, lives_seconds=-600, nbf=0, iat=0))
    login.step()
    assert not login.logged_in.is_set()
    file.write_text(token_review.token(NAMESPACE, ACCOUNT))
    login.step()
    assert login.reason is None


def test_what_was_refused_is_tried_again_soon_for_the_role_may_have_been_mended(login, clock, file, token_review):
    file.write_text(token_review.token(NAMESPACE, "another"))
    asked = []
    log_in = login._method.log_in
    login._method.log_in = lambda credential: (asked.append(clock.seconds), log_in(credential))[1]
    for _ in range(13):
        clock.seconds += login.step()
    assert len(asked) == 3


def test_in_a_pod_the_file_needs_no_setting(told):
    assert told(auth_method="kubernetes", auth_role=ROLE).jwt_file == SERVICE_ACCOUNT_TOKEN
    assert told(auth_method="kubernetes", auth_role=ROLE).auth_mount == "kubernetes"
