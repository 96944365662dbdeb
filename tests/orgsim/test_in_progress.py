"""Counting the requests that last long."""

import pytest

from salesforce_orgsim.in_progress import InProgress


def test_those_that_have_lasted_longer_are_counted_until_they_end():
    running = InProgress()
    with running.one(), running.one():
        assert running.longer_than(-1) == 2
        assert running.longer_than(60) == 0
    assert running.longer_than(-1) == 0


def test_one_that_fails_has_ended():
    running = InProgress()
    with pytest.raises(ValueError, match="of course"), running.one():
        raise ValueError("of course")
    assert running.longer_than(-1) == 0
