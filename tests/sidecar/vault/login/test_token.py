"""A token that is given."""

import pytest

from vault_salesforce_sidecar.vault.client import VaultRefused
from vault_salesforce_sidecar.vault.login.token import GivenToken


def test_it_is_used_as_it_is_and_looked_up(server, told, fresh):
    token = server.ask("POST", "auth/token/create", {"ttl": "90s"})["auth"]["client_token"]
    method = GivenToken(told(auth_method="token", vault_token=token), fresh)
    found = method.log_in(method.credential())
    assert (found.text.reveal(), found.renewable) == (token, True)
    assert 80 <= found.ttl_seconds <= 90


def test_one_that_has_ended_is_refused(server, told, fresh):
    token = server.ask("POST", "auth/token/create", {})["auth"]["client_token"]
    server.ask("POST", "auth/token/revoke", {"token": token})
    method = GivenToken(told(auth_method="token", vault_token=token), fresh)
    with pytest.raises(VaultRefused):
        method.log_in(method.credential())
