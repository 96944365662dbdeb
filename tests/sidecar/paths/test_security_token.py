"""Hand in a new security token."""

import pytest

from vault_plugin_sdk.logical.errors import CallerError


def test_a_token_is_handed_in_as_a_secret(engine):
    assert engine.ask("update", "security-token/crm", security_token="tok", wait=3).data == {"seen": 3}
    what, role, token = engine.handed_in.asked[0]
    assert (what, role, token.reveal(), "tok" in repr(token)) == ("security_token", "crm", "tok", False)


def test_without_a_token_there_is_nothing_to_hand_in(engine):
    with pytest.raises(CallerError, match="security_token is missing"):
        engine.ask("update", "security-token/crm")
