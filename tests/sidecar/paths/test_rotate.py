"""Rotate now."""

import pytest

from vault_plugin_sdk.logical.errors import CallerError, OperatorError


def test_a_rotation_is_asked_for_with_all_that_was_given(engine):
    given = {"expected_version": "3", "wait": "2s", "allow_security_token_wait": "true", "force": True}
    answer = engine.ask("update", "rotate/crm", rotation_id="abc", **given)
    assert answer.data == {"seen": 2}
    expected = {"expected_version": 3, "wait": 2, "allow_security_token_wait": True, "force": True}
    expected |= {"end_sessions": False}
    assert engine.rotations.asked == [("rotate", "crm", {"rotation_id": "abc"} | expected)]


def test_the_end_of_sessions_is_asked_for_too_but_not_by_who_only_watches(engine):
    engine.ask("update", "rotate/crm", end_sessions="true")
    assert engine.rotations.asked[-1][2]["end_sessions"] is True
    with pytest.raises(CallerError, match="only watches"):
        engine.ask("update", "rotate/crm", rotation_id="abc", end_sessions=True)
    assert len(engine.rotations.asked) == 1


def test_without_a_word_it_waits_ten_seconds(engine):
    assert engine.ask("update", "rotate/crm").data == {"seen": 10}


def test_where_no_place_is_free_it_does_not_wait(engine):
    engine.places = 0
    assert engine.ask("update", "rotate/crm", wait=10).data == {"seen": 0}


def test_a_refusal_of_the_org_is_an_error_for_who_asked_and_none_for_who_watches(engine):
    engine.rotations.refusal = OperatorError("Salesforce refused it.", code="INVALID_LOGIN")
    with pytest.raises(OperatorError, match="refused it"):
        engine.ask("update", "rotate/crm")
    assert engine.ask("update", "rotate/crm", rotation_id="abc").data == {"seen": 10}
