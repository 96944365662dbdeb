"""When the engine pulls the brake by itself: counted from entries, without anything else."""

from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import START

from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.records.hold import SAME_FAULT
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation.brake import WITHIN, same_fault, tells

NOW = START + timedelta(hours=1)
NAMES = ("a", "b", "c")


def refused(name, code="INVALID_LOGIN", **settings):
    fields = {"state": "stuck", "since": NOW, "cause": "schedule", "fault_code": code, "fault_cause": "It is so."}
    return JournalEntry(username=f"{name}@acme.example", role=name, **(fields | settings))


def roles(**configs):
    return {
        name: StaticRole(config=configs.get(name, "demo"), username=f"{name}@acme.example") for name in (*NAMES, "d")
    }


def judged(entries, known=None, after=None):
    return same_fault(entries[-1], entries, known or roles(), now=NOW, after=after)


def test_three_accounts_of_a_connection_that_were_refused_for_one_reason_hold_it():
    made = judged([refused(name) for name in NAMES])
    assert (made.cause, made.code, made.roles) == (SAME_FAULT, "INVALID_LOGIN", NAMES)
    assert made.reason == "3 accounts were refused with INVALID_LOGIN within 15 minutes (a, b, c): It is so"


@pytest.mark.parametrize(
    "entries",
    [
        [refused("a"), refused("b")],
        [refused("a"), refused("b", code="PASSWORD_LOCKOUT"), refused("c")],
        [refused("a"), refused("b", since=NOW - WITHIN), refused("c")],
        [refused("a"), refused("b"), replace(refused("c"), role="b", username="b@acme.example")],
        [refused("a", cause="create"), refused("b", cause="resync"), refused("c")],
        [refused("a", state="settled"), refused("b"), refused("c")],
        [replace(refused("a"), username="former@acme.example"), refused("b"), refused("c")],
    ],
    ids=["two", "another reason", "too long ago", "one twice", "by hand", "well again", "no longer its account"],
)
def test_fewer_hold_nothing(entries):
    assert judged(entries) is None


def test_accounts_of_another_connection_do_not_count():
    assert judged([refused(name) for name in NAMES], roles(a="other")) is None


def test_what_was_refused_before_the_last_hold_ended_does_not_count_again():
    entries = [refused("a", since=NOW - timedelta(minutes=5)), refused("b"), refused("c")]
    assert judged(entries, after=NOW - timedelta(minutes=5)) is None
    assert judged(entries, after=NOW - timedelta(minutes=6)) is not None
    assert judged([*entries, refused("d")], after=NOW - timedelta(minutes=5)) is not None


@pytest.mark.parametrize(
    "code",
    ["", "unreachable", "SERVER_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "user_frozen", "INVALID_NEW_PASSWORD", "held"],
)
def test_what_time_mends_or_what_is_one_accounts_own_does_not_count(code):
    assert not tells(refused("a", code), NOW)
    assert judged([refused(name, code) for name in NAMES]) is None


@pytest.mark.parametrize("code", ["INVALID_LOGIN", "API_CURRENTLY_DISABLED", "user_locked", "LOGIN_CHALLENGE_ISSUED"])
def test_what_may_be_everybodys_counts(code):
    assert tells(refused("a", code), NOW)


def test_of_many_only_some_are_named():
    many = {f"r{number:02}": None for number in range(14)}
    known = {name: StaticRole(config="demo", username=f"{name}@acme.example") for name in many}
    made = judged([refused(name) for name in many], known)
    assert made.reason.startswith("14 accounts")
    assert "r09 and others" in made.reason
    assert len(made.roles) == 14
