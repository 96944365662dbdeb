"""Wrong input gets one clear sentence and the right status, and changes nothing."""

import secrets

import pytest

pytestmark = pytest.mark.system


def refused(answer, status):
    assert answer.status == status, answer.body
    (sentence,) = answer.body["errors"]
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("path", ["rotate", "security-token", "resync"])
def test_an_unknown_role_is_not_found(product, path):
    body = {"security_token": "A" * 24} if path == "security-token" else {}
    assert "nobody" in refused(product.vault.send("POST", f"v1/sf/{path}/nobody", body), 404)


@pytest.mark.parametrize("path", ["static-creds", "creds", "version", "status", "history", "static-roles"])
def test_reading_an_unknown_role_is_not_found(product, path):
    assert product.vault.send("GET", f"v1/sf/{path}/nobody").status == 404


def test_a_missing_field_is_named(product):
    sentence = refused(product.vault.send("POST", "v1/sf/static-roles/x", {"config": "demo"}), 400)
    assert "username" in sentence


def test_a_bad_duration_is_named(product):
    body = {"config": "demo", "username": "a@example.com", "password": "p", "rotation_period": "2 fortnights"}
    assert "rotation_period" in refused(product.vault.send("POST", "v1/sf/static-roles/x", body), 400)


def test_an_unknown_field_gets_the_nearest_name(product):
    body = {"config": "demo", "username": "a@example.com", "pasword": "p"}
    sentence = refused(product.vault.send("POST", "v1/sf/static-roles/x", body), 400)
    assert "pasword" in sentence
    assert "password" in sentence.replace("pasword", "")


def test_an_unknown_connection_is_named(product):
    body = {"config": "nowhere", "username": "a@example.com", "password": "p"}
    assert "nowhere" in refused(product.vault.send("POST", "v1/sf/static-roles/x", body), 400)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"rotation_period": "24h", "rotation_schedule": "0 3 * * *"}, "either rotation_period or rotation_schedule"),
        ({"rotation_window": "1h"}, "rotation_window needs a rotation_schedule"),
        ({"ttl": "2h", "max_ttl": "1h"}, "ttl must not be longer than max_ttl"),
        ({"password_policy": "nowhere"}, "no password policy 'nowhere'"),
        ({"config": "other"}, "config cannot be changed"),
        ({"username": "other@example.com"}, "username cannot be changed"),
        ({"password": "Another-1-password"}, "resync"),
    ],
)
def test_fields_that_do_not_go_together_change_nothing(product, body, named):
    account = product.account()
    path = f"v1/sf/static-roles/{account.role}"
    before = product.vault.ask("GET", path).data, product.journal(account)
    assert named in refused(product.vault.send("POST", path, body), 400)
    assert (product.vault.ask("GET", path).data, product.journal(account)) == before


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("resync", {"try": "current", "password": "p"}),
        ("resync", {"security_token": "T" * 24}),
        ("unlock", {"username": "somebody@example.com"}),
        ("rotate", {"expected_version": 1, "rotation_id": ""}),
    ],
)
def test_a_request_that_contradicts_itself_is_refused_without_a_login(product, path, body):
    account = product.account()
    before = product.counted(account), product.journal(account)
    refused(product.vault.send("POST", f"v1/sf/{path}/{account.role}", body), 400)
    assert (product.counted(account), product.journal(account)) == before


def test_a_password_of_two_lines_costs_no_login(product):
    password = product.password()
    username = product.user(password=password)
    body = {"config": "demo", "username": username, "password": f"{password}\n\n"}
    sentence = refused(product.vault.send("POST", "v1/sf/static-roles/from-a-file", body), 400)
    assert "line breaks in a file" in sentence
    assert password not in sentence
    assert product.org.ask("GET", f"users/{username}").body["logins"] == 0


def test_a_name_that_differs_by_case_alone_is_taken(product):
    account = product.account()
    body = {"config": "demo", "username": product.user(), "password": "p"}
    sentence = refused(product.vault.send("POST", f"v1/sf/static-roles/{account.role.upper()}", body), 409)
    assert f"static-roles/{account.role}" in sentence
    body = {"login_url": product.stack.orgsim.url}
    assert "config/demo" in refused(product.vault.send("POST", "v1/sf/config/Demo", body), 409)


def test_before_a_sidecar_has_registered_nothing_is_said_not_to_be_there(product):
    mount = f"fresh-{secrets.token_hex(3)}"
    product.vault.ask("POST", f"v1/sys/mounts/{mount}", {"type": "vault-plugin-secrets-salesforce"})
    try:
        for method, path in (
            ("GET", "static-creds/nobody"),
            ("GET", "creds/nobody"),
            ("GET", "version/nobody"),
            ("GET", "status/nobody"),
            ("POST", "rotate/nobody"),
            ("LIST", "static-roles"),
            ("GET", "nope"),
        ):
            answer = product.vault.send(method, f"v1/{mount}/{path}", {} if method == "POST" else None)
            assert "no sidecar has registered at this mount yet" in refused(answer, 503), path
            assert answer.body["code"] == "no_sidecar"
            assert f"{mount}/sidecar/" in answer.body["remedy"]
    finally:
        product.vault.ask("DELETE", f"v1/sys/mounts/{mount}")


def test_a_wait_that_is_too_long_is_refused(product):
    account = product.account()
    assert "wait" in refused(product.rotate(account, wait=11), 400)


def test_a_second_role_for_an_account_is_refused_and_the_first_is_named(product):
    account = product.account()
    body = {"config": "demo", "username": account.username.upper(), "password": "p"}
    assert account.role in refused(product.vault.send("POST", "v1/sf/static-roles/second", body), 409)


CODES = ["LOGIN_MUST_USE_SECURITY_TOKEN", "INVALID_LOGIN", "API_DISABLED_FOR_ORG"]


@pytest.mark.parametrize("code", CODES)
def test_an_org_that_refuses_the_login_of_a_new_role_is_asked_once_and_nothing_is_stored(product, code):
    password = product.password()
    username = product.user(password=password)
    product.org.ask("PATCH", "misbehave", {"refuse_before": {"code": code, "operation": "login", "username": username}})
    body = {"config": "demo", "username": username, "password": password}
    name = f"n{username.partition('@')[0]}"
    answer = product.vault.send("POST", f"v1/sf/static-roles/{name}", body)
    refused(answer, 424)
    assert answer.body["code"] == code
    assert answer.body["remedy"]
    assert product.vault.send("GET", f"v1/sf/static-roles/{name}").status == 404
    asked = product.org.ask("GET", "requests").data
    logins = [one for one in asked if one["operation"] == "login" and one["username"] == username]
    assert len(logins) == 1


@pytest.mark.parametrize("code", CODES)
def test_an_org_that_refuses_the_login_of_a_rotation_is_asked_once_and_the_credential_stays(product, code):
    account = product.account()
    before = product.kv(account)
    knob = {"code": code, "operation": "login", "username": account.username}
    product.org.ask("PATCH", "misbehave", {"refuse_before": knob})
    since = product.org.ask("GET", "requests").data[-1]["n"]
    answer = product.rotate(account)
    refused(answer, 424)
    assert answer.body["code"] == code
    assert answer.body["remedy"]
    assert product.kv(account) == before
    assert product.static_creds(account)["password"] == before["password"]
    asked = product.org.ask("GET", f"requests?since={since}").data
    assert [one["operation"] for one in asked if one["username"] == account.username] == ["login"]
