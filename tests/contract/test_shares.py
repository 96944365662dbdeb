"""Whoever comes next finds a place, whatever the others do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault_salesforce_contract.shares import NoPlace, Shares


def taken(shares, *whose):
    """How many places somebody gets who never has enough."""
    got = 0
    while True:
        try:
            shares.take(*whose)
        except NoPlace as exc:
            return got, exc.own
        got += 1


@pytest.mark.parametrize(("places", "most"), [(1, 1), (2, 2), (8, 6), (56, 42), (128, 96)])
def test_one_caller_holds_three_quarters_at_most(places, most):
    got, own = taken(Shares(places), "greedy")
    assert got == most
    assert own is (most < places)


def test_the_greedier_the_more():
    assert taken(Shares(64, 7), "greedy") == (56, True)


def test_the_next_caller_finds_one_after_greedy_ones():
    shares = Shares(128)
    assert [taken(shares, name)[0] for name in "abc"] == [96, 24, 6]
    shares.take("modest")


def test_nobody_in_particular_is_held_back_only_by_the_end():
    assert taken(Shares(8), "") == (8, False)


def test_a_place_counts_for_all_that_it_is_taken_for():
    shares = Shares(8)
    assert [taken(shares, name, "role")[0] for name in "abcdefgh"] == [6, 0, 0, 0, 0, 0, 0, 0]
    shares.take("b", "another role")


def test_a_place_that_was_given_back_is_free_again():
    shares = Shares(1)
    give_back = shares.take("a")
    with pytest.raises(NoPlace, match="all are taken"):
        shares.take("b")
    give_back()
    shares.take("b")


@given(st.integers(1, 40), st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=120))
def test_in_any_order_no_more_are_given_than_there_are_and_all_come_back(places, steps):
    shares, held = Shares(places), []
    for who, ends in steps:
        if ends and held:
            held.pop()()
        else:
            try:
                held.append(shares.take(who))
            except NoPlace:
                continue
        assert len(held) <= places
    for give_back in held:
        give_back()
    assert [shares.take("") for _ in range(places)]
    assert not shares._held
