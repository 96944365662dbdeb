"""Answers."""

from datetime import UTC, datetime

import pytest

from vault_plugin_sdk.logical.request import Lease
from vault_plugin_sdk.logical.response import LeaseGrant, Response, listing


def test_a_list_has_keys_and_what_is_known_of_each():
    assert listing(["a", "b"]).data == {"keys": ["a", "b"]}
    assert listing(["a"], {"a": {"state": "ok"}}).data == {"keys": ["a"], "key_info": {"a": {"state": "ok"}}}


def test_an_empty_list_says_nothing_which_is_404_as_in_vaults_own_engines():
    assert listing([]) == Response()


def test_a_renewal_answers_with_the_whole_lease_for_the_server_keeps_nothing_else():
    issued = datetime(2030, 1, 1, tzinfo=UTC)
    lease = Lease({"serial": 7}, 60, 600, 30, issued)

    assert LeaseGrant.renewing(lease, 30) == LeaseGrant(30, 600, issued, {"serial": 7})
    with pytest.raises(ValueError, match="time of its issue"):
        LeaseGrant.renewing(Lease({}, 60, 600, 30, None), 30)
