"""A connection's own identity with a password."""

import pytest

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.salesforce.login import METHODS


class Org:
    """Remembers how somebody logged in."""

    def log_in(self, *given):
        self.given = given
        return "session"


@pytest.mark.parametrize(("token", "sent"), [("", None), ("Tok3n", SecretStr("Tok3n"))])
def test_the_connections_user_logs_in_with_its_token_where_it_has_one(token, sent):
    config = Config(
        login_url="https://acme.example",
        auth_method="password",
        username="admin@acme.example",
        password=SecretStr("pass"),
        security_token=SecretStr(token),
    )
    org = Org()
    assert METHODS[config.auth_method].log_in(org, config) == "session"
    assert org.given == ("admin@acme.example", SecretStr("pass"), sent)
    assert METHODS[config.auth_method].secrets_of(config) == (SecretStr("pass"), SecretStr(token))


def test_none_is_no_method():
    assert "none" not in METHODS
