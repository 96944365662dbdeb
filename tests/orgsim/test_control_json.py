"""JSON at the control port."""

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from salesforce_orgsim.control_json import ControlError, read_body, read_object, to_json


def request(body):
    return Request(EnvironBuilder(method="POST", data=body).get_environ())


def test_an_empty_body_is_an_empty_object():
    assert read_object(request(b"")) == {}
    assert read_body(request(b"[1]")) == [1]


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[1]"])
def test_other_bodies_are_refused(body):
    with pytest.raises(ControlError) as caught:
        read_object(request(body))
    assert caught.value.status == 400


def test_an_answer_is_json_with_its_status():
    answer = to_json({"a": None}, 201)
    assert (answer.status_code, answer.mimetype, answer.get_json()) == (201, "application/json", {"a": None})
