"""A password of the role's policy is held against the strictest org, and not shown."""

from types import SimpleNamespace

import pytest

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.diagnosis.samples import sample_fault
from vault_salesforce_sidecar.store import KvUnavailable


def fault(password, policy="strong"):
    parts = SimpleNamespace(password_from_policy=lambda _: SecretStr(password))
    return sample_fault(parts, StaticRole(config="prod", username="crm@acme.example", password_policy=policy))


def test_the_built_in_generator_satisfies_it():
    assert fault("", policy="") == ""


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("Abcdefgh-1234567", ""),
        ("abcdefgh-1234567", "lacks an upper-case letter"),
        ("ABCDEFGH-1234567", "lacks a lower-case letter"),
        ("Abcdefgh-abcdefg", "lacks a digit"),
        ("Abcdefgh1234567x", "lacks one of"),
        ("Abc-1", "has 5 characters"),
        ("Abcdefgh-123456é", "not every consumer"),
        ("Abc-crm-123456789", "holds the user name"),
    ],
)
def test_what_is_wrong_is_told_without_the_password(password, said):
    found = fault(password)
    assert (said in found) if said else found == ""
    assert password not in found


def test_a_policy_that_gives_none_is_told():
    def refuse(_):
        raise KvUnavailable("there is no policy")

    parts = SimpleNamespace(password_from_policy=refuse)
    found = sample_fault(parts, StaticRole(config="prod", username="a@b.example", password_policy="gone"))
    assert "gone" in found
