"""Waiting ends: with what was looked for, or with a sentence that says what was not there."""

import pytest

from vault_salesforce.dev.waiting import until


def test_what_is_found_is_returned():
    answers = iter(["", "", "there"])
    assert until(lambda: next(answers), "the answer") == "there"


def test_what_is_not_there_in_time_is_named_with_what_was_seen_last():
    with pytest.raises(TimeoutError, match=r"not within 0 s: the answer; last seen: \[\]"):
        until(list, "the answer", within_seconds=0)
