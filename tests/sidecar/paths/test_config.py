"""Connections."""

import pytest
import trustme

from vault_plugin_sdk.logical.errors import CallerError

URL = "https://a.my.salesforce.com"
ADMIN = {"auth_method": "password", "username": "admin@example.com", "password": "p1", "security_token": "t1"}


def refused(engine, name, **data):
    with pytest.raises(CallerError) as caught:
        engine.ask("update", f"config/{name}", **data)
    return caught.value


def read(engine, name):
    return engine.ask("read", f"config/{name}").data


def test_what_was_written_is_read_without_its_secrets(engine):
    engine.ask("create", "config/org", login_url=URL, allowed_roles="a,b-*", **ADMIN)
    data = read(engine, "org")
    assert (data["login_url"], data["allowed_roles"], data["username"]) == (URL, ["a", "b-*"], "admin@example.com")
    assert not {"password", "security_token"} & set(data)


def test_a_write_changes_what_it_gives_and_leaves_the_rest(engine):
    engine.ask("update", "config/org", login_url=URL, **ADMIN)
    engine.ask("update", "config/org", allowed_roles=["x"])
    assert (read(engine, "org")["allowed_roles"], read(engine, "org")["username"]) == (["x"], "admin@example.com")
    assert engine.connections.get("org").record.password.reveal() == "p1"


def test_one_that_is_not_there_is_nothing(engine):
    assert read(engine, "org") is None
    assert engine.ask("list", "config/").data is None
    engine.ask("delete", "config/org")


def test_names_are_listed_with_where_they_log_in(engine, org):
    data = engine.ask("list", "config").data
    assert data == {"keys": ["org"], "key_info": {"org": {"login_url": URL, "auth_method": "none"}}}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "login_url is missing"),
        ({"login_url": URL, "ca_cert": "Zürich"}, "ca_cert must be certificates"),
        ({"login_url": URL, "allowed_hosts": [f"{'x' * 300}!"]}, r"'x{100}' is no host"),
        ({"login_url": URL, "allowed_hosts": "x" * 300}, "is no host"),
        ({"allowed_roles": "crm\x1b[2J"}, "allowed_roles must be patterns"),
        ({"admin_may_rotate": "x" * 129}, "admin_may_rotate must be patterns"),
        ({"auth_method": "password", "username": "admin"}, "username must be a login name"),
        ({"auth_method": "password", "username": "a@example.com", "password": "p\nq"}, "password must be one line"),
        ({"login_url": URL, "auth_method": "password"}, "username is missing.*password is missing"),
        ({"login_url": URL, "username": "a@example.com"}, "username needs an auth_method"),
        ({"login_url": URL, "admin_may_rotate": "*"}, "admin_may_rotate needs an identity"),
        ({"login_url": URL, "ca_cert": "no certificate"}, "ca_cert must be certificates in PEM"),
        ({"login_url": URL, "allowed_hosts": "https://a/"}, "is no host"),
        ({"login_url": URL, "mailbox": "maildir:/etc"}, "mailbox"),
        ({"login_url": URL, "mailbox": "imap://x"}, "mailbox"),
        ({"login_ur": URL}, "did you mean 'login_url'"),
    ],
)
def test_a_wrong_connection_is_refused_whole(engine, given, sentence):
    with pytest.raises(CallerError, match=sentence) as caught:
        engine.ask("update", "config/org", **given)
    assert caught.value.status == 400
    assert read(engine, "org") is None


def test_a_mailbox_lies_below_the_allowed_folder(engine, tmp_path):
    (tmp_path / "mail").mkdir()
    engine.ask("update", "config/org", login_url=URL, mailbox=f"maildir:{tmp_path}/mail")
    refused(engine, "org", mailbox=f"maildir:{tmp_path}/../elsewhere")


@pytest.mark.parametrize(
    "change",
    [
        {"login_url": "https://b.my.salesforce.com"},
        {"ca_cert": trustme.CA().cert_pem.bytes().decode()},
        {"allowed_hosts": ["evil.example.com"]},
        {"username": "other@example.com"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_who_does_not_know_the_secrets_cannot_have_them_sent_elsewhere(engine, change):
    engine.ask("update", "config/org", login_url=URL, **ADMIN)
    assert refused(engine, "org", **change).code == "secret_needed"
    assert refused(engine, "org", **change, password="p2").code == "secret_needed"
    engine.ask("update", "config/org", **change, password="p2", security_token="t2")


def test_without_an_identity_the_old_ones_secrets_are_forgotten(engine):
    engine.ask("update", "config/org", login_url=URL, **ADMIN)
    engine.ask("update", "config/org", auth_method="none")
    record = engine.connections.get("org").record
    assert not any((record.username, record.password, record.security_token))


@pytest.mark.parametrize(
    "change",
    [{"login_url": "https://evil.example.com"}, {"allowed_hosts": "evil.example.com"}],
    ids=lambda change: next(iter(change)),
)
def test_the_passwords_of_roles_are_not_sent_elsewhere_either(engine, crm, change):
    error = refused(engine, "org", **change)
    assert (error.status, error.code) == (409, "in_use")
    assert "role crm" in error.sentence
    stranger = ADMIN | {"username": "stranger@example.com"}
    assert refused(engine, "org", **change, **stranger).code == "in_use"


def test_roles_may_follow_their_org_to_its_own_host(engine, crm):
    engine.ask("update", "config/org", login_url="https://b.my.salesforce.com")


def test_who_knows_the_admins_password_may_move_the_roles(engine):
    engine.ask("update", "config/org", login_url=URL, allowed_roles="*", **ADMIN)
    engine.ask("update", "static-roles/crm", config="org", username="crm@example.com", password="right")
    move = {"login_url": "https://org.example.com", "security_token": "t1"}
    assert refused(engine, "org", **move, password="guessed").code == "in_use"
    engine.ask("update", "config/org", **move, password="p1")


def test_one_in_use_is_not_deleted(engine, crm):
    with pytest.raises(CallerError, match="the role crm uses it") as caught:
        engine.ask("delete", "config/org")
    assert caught.value.status == 409
    engine.ask("delete", "static-roles/crm")
    engine.ask("delete", "config/org")
    assert read(engine, "org") is None


def test_names_differ_by_more_than_case(engine, org):
    assert "config/org" in refused(engine, "ORG", login_url=URL).sentence


def test_a_roles_user_is_no_connections_identity(engine, crm):
    error = refused(engine, "other", login_url=URL, **ADMIN | {"username": "CRM@example.com"})
    assert (error.status, "static-roles/crm" in error.sentence) == (409, True)


def test_a_user_given_up_is_free(engine):
    engine.ask("update", "config/org", login_url=URL, **ADMIN)
    engine.ask("update", "config/org", **ADMIN | {"username": "next@example.com"})
    engine.ask("update", "config/other", login_url=URL, **ADMIN)
    engine.ask("delete", "config/other")
    engine.ask("update", "config/third", login_url=URL, **ADMIN)
