"""Each way in, as it passes the doors of an org."""

import pytest

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.salesforce.login import METHODS, PASSWORD_LOGINS

USER = {"username": "admin@acme.example", "password": SecretStr("pass"), "security_token": SecretStr("Tok3n")}
APP = {"client_id": "consumer", "client_secret": SecretStr("s3cret")}


class Entrance:
    """Remembers how somebody came in."""

    def by_soap(self, *given):
        self.given = given
        return "session"

    def by_grant(self, form, username, *, with_password=False):
        self.given = (form, username, with_password)
        return "session"


@pytest.fixture
def entrance():
    return Entrance()


def config(method, **given):
    return Config(login_url="https://acme.my.salesforce.com", auth_method=method, **given)


@pytest.mark.parametrize(("token", "sent"), [("", "pass"), ("Tok3n", "passTok3n")])
def test_the_connections_user_logs_in_with_its_token_where_it_has_one(entrance, token, sent):
    connection = config("password", **USER | {"security_token": SecretStr(token)})
    assert METHODS["password"].log_in(entrance, connection) == "session"
    assert entrance.given == ("admin@acme.example", SecretStr(sent))
    assert METHODS["password"].secrets_of(connection) == (SecretStr("pass"), SecretStr(token))


def test_the_connections_user_logs_in_by_the_password_flow(entrance):
    METHODS["oauth_password"].log_in(entrance, config("oauth_password", **USER, **APP))
    form, username, with_password = entrance.given
    assert (form["grant_type"], form["password"], form["client_secret"]) == ("password", "passTok3n", "s3cret")
    assert (username, with_password) == ("admin@acme.example", True)


def test_an_app_acts_as_the_user_it_runs_as(entrance):
    METHODS["client_credentials"].log_in(entrance, config("client_credentials", **APP))
    form, username, with_password = entrance.given
    assert form == {"grant_type": "client_credentials", "client_id": "consumer", "client_secret": "s3cret"}
    assert (username, with_password) == ("", False)


def test_another_secret_or_app_is_another_identity():
    for method in METHODS.values():
        one = method.secrets_of(config("none", **USER, **APP, private_key=SecretStr("one")))
        other = method.secrets_of(
            config(
                "none",
                username="admin@acme.example",
                password=SecretStr("other"),
                client_id="another",
                client_secret=SecretStr("other"),
                private_key=SecretStr("other"),
            )
        )
        assert not set(one) & set(other)


def test_only_what_sends_a_password_can_lock_a_user():
    assert {name for name, method in METHODS.items() if method.can_lock} == {"password", "oauth_password"}


def test_passwords_of_users_are_proven_by_either_door(entrance):
    PASSWORD_LOGINS["soap"](entrance, config("none"), "api@acme.example", SecretStr("x"))
    assert entrance.given == ("api@acme.example", SecretStr("x"))
    PASSWORD_LOGINS["oauth"](entrance, config("none", **APP), "api@acme.example", SecretStr("x"))
    assert entrance.given[0]["password"] == "x"
    assert entrance.given[2] is True


def test_none_is_no_method():
    assert "none" not in METHODS
