"""Errors that say who has to act."""

import pytest

from vault_plugin_sdk.logical.errors import (
    CallerError,
    EngineError,
    ForwardToActive,
    InternalError,
    OperatorError,
    TransientError,
)


@pytest.mark.parametrize(
    ("kind", "status"), [(CallerError, 400), (OperatorError, 424), (TransientError, 503), (InternalError, 500)]
)
def test_each_kind_has_its_status_and_may_have_another(kind, status):
    assert kind("so it is").status == status
    assert kind("so it is", status=409).status == 409
    assert isinstance(kind("so it is"), EngineError)


def test_the_body_carries_what_is_known_and_nothing_that_is_not():
    assert CallerError("so it is").body() == {"errors": ["so it is"]}
    full = TransientError("so it is", code="busy", remedy="wait", retry_after_seconds=0)
    assert full.body() == {"errors": ["so it is"], "code": "busy", "remedy": "wait", "retry_after_seconds": 0}


def test_forwarding_is_no_engine_error_and_carries_the_text_that_servers_look_for():
    assert not issubclass(ForwardToActive, EngineError)
    assert "please forward to the active node" in str(ForwardToActive())
