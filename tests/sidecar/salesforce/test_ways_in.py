"""Which way in a password has, and until when."""

import pytest

from vault_salesforce_contract.api.config import Config
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.salesforce import ways_in

URL = "https://acme.my.salesforce.com"


@pytest.mark.parametrize(
    ("config", "role", "way", "ends"),
    [
        ({}, {}, "soap_login", "2027-06-01"),
        ({"password_login": "oauth"}, {}, "oauth_password", "2027-02-20"),
        ({}, {"verify": "record"}, "record", None),
    ],
)
def test_a_roles_way_in_has_an_end(config, role, way, ends):
    found = ways_in.of_role(StaticRole(config="prod", username="a@b.example", **role), Config(login_url=URL, **config))
    assert found == way
    end = ways_in.ENDS.get(found)
    assert (f"{end:%Y-%m-%d}" if end else None) == ends


@pytest.mark.parametrize("method", ["none", "password", "jwt_bearer", "client_credentials", "oauth_password"])
def test_each_auth_method_has_a_way_with_a_name(method):
    way = ways_in.of_connection(Config(login_url=URL, auth_method=method))
    assert (way is None) == (method == "none")
    assert way is None or ways_in.NAMES[way]
