"""The grants of the token endpoint, as values."""

import json
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.salesforce import oauth
from vault_salesforce_sidecar.salesforce.interface import Lost, OrgRefused
from vault_salesforce_sidecar.salesforce.message import Answer

GRANTED = {
    "access_token": "00D!token",
    "instance_url": "https://acme.my.salesforce.com",
    "id": "https://login.salesforce.com/id/00D000000000001EAA/005000000000001AAA",
    "token_type": "Bearer",
}


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def test_an_assertion_speaks_for_a_user_for_less_than_three_minutes(key, pem):
    form = oauth.jwt_bearer("consumer", SecretStr(pem), "api@acme.example", "https://acme.my.salesforce.com", 1000.9)
    assert form.keys() == {"grant_type", "assertion"}
    claims = jwt.decode(
        form["assertion"],
        key.public_key(),
        algorithms=["RS256"],
        audience="https://login.salesforce.com",
        options={"verify_exp": False},
    )
    expected = {"iss": "consumer", "sub": "api@acme.example", "aud": "https://login.salesforce.com", "exp": 1150}
    assert claims == expected


@pytest.mark.parametrize(
    ("login_url", "audience"),
    [
        ("https://login.salesforce.com", oauth.PRODUCTION),
        ("https://test.salesforce.com/", oauth.SANDBOX),
        ("https://acme.my.salesforce.com", oauth.PRODUCTION),
        ("https://acme--dev.sandbox.my.salesforce.com", oauth.SANDBOX),
        ("https://ACME--DEV.sandbox.my.salesforce.com", oauth.SANDBOX),
        ("https://acme--dev.my.salesforce.com", oauth.SANDBOX),
        ("https://acme--dev.cs12.my.salesforce.com", oauth.SANDBOX),
        ("https://cs12.salesforce.com", oauth.SANDBOX),
        ("https://acme.scratch.my.salesforce.com", oauth.SANDBOX),
        ("https://acme-dev-ed.develop.my.salesforce.com", oauth.PRODUCTION),
        ("https://acme-test.my.salesforce.com", oauth.PRODUCTION),
        ("https://na1.salesforce.com", oauth.PRODUCTION),
        ("http://127.0.0.1:8080", oauth.PRODUCTION),
        ("https://customers.acme.example/", "https://customers.acme.example"),
    ],
)
def test_the_audience_follows_the_kind_of_org(login_url, audience):
    assert oauth.audience(login_url) == audience


def test_the_shared_hosts_are_no_my_domain():
    assert not oauth.is_my_domain("https://login.salesforce.com")
    assert not oauth.is_my_domain("https://Test.salesforce.com/")
    assert oauth.is_my_domain("https://acme.my.salesforce.com")


@pytest.mark.parametrize(
    "form",
    [
        oauth.client_credentials("consumer", SecretStr("s&cret+/")),
        oauth.by_password("consumer", SecretStr("s&cret+/"), "o'api@acme.example", SecretStr("p&ss w=rd+é")),
    ],
)
def test_a_form_arrives_as_it_was_meant_and_never_with_a_scope(form):
    request = oauth.token_request("https://acme.my.salesforce.com/", form)
    assert (request.method, request.url) == ("POST", "https://acme.my.salesforce.com/services/oauth2/token")
    assert {name: value for name, (value,) in parse_qs(request.body.decode()).items()} == form
    assert "scope" not in form


def test_nothing_secret_is_printed():
    form = oauth.by_password("consumer", SecretStr("s3cret"), "api@acme.example", SecretStr("pa55"))
    request = oauth.token_request("https://acme.my.salesforce.com", form)
    got = oauth.granted(Answer(200, json.dumps(GRANTED).encode()))
    assert not [word for word in ("s3cret", "pa55", "00D!token") if word in f"{request!r}{got!r}"]


def test_a_grant_tells_whose_session_it_is():
    got = oauth.granted(Answer(200, json.dumps(GRANTED).encode()))
    assert got.access_token.reveal() == "00D!token"
    assert got[1:] == ("https://acme.my.salesforce.com", "005000000000001AAA", "00D000000000001EAA")


@pytest.mark.parametrize(
    "changed",
    [
        {"access_token": ""},
        {"access_token": "two words"},
        {"access_token": "line\r\nfeed"},
        {"access_token": 3},
        {"instance_url": None},
        {"id": "https://login.salesforce.com/id/00D/005"},
        {"id": "https://login.salesforce.com/id/00D000000000001EAA"},
        {"id": None},
        {"id": "//["},
    ],
)
def test_a_grant_that_cannot_be_read_is_lost(changed):
    with pytest.raises(Lost):
        oauth.granted(Answer(200, json.dumps(GRANTED | changed).encode()))


@pytest.mark.parametrize(
    "answer", [Answer(200, b""), Answer(200, b"<html>"), Answer(200, b"[]"), Answer(503, b"<html>"), Answer(204, b"")]
)
def test_what_is_no_answer_of_a_token_endpoint_is_lost(answer):
    with pytest.raises(Lost):
        oauth.granted(answer)


@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_an_error_is_a_refusal_whatever_its_status(status):
    with pytest.raises(OrgRefused, match="inactive_user"):
        oauth.granted(Answer(status, b'{"error": "invalid_grant", "error_description": "inactive user"}'))
