"""Calls are counted for each role from the round's begin, and what is aimed at happens once."""

from faults.harness.calls import Call
from faults.harness.deeds import Deed
from faults.harness.script import Aim, Moment, Script

TWICE = Deed("twice", reaches=2)


def test_the_nth_call_of_a_name_about_a_role_meets_its_deed_once():
    script = Script()
    script.begin({Aim("one", "login", 2): TWICE}, {})
    taken = [script.take(Call("login", who))[0] for who in ("one", "two", "two", "one", "one")]
    assert taken == [None, None, None, TWICE, None]
    assert script.copies == {"one": 1}
    script.begin({}, {})
    assert (script.copies, script.fired) == ({}, {})


def test_what_is_held_goes_on_when_all_is_healed():
    script, moment = Script(), Moment(after=False)
    script.begin({Aim("one", "login", 1): TWICE}, {Aim("one", "login", 1): moment})
    script.heal()
    assert moment.acted.is_set()
    assert script.take(Call("login", "one")) == (None, None)


def test_a_rotation_is_in_flight_between_its_first_mark_in_the_journal_and_its_history():
    script = Script()
    script.begin({}, {})
    seen = []
    for call in ("journal.read", "journal.write", "change", "history.write"):
        script.take(Call(call, "one"))
        seen.append(script.in_flight("one"))
    assert seen == [False, True, True, False]
    assert script.changes == {"one": 1}
