"""How a role is."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from vault_plugin_sdk.logical.errors import CallerError


@dataclass(frozen=True)
class Status:
    """As the rotations tell it."""

    state: str
    version: int
    since: datetime
    next_step: str = "vault write -f sf/rotate/crm"
    logins_left: int | None = None


@pytest.fixture
def known(engine):
    engine.rotations.known["crm"] = Status("stuck", 3, datetime(2030, 1, 1, tzinfo=UTC))


def test_a_status_is_answered_as_json(engine, known):
    assert engine.ask("read", "status/crm").data == {
        "state": "stuck",
        "version": 3,
        "since": "2030-01-01T00:00:00Z",
        "next_step": "vault write -f sf/rotate/crm",
    }


def test_a_list_shows_the_main_members_of_each(engine, known):
    data = engine.ask("list", "status/").data
    assert data["keys"] == ["crm"]
    assert data["key_info"]["crm"] == {"state": "stuck", "version": 3, "since": "2030-01-01T00:00:00Z"}


def test_a_role_that_is_not_there_is_not_found(engine):
    with pytest.raises(CallerError) as caught:
        engine.ask("read", "status/nobody")
    assert caught.value.status == 404


def test_an_empty_list_is_nothing(engine):
    assert engine.ask("list", "status/").data is None
