"""Connections."""

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_sidecar.records.hold import ANOTHER_ORG, Hold

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
        ({"login_url": "https://login.saleforce.com"}, "none of Salesforce's hosts.*allowed_hosts too"),
        ({"login_url": "https://org.example.com", "allowed_hosts": "example.com"}, "none of Salesforce's hosts"),
        ({"login_url": "https://a.my.salesforce.com:444"}, "none of Salesforce's hosts"),
        ({"login_url": URL, "client_cert": "no certificate"}, "client_cert and client_key must be"),
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
    [
        {"login_url": "https://evil.example.com", "allowed_hosts": "evil.example.com"},
        {"allowed_hosts": "evil.example.com"},
    ],
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
    move = {"login_url": "https://org.example.com", "allowed_hosts": "org.example.com", "security_token": "t1"}
    assert refused(engine, "org", **move, password="guessed").code == "in_use"
    engine.ask("update", "config/org", **move, password="p1")


@pytest.fixture(scope="module")
def private_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


def test_every_way_in_is_written_and_read_without_its_secrets(engine, private_key):
    app = {"client_id": "consumer", "client_secret": "s3cret"}
    ways = {
        "jwt_bearer": {"username": "admin@example.com", "client_id": "consumer", "private_key": private_key},
        "client_credentials": app,
        "oauth_password": ADMIN | app,
    }
    for method, given in ways.items():
        engine.ask("update", f"config/{method}", login_url=URL, **given | {"auth_method": method})
        data = read(engine, method)
        assert (data["auth_method"], data["client_id"]) == (method, "consumer")
        assert not {"password", "security_token", "client_secret", "private_key"} & set(data)
        engine.ask("delete", f"config/{method}")


def test_a_key_that_is_none_is_refused_and_not_repeated(engine):
    given = {"auth_method": "jwt_bearer", "username": "a@example.com", "client_id": "x"}
    error = refused(engine, "org", login_url=URL, **given, private_key="Planted-1-secret")
    assert error.sentence.startswith("private_key must be an RSA key")
    assert "Planted" not in error.sentence


def test_an_app_for_the_roles_needs_no_auth_method(engine, private_key):
    engine.ask("update", "config/org", login_url=URL, client_id="consumer", private_key=private_key)
    assert read(engine, "org")["auth_method"] == "none"
    engine.ask("update", "config/org", **ADMIN, private_key=private_key)
    engine.ask("update", "config/org", auth_method="none", private_key=private_key)
    record = engine.connections.get("org").record
    assert (record.username, record.private_key.reveal()) == ("", private_key)


def test_another_way_in_forgets_what_it_does_not_use(engine, private_key):
    engine.ask("update", "config/org", login_url=URL, **ADMIN)
    app = {"auth_method": "jwt_bearer", "client_id": "consumer", "private_key": private_key}
    engine.ask("update", "config/org", **app)
    record = engine.connections.get("org").record
    assert (record.username, bool(record.password), bool(record.security_token)) == ("admin@example.com", False, False)
    assert "password is not for auth_method=jwt_bearer" in refused(engine, "org", password="p3").sentence


