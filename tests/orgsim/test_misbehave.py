"""Turning the knobs, and how often they bite."""

import pytest

from salesforce_orgsim.misbehave import KNOBS, Misbehave
from salesforce_orgsim.reading import SettingsError

USER = "app@crm.example"


def bites(knobs, name, operation="changeOwnPassword", username=USER, **parameters):
    return knobs.take(name, operation, username, **parameters) is not None


def test_every_knob_is_off_at_first():
    knobs = Misbehave()
    assert not any(bites(knobs, name) for name in KNOBS)
    assert all(shown["on"] is False and shown["help"] for shown in knobs.as_json().values())


@pytest.mark.parametrize(
    ("value", "seconds"), [(True, 60.0), (3, 3.0), ({"seconds": 0.5}, 0.5), ({}, 60.0), ({"times": 1}, 60.0)]
)
def test_a_knob_is_on_by_its_default_a_bare_value_or_an_object(value, seconds):
    knobs = Misbehave({"silent": value})
    setting = knobs.take("silent", "login", USER)
    assert setting is not None
    assert setting.number("seconds") == seconds


@pytest.mark.parametrize("value", [None, False])
def test_a_knob_is_turned_off_alone(value):
    knobs = Misbehave({"silent": True, "html_503": True})
    knobs.patch({"silent": value})
    assert not bites(knobs, "silent")
    assert bites(knobs, "html_503")
    knobs.off()
    assert not bites(knobs, "html_503")


def test_a_knob_limited_to_n_requests_bites_n_times():
    knobs = Misbehave({"change_then_500": {"times": 2}})
    assert [bites(knobs, "change_then_500") for _ in range(3)] == [True, True, False]
    assert knobs.as_json()["change_then_500"]["on"] is False


def test_a_knob_limited_to_an_operation_or_a_user_leaves_others_alone():
    knobs = Misbehave(
        {"refuse_before": {"operation": "login", "code": "API_DISABLED_FOR_ORG", "username": USER.upper()}}
    )
    assert not bites(knobs, "refuse_before", "query")
    assert not bites(knobs, "refuse_before", "login", "other@crm.example")
    assert bites(knobs, "refuse_before", "login")
    assert knobs.as_json()["refuse_before"]["operation"] == "login"


def test_the_knobs_of_changes_bite_no_other_operation():
    knobs = Misbehave({"change_and_never_answer": True, "hook_url": "http://127.0.0.1:1/"})
    assert not bites(knobs, "change_and_never_answer", "login")
    assert not bites(knobs, "hook_url", "query")
    assert bites(knobs, "hook_url", "resetPassword")


def test_a_parameter_decides_where_a_knob_bites():
    knobs = Misbehave({"close_connection": {"when": "after", "times": 1}})
    assert not bites(knobs, "close_connection", when="before")
    assert bites(knobs, "close_connection", when="after")


def test_a_reset_puts_the_knobs_back_to_the_start():
    knobs = Misbehave({"latency_seconds": {"seconds": 1, "times": 1}})
    assert bites(knobs, "latency_seconds")
    knobs.patch({"html_503": True})
    knobs.reset()
    assert bites(knobs, "latency_seconds")
    assert not bites(knobs, "html_503")


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ([], "must be an object"),
        ({"silence": True}, "did you mean 'silent'?"),
        ({"silent": {"second": 1}}, "did you mean 'seconds'?"),
        ({"silent": "long"}, "number of seconds"),
        ({"silent": True, "latency_seconds": -1}, "latency_seconds"),
        ({"html_503": 3}, "true, false or an object"),
        ({"refuse_before": "no code"}, "API_DISABLED_FOR_ORG"),
        ({"close_connection": "never"}, "before, after"),
        ({"hook_url": True}, "must have url"),
        ({"hook_url": "http://example.com/"}, "on this machine"),
        ({"mail_lost": {"times": 0}}, "number of requests"),
        ({"mail_lost": {"operation": 5}}, "must be text"),
    ],
)
def test_what_is_no_knob_is_refused_and_nothing_is_turned(document, sentence):
    knobs = Misbehave()
    with pytest.raises(SettingsError) as caught:
        knobs.patch(document)
    assert sentence in str(caught.value)
    assert not any(shown["on"] for shown in knobs.as_json().values())
