"""A login is made only where one more failure, and one that we cannot see, leave the user unlocked."""

import pytest

from vault_salesforce_sidecar.rotation.budget import (
    forgivable,
    known_charges,
    limit_of,
    logins_left,
    may_log_in,
    unforgiven,
)


@pytest.mark.parametrize(
    ("charges", "limit", "may"),
    [(0, 3, True), (1, 3, False), (2, 5, True), (3, 5, False), (7, 10, True), (8, 10, False)],
)
def test_one_attempt_is_held_in_reserve(charges, limit, may):
    assert may_log_in(charges, limit) is may


@pytest.mark.parametrize("charges", range(12))
def test_what_is_left_agrees_with_what_may_be_done(charges):
    for limit in (3, 5, 10):
        assert bool(logins_left(charges, limit)) is may_log_in(charges, limit)


def test_the_orgs_counter_takes_the_place_of_ours_where_it_can_be_read():
    assert known_charges(3, None) == 3
    assert known_charges(3, 0) == 0


@pytest.mark.parametrize(("told", "limit"), [(None, 5), (3, 3), (5, 5), (10, 5)])
def test_a_stricter_policy_counts_and_a_laxer_one_is_not_relied_on(told, limit):
    assert limit_of(told) == limit


@pytest.mark.parametrize(
    ("failed", "forgiven", "left"),
    [(None, 2, None), (3, 0, 3), (3, 3, 0), (4, 3, 1), (1, 3, 1)],  # the last began anew since
)
def test_what_somebody_has_looked_into_counts_no_more(failed, forgiven, left):
    assert unforgiven(failed, forgiven) == left


@pytest.mark.parametrize("limit", [3, 5, 10])
def test_a_word_forgives_as_much_as_one_login_needs_and_never_the_failure_before_the_lock(limit):
    for failed in range(limit - 1):
        forgiven = forgivable(failed, limit)
        assert may_log_in(failed - forgiven, limit)
        assert forgiven == 0 or not may_log_in(failed - forgiven + 1, limit)
    assert forgivable(limit - 1, limit) is None
