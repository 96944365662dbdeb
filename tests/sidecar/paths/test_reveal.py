"""Break-glass."""

import pytest

from vault_plugin_sdk.logical.errors import CallerError


class Revealing:
    """Notes what it is asked."""

    def __init__(self):
        self.asked = []

    def reveal(self, role, caller, username):
        self.asked.append((role, caller.display_name, username))
        return self

    def to_data(self):
        return {"candidate_password": "new"}


@pytest.fixture
def revealing(engine):
    engine.revealing = Revealing()
    return engine.revealing


def test_a_role_is_revealed_to_who_asks(engine, revealing):
    assert engine.ask("read", "reveal/crm").data == {"candidate_password": "new"}
    engine.ask("read", "reveal/crm", username="old@example.com")
    assert revealing.asked == [("crm", "ann", None), ("crm", "ann", "old@example.com")]


@pytest.mark.parametrize("operation", ["update", "delete", "list"])
def test_it_is_only_read(engine, revealing, operation):
    with pytest.raises(CallerError):
        engine.ask(operation, "reveal/crm")
    assert revealing.asked == []
