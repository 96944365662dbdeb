"""Say what is true now."""

import pytest

from vault_plugin_sdk.logical.errors import CallerError


def asked(engine):
    given = engine.handed_in.asked[-1][2]
    return {name: value.reveal() if hasattr(value, "reveal") else value for name, value in given.items()}


def test_a_pair_is_given(engine):
    engine.ask("update", "resync/crm", password="p", security_token="t", wait=1)
    assert asked(engine) == {"password": "p", "security_token": "t", "try_": None, "wait": 1}


def test_or_one_that_the_engine_holds(engine):
    engine.ask("update", "resync/crm", **{"try": "candidate"})
    assert asked(engine) == {"password": None, "security_token": None, "try_": "candidate", "wait": 10}


def test_but_not_both(engine):
    with pytest.raises(CallerError, match="either it or a password"):
        engine.ask("update", "resync/crm", password="p", **{"try": "current"})
    assert engine.handed_in.asked == []


def test_nor_one_that_it_never_holds(engine):
    with pytest.raises(CallerError, match="must be one of candidate, current, published"):
        engine.ask("update", "resync/crm", **{"try": "older"})
