"""The journal entry as it is stored: flat, whole, and careful with what other releases wrote."""

from datetime import UTC, datetime

import pytest

from vault_plugin_sdk.framework.fields import declared
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.records.journal_entry import SCHEMA, JournalEntry, Kept, dump, load
from vault_salesforce_sidecar.records.schema import NewerSchema

NOW = datetime(2030, 1, 1, 12, 30, 0, 123456, tzinfo=UTC)


def entry(**settings):
    return JournalEntry(username="a@acme.example", role="crm", state="settled", **settings)


def test_an_entry_is_read_as_it_was_written():
    whole = entry(
        since=NOW,
        current_password=SecretStr(" spaces stay "),
        current_token=SecretStr("token"),
        candidate_password=SecretStr("new"),
        refused=("candidate", "current"),
        kept=(Kept(SecretStr("older"), NOW), Kept(SecretStr("oldest"))),
        mailbox_mark="",
        charges=2,
        marked=True,
    )
    assert load(dump(whole)) == whole


def test_what_is_stored_is_flat_json_that_a_person_can_read():
    data = dump(entry(since=NOW, current_password=SecretStr("secret")))
    assert data["schema"] == SCHEMA
    assert data["since"] == "2030-01-01T12:30:00.123456Z"
    assert data["current_password"] == "secret"
    assert all(isinstance(value, str | int | bool | list) for value in data.values())


def test_a_secret_that_is_not_there_is_not_stored():
    assert not {"candidate_password", "given_password", "current_token"} & set(dump(entry()))


def test_fields_of_another_release_are_kept_and_written_back():
    data = dump(entry()) | {"invented_later": {"deep": [1]}}
    assert dump(load(data))["invented_later"] == {"deep": [1]}


def test_an_entry_of_a_newer_schema_is_left_alone():
    with pytest.raises(NewerSchema):
        load(dump(entry()) | {"schema": SCHEMA + 1})


@pytest.mark.parametrize("data", [{}, {"username": "a", "role": "b", "state": "settled", "kept": [{"x": 1}]}])
def test_what_is_not_of_this_shape_is_refused(data):
    with pytest.raises(ValueError, match="not of the shape"):
        load(data)


def test_no_secret_is_printed():
    whole = entry(
        current_password=SecretStr("hidden-1"), kept=(Kept(SecretStr("hidden-2")),), unknown={"later": "hidden-3"}
    )
    assert "hidden" not in repr(whole)


def test_every_field_says_what_it_holds():
    assert all(item.help.endswith((".", "?")) for item in declared(JournalEntry).values())
