"""Whether a rotation might leave consumers without a token."""

from dataclasses import replace

import pytest

from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.rotation.journal import fresh
from vault_salesforce_sidecar.rotation.tokens import gate

ROLE = StaticRole(config="demo", username="a@acme.example")
ENTRY = fresh("a@acme.example", "crm")


@pytest.mark.parametrize(
    ("source", "trusted", "mailbox", "seen", "why"),
    [
        ("none", False, False, False, None),
        ("none", True, False, False, None),
        ("manual", False, True, True, "handed in"),
        ("manual", True, False, False, "no login from it proves"),
        ("mailbox", True, True, True, "no login from it proves"),
        ("mailbox", False, True, True, None),
        ("mailbox", False, True, False, "no mail"),
        ("mailbox", False, False, True, "no mailbox"),
    ],
)
def test_who_gets_a_token_without_help(source, trusted, mailbox, seen, why):
    role = replace(ROLE, security_token_from=source)
    told = gate(role, replace(ENTRY, token_seen=seen), trusted=trusted, mailbox=mailbox)
    assert (told is None) if why is None else (why in told)
