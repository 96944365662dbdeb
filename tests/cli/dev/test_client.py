"""simple-salesforce, which believes to talk to login.salesforce.com, talks to the org of the stack."""

import pytest

from salesforce_orgsim.serve import start
from vault_salesforce.dev import client

USER = {"username": "app@example.com", "password": "Start-1-app", "security_token": "T0ken" * 5}


@pytest.fixture
def org():
    with start({"users": [USER]}) as running:
        yield running


def test_a_good_credential_logs_in_and_reads(org):
    assert client.log_in(org.url, USER["username"], USER["password"], USER["security_token"]) == "Orgsim"


@pytest.mark.parametrize(("password", "token"), [("Start-1-app", ""), ("Start-1-app", "wrong"), ("wrong", "T0ken" * 5)])
def test_a_bad_one_is_refused(org, password, token):
    assert client.log_in(org.url, USER["username"], password, token) is None


def test_an_org_that_is_away_is_an_error_and_no_refusal():
    with pytest.raises(OSError, match="127"):
        client.log_in("http://127.0.0.1:1", "app@example.com", "p", "")
