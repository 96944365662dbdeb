"""The table of knobs."""

import pytest

from salesforce_orgsim.knobs import KNOBS, SPOILERS
from salesforce_orgsim.misbehave import Misbehave
from salesforce_orgsim.reading import SettingsError


def test_every_knob_says_what_it_does_and_has_defaults_that_can_be_set():
    knobs = Misbehave()
    for name, knob in KNOBS.items():
        assert knob.help.endswith(".")
        required = {key: "http://127.0.0.1:1/" for key, parameter in knob.parameters.items() if parameter.required}
        knobs.patch({name: required or True})


def test_answers_are_spoilt_after_the_request_is_applied_unless_told_otherwise():
    assert len(SPOILERS) == 10
    assert all(KNOBS[name].parameters["when"].default == "after" for name in SPOILERS)


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("answer_gigantic", {"bytes": 0}),
        ("answer_deep", {"levels": 1.5}),
        ("answer_redirect", True),
        ("answer_redirect", "ftp://evil.example"),
        ("answer_redirect", {"url": "https://evil.example", "status": 200}),
        ("answer_html", {"when": "now"}),
        ("mail_duplicate", {"copies": -1}),
    ],
)
def test_values_that_make_no_sense_are_refused(knob, value):
    with pytest.raises(SettingsError, match=knob):
        Misbehave({knob: value})
