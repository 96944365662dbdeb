"""Requests, and who makes them."""

import pytest

from vault_plugin_sdk.logical.request import Caller


@pytest.mark.parametrize(
    ("caller", "identity"),
    [
        (Caller("r", "name", "entity", "accessor", "address"), "entity"),
        (Caller("r", "name", "", "accessor", "address"), "accessor"),
        (Caller("r", "name", "", "", "address"), "name"),
        (Caller("r", "", "", "", "address"), ""),
    ],
)
def test_a_caller_is_its_entity_or_its_token_or_its_name_or_nobody(caller, identity):
    assert caller.identity == identity
