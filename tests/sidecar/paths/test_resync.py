"""Say what is true now."""

from dataclasses import replace

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


@pytest.mark.parametrize("how", ["set", "reset"])
def test_or_an_administrators_repair(engine, how):
    engine.ask("update", "resync/crm", wait=1, **{"try": how})
    assert (engine.mending.asked, engine.handed_in.asked) == ([("crm", "ann", how, 1)], [])


def test_but_not_both(engine):
    with pytest.raises(CallerError, match="either it or a password"):
        engine.ask("update", "resync/crm", password="p", **{"try": "current"})
    assert engine.handed_in.asked == []


def test_nor_one_that_it_never_holds(engine):
    with pytest.raises(CallerError, match="must be one of candidate, current, published"):
        engine.ask("update", "resync/crm", **{"try": "older"})


class Renaming:
    """Moves the role's record, or refuses."""

    def __init__(self, engine, refusal=None):
        self.engine, self.refusal = engine, refusal

    def follow(self, role, username, caller, **given):
        if self.refusal:
            raise self.refusal
        known = self.engine.roles.get(role)
        self.engine.roles.put(role, replace(known.record, username=username), known.version)


def owner_of(engine, username):
    found = engine.kv.read(f"claims/accounts/{username.replace('@', '%40')}")
    return found.data.get("owner") if found else None


def test_a_role_that_follows_its_user_has_the_new_name_and_leaves_the_old_one(engine, crm):
    engine.renaming = Renaming(engine)
    engine.ask("update", "resync/crm", username="crm@new.example.com")
    assert owner_of(engine, "crm@new.example.com") == "static-roles/crm"
    assert owner_of(engine, "crm@example.com") is None
    assert engine.handed_in.asked[-1][0] == "resync"


def test_where_it_does_not_follow_the_new_name_is_free_again(engine, crm):
    engine.renaming = Renaming(engine, CallerError("another user", status=409))
    with pytest.raises(CallerError, match="another user"):
        engine.ask("update", "resync/crm", username="crm@new.example.com")
    assert owner_of(engine, "crm@new.example.com") is None
    assert owner_of(engine, "crm@example.com") == "static-roles/crm"


def test_a_name_that_another_role_has_is_not_given_twice(engine, crm):
    engine.ask("update", "static-roles/other", config="org", username="other@example.com", password="right")
    engine.renaming = Renaming(engine)
    with pytest.raises(CallerError, match="already taken, by static-roles/other"):
        engine.ask("update", "resync/crm", username="other@example.com")
    assert engine.roles.get("crm").record.username == "crm@example.com"


def test_the_name_that_it_has_already_moves_nothing(engine, crm):
    engine.ask("update", "resync/crm", username="CRM@example.com")
    assert engine.handed_in.asked[-1][0] == "resync"