@pytest.mark.parametrize(
    "change",
    [
        {"login_url": "https://b.my.salesforce.com"},
        {"allowed_hosts": ["evil.example.com"]},
        {"username": "x@y.example"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_secrets_of_an_app_are_not_sent_elsewhere_either(engine, private_key, change):
    app = {"client_id": "consumer", "client_secret": "s3cret", "private_key": private_key}
    engine.ask("update", "config/org", login_url=URL, auth_method="jwt_bearer", username="a@example.com", **app)
    assert refused(engine, "org", **change).code == "secret_needed"
    assert refused(engine, "org", **change, client_secret="s3cret").code == "secret_needed"
    engine.ask("update", "config/org", **change, client_secret="s3cret", private_key=private_key)


def test_who_knows_the_key_of_the_app_may_move_the_roles(engine, private_key):
    app = {"client_id": "consumer", "private_key": private_key}
    engine.ask("update", "config/org", login_url=URL, allowed_roles="*", **app)
    engine.ask("update", "static-roles/crm", config="org", username="crm@example.com", password="right")
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    move = {"login_url": "https://org.example.com", "allowed_hosts": "org.example.com"}
    assert refused(engine, "org", **move, private_key=other.decode()).code == "in_use"
    engine.ask("update", "config/org", **move, private_key=private_key)


def test_the_password_of_the_mailbox_is_not_sent_elsewhere_either(engine):
    mailbox = {"mailbox": "imaps://tokens@mail.example.com/INBOX", "mailbox_password": "m1"}
    engine.ask("update", "config/org", login_url=URL, **mailbox)
    assert "mailbox_password" not in read(engine, "org")
    elsewhere = "imaps://tokens@evil.example.com/INBOX"
    assert refused(engine, "org", mailbox=elsewhere).code == "secret_needed"
    engine.ask("update", "config/org", mailbox=elsewhere, mailbox_password="m2")


def test_a_version_above_that_of_the_login_is_taken(engine):
    engine.ask("update", "config/org", login_url=URL, api_version="66.0")
    assert read(engine, "org")["api_version"] == "66.0"


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


def identity():
    """A client's certificate and its key."""
    issued = trustme.CA().issue_cert("sidecar@example.com")
    chain = "".join(part.bytes().decode() for part in issued.cert_chain_pems)
    return {"client_cert": chain, "client_key": issued.private_key_pem.bytes().decode()}


def test_another_client_certificate_demands_the_secrets_again(engine):
    engine.ask("update", "config/org", login_url=URL, **ADMIN, **identity())
    assert "client_key" not in read(engine, "org")
    other = identity()
    assert refused(engine, "org", **other).code == "secret_needed"
    engine.ask("update", "config/org", **other, password="p2", security_token="t2")


def test_a_client_key_is_given_again_where_its_org_changes(engine):
    engine.ask("update", "config/org", login_url=URL, **identity())
    assert refused(engine, "org", login_url="https://b.my.salesforce.com").code == "secret_needed"


@pytest.mark.parametrize(
    "change",
    [
        {"mailbox": "imaps://tokens@mail.evil.example/INBOX"},
        {"mailbox_auth": "xoauth2"},
        {"ca_cert": trustme.CA().cert_pem.bytes().decode()},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_mailboxs_password_is_not_sent_elsewhere(engine, change):
    engine.ask(
        "update", "config/org", login_url=URL, mailbox="imaps://tokens@mail.example.com/INBOX", mailbox_password="m1"
    )
    assert refused(engine, "org", **change).code == "secret_needed"
    engine.ask("update", "config/org", **change, mailbox_password="m2")


HERE, ELSEWHERE = "00D000000000001AAA", "00D000000000002AAA"


@pytest.fixture
def found_elsewhere(engine, org):
    """The connection's org is another one, and it is held."""
    engine.rotations.organizations.accept(org, HERE)
    engine.rotations.holds.pull(org, Hold("another org", ANOTHER_ORG, organization_id=ELSEWHERE))
    return org


def test_naming_the_org_that_was_found_accepts_it_and_ends_the_hold(engine, found_elsewhere):
    engine.ask("update", "config/org", organization_id=ELSEWHERE)
    assert engine.rotations.holds.get("org") is None
    assert engine.ask("read", "config/org").data["organization_id"] == ELSEWHERE


@pytest.mark.parametrize("given", [{"organization_id": HERE}, {"api_version": "62.0"}, {"organization_id": ""}])
def test_nothing_else_that_is_written_ends_it(engine, found_elsewhere, given):
    engine.ask("update", "config/org", **given)
    assert engine.rotations.holds.get("org") is not None


def test_a_persons_hold_stays_when_an_org_is_accepted(engine, org):
    engine.ask("update", "hold/org", reason="release weekend")
    engine.ask("update", "config/org", organization_id=ELSEWHERE)
    assert engine.rotations.holds.get("org").reason == "release weekend"


@pytest.mark.parametrize("value", ["prod", "00D", "005000000000001AAA", "00D000000000001A"])
def test_what_is_no_id_of_an_org_is_refused(engine, org, value):
    with pytest.raises(CallerError, match="must be the id of an org"):
        engine.ask("update", "config/org", organization_id=value)


def test_a_connection_that_leads_elsewhere_is_new_only_where_no_role_uses_it(engine, found_elsewhere):
    engine.ask("update", "config/org", login_url="https://b.my.salesforce.com")
    assert engine.rotations.holds.get("org") is None
    assert "organization_id" not in engine.kv.read("config-state/org").data


def test_with_a_role_the_org_that_was_stays_the_one_that_is_expected(engine, crm):
    engine.rotations.organizations.accept("org", HERE)
    engine.ask("update", "config/org", login_url="https://b.my.salesforce.com")
    assert engine.kv.read("config-state/org").data["organization_id"] == HERE


def test_a_connection_that_is_deleted_takes_its_hold_and_its_org_along(engine, found_elsewhere):
    engine.ask("delete", "config/org")
    assert engine.rotations.holds.get("org") is None
    assert engine.kv.read("config-state/org").data == {"deleted": True}
