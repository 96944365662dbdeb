"""Answers."""

from vault_plugin_sdk.logical.response import Response, listing


def test_a_list_has_keys_and_what_is_known_of_each():
    assert listing(["a", "b"]).data == {"keys": ["a", "b"]}
    assert listing(["a"], {"a": {"state": "ok"}}).data == {"keys": ["a"], "key_info": {"a": {"state": "ok"}}}


def test_an_empty_list_says_nothing_which_is_404_as_in_vaults_own_engines():
    assert listing([]) == Response()
