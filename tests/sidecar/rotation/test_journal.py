"""The journal in KV, and its form as the machine sees it."""

from datetime import timedelta

import pytest
from fakes import START, Accidents, ManualClock, MemoryKv

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import OperatorError
from vault_salesforce_sidecar.records.journal_entry import JournalEntry, Kept
from vault_salesforce_sidecar.rotation.journal import (
    KEPT_AT_MOST,
    KEPT_FOR,
    Journal,
    Now,
    digest_of,
    forgotten,
    fresh,
    key,
    machine_entry,
    with_entry,
)
from vault_salesforce_sidecar.rotation.machine import Entry, Fate, Secret, State
from vault_salesforce_sidecar.store import Conflict

NOW = Now(START, "one", 25)


def secret(text, token=None):
    return Secret(SecretStr(text), SecretStr(token) if token else None)


@pytest.fixture
def kv():
    return MemoryKv("kv", Accidents(), ManualClock())


def test_an_account_has_one_entry_however_its_name_is_spelled(kv):
    journal = Journal(kv)
    journal.put("Ann+Test@Acme.example", fresh("Ann+Test@Acme.example", "crm"), None)
    assert journal.get("ann+test@ACME.EXAMPLE").record.username == "Ann+Test@Acme.example"
    assert journal.usernames() == ["ann+test@acme.example"]
    assert key("ann/x@acme.example") == "ann%2Fx%40acme.example"


def test_the_version_before_is_removed_from_storage(kv):
    journal = Journal(kv)
    stored = journal.put("a@acme.example", fresh("a@acme.example", "crm"), None)
    journal.put("a@acme.example", stored.record, stored.version)
    assert kv.versions["journal/a%40acme.example"][0] is None
    with pytest.raises(Conflict):
        journal.put("a@acme.example", stored.record, stored.version)


def test_the_machines_part_is_read_as_it_was_written():
    entry = Entry(
        State.APPLYING,
        secret("current", "old-token"),
        4,
        candidate=secret("candidate"),
        fate=Fate.UNKNOWN,
        tries=2,
        refused=frozenset({"current"}),
        marked=True,
        wants_token=True,
        charges=1,
        kept=frozenset({SecretStr("older")}),
    )
    record = with_entry(fresh("a@acme.example", "crm"), entry, NOW)
    assert machine_entry(record) == entry
    assert (record.holder, record.hold_seconds, record.since) == ("one", 25, START)


def test_nobody_holds_an_entry_at_rest():
    record = with_entry(fresh("a@acme.example", "crm"), Entry(State.STUCK, secret("x"), 1), NOW)
    assert (record.holder, record.hold_seconds) == ("", 0)


def test_earlier_passwords_keep_their_own_time_and_of_many_the_oldest_go():
    record = fresh("a@acme.example", "crm")
    for number in range(KEPT_AT_MOST + 2):
        kept = machine_entry(record).kept | {SecretStr(f"p{number}")}
        moment = Now(START + timedelta(hours=number), "one", 25)
        record = with_entry(record, Entry(State.SETTLED, secret("now"), 1, kept=kept), moment)
    assert [one.password.reveal() for one in record.kept] == ["p6", "p5", "p4", "p3", "p2"]
    assert record.kept[0].until == START + timedelta(hours=6) + KEPT_FOR


def test_nothing_is_dropped_while_a_rotation_is_undecided():
    kept = frozenset(SecretStr(f"p{number}") for number in range(KEPT_AT_MOST + 2))
    record = with_entry(fresh("a@acme.example", "crm"), Entry(State.STUCK, secret("now"), 1, kept=kept), NOW)
    assert len(record.kept) == KEPT_AT_MOST + 2
    assert forgotten(record, START + 2 * KEPT_FOR) == record


def test_a_deleted_entry_loses_its_last_secret_with_its_time():
    kept = (Kept(SecretStr("older"), START),)
    record = JournalEntry(
        username="a", role="crm", state="deleted", current_password=SecretStr("x"), kept=kept, salt="s"
    )
    assert forgotten(record, START - timedelta(seconds=1)) == record
    assert not forgotten(record, START).current_password


def test_a_digest_tells_secrets_apart_and_accounts_too():
    one, two = fresh("a@acme.example", "crm"), fresh("b@acme.example", "crm")
    assert digest_of(one, SecretStr("x")) == digest_of(one, SecretStr("x"))
    assert digest_of(one, SecretStr("x")) != digest_of(two, SecretStr("x"))
    assert digest_of(one, secret("ab", "c")) != digest_of(one, secret("a", "bc"))


@pytest.mark.parametrize("wrong", [{"schema": 99}, {"state": "no such"}, {"fate": "no such"}, {"charges": "many"}])
def test_an_entry_that_this_release_cannot_read_is_an_error_with_a_remedy(kv, wrong):
    journal = Journal(kv)
    stored = journal.put("a@acme.example", fresh("a@acme.example", "crm"), None)
    kv.write("journal/a%40acme.example", kv.newest("journal/a%40acme.example") | wrong, stored.version)
    with pytest.raises(OperatorError) as refused:
        journal.get("a@acme.example")
    assert (refused.value.status, refused.value.code) == (503, "unreadable_entry")
