"""What a connection must hold for its way in."""

import dataclasses

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.salesforce import connection
from vault_salesforce_sidecar.salesforce.login import METHODS

URL = "https://acme.my.salesforce.com"
USER = {"username": "admin@acme.example", "password": SecretStr("pa55")}
APP = {"client_id": "consumer", "client_secret": SecretStr("s3cret")}


def pem(key, encryption=None):
    return SecretStr(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            encryption or serialization.NoEncryption(),
        ).decode()
    )


@pytest.fixture(scope="module")
def key():
    return pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))


def faults(**given):
    return connection.faults(Config(**{"login_url": URL} | given))


def test_every_way_in_is_described_once():
    choices = {field.name: field for field in dataclasses.fields(Config)}["auth_method"].metadata
    (declared,) = choices.values()
    assert set(connection.METHODS) == set(declared.choices) == {"none", *METHODS}


def test_what_is_complete_has_no_fault(key):
    jwt = {"client_id": "consumer", "private_key": key}
    assert not faults()
    assert not faults(auth_method="password", **USER)
    assert not faults(auth_method="password", **USER, security_token=SecretStr("t"))
    assert not faults(auth_method="jwt_bearer", username="admin@acme.example", **jwt)
    assert not faults(auth_method="client_credentials", **APP)
    assert not faults(auth_method="oauth_password", **USER, **APP)
    assert not faults(**jwt)
    assert not faults(password_login="oauth", **APP)


@pytest.mark.parametrize(
    ("method", "missing"),
    [
        ("password", ["username", "password"]),
        ("jwt_bearer", ["username", "client_id", "private_key"]),
        ("client_credentials", ["client_id", "client_secret"]),
        ("oauth_password", ["username", "password", "client_id", "client_secret"]),
    ],
)
def test_each_missing_field_is_one_sentence(method, missing):
    found = faults(auth_method=method)
    assert found == [f"{name} is missing: auth_method={method} logs in with it" for name in missing]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (USER, "username needs an auth_method"),
        ({"auth_method": "client_credentials", **APP, **USER}, "username is not for auth_method=client_credentials"),
        ({"auth_method": "client_credentials", **APP, "login_url": "https://login.salesforce.com"}, "MyDomain"),
        ({"password_login": "oauth"}, "password_login=oauth needs client_id and client_secret"),
        ({"password_login": "oauth", "client_id": "x"}, "password_login=oauth needs client_id and client_secret"),
        ({"client_id": "x"}, "client_id needs client_secret or private_key"),
        ({"client_secret": SecretStr("x")}, "client_secret needs client_id"),
    ],
)
def test_what_does_not_go_together_is_said_in_one_sentence(given, sentence):
    assert sentence in faults(**given)[0]


def test_only_an_open_rsa_key_of_fair_length_is_one(key):
    some = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    wrong = [
        SecretStr("nonsense"),
        SecretStr("é"),
        SecretStr(key.reveal()[:-200]),
        pem(some, serialization.BestAvailableEncryption(b"x")),
        pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),  # noqa: S505 - which is refused
        pem(ec.generate_private_key(ec.SECP256R1())),
    ]
    for each in wrong:
        (found,) = faults(client_id="consumer", private_key=each)
        assert found == "private_key must be an RSA key of at least 2048 bits in PEM, without a passphrase"


def test_another_way_in_forgets_what_it_has_no_use_for(key):
    app = {"client_id": "consumer", "private_key": key}
    known = Config(login_url=URL, auth_method="password", **USER, **app)
    by_app = connection.without_unused(dataclasses.replace(known, auth_method="jwt_bearer"), [])
    assert (by_app.username, by_app.password, by_app.private_key) == ("admin@acme.example", SecretStr(""), key)
    none = connection.without_unused(dataclasses.replace(known, auth_method="none"), [])
    assert (none.username, none.password, none.private_key) == ("", SecretStr(""), key)
    given = connection.without_unused(dataclasses.replace(known, auth_method="none"), ["password"])
    assert given.password == SecretStr("pa55")
