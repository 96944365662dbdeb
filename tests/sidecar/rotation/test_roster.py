"""What a sidecar remembers."""

from dataclasses import replace

from fakes import START, ManualClock

from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_contract.registration import Held
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation.roster import Roster
from vault_salesforce_sidecar.store import Stored

ROLE = StaticRole(config="demo", username="Ann@acme.example", rotation_period=60)
ENTRY = JournalEntry(
    username="Ann@acme.example",
    role="crm",
    state="settled",
    last_rotation=START,
    published_version=2,
    published_id="r2",
)


def roster():
    clock = ManualClock()
    return clock, Roster(clock.now, clock.monotonic)


def test_a_version_is_dated_by_when_it_was_first_seen():
    clock, known = roster()
    known.note(Stored(ENTRY, 5))
    clock.seconds = 30
    known.note(Stored(ENTRY, 5))
    assert known.seen("ANN@acme.example").since == 0
    known.note(Stored(ENTRY, 6))
    assert known.seen("ann@acme.example").since == 30


def test_an_older_version_changes_nothing():
    _, known = roster()
    known.note(Stored(ENTRY, 5))
    known.note(Stored(replace(ENTRY, state="applying"), 4))
    assert known.seen("ann@acme.example").record.state == "settled"


def test_a_role_is_due_once_both_its_schedule_and_its_entry_are_known():
    clock, known = roster()
    known.know_role("crm", ROLE)
    clock.seconds = 63
    assert known.due(clock.now()) == []
    known.note(Stored(ENTRY, 5))
    assert known.due(clock.now()) == ["crm"]
    known.note(Stored(replace(ENTRY, last_rotation=clock.now()), 6))
    assert known.due(clock.now()) == []
    known.forget_role("crm")
    clock.seconds = 1000
    assert known.due(clock.now()) == []


def test_of_a_role_made_anew_for_another_user_the_newest_version_is_held():
    _, known = roster()
    known.note(Stored(replace(ENTRY, username="bob@acme.example", published_version=3, published_id="r3"), 1))
    known.note(Stored(replace(ENTRY, state="deleted"), 9))
    assert known.held() == {"crm": Held(3, "r3")}


def test_a_deleted_roles_version_is_remembered_when_its_account_serves_another_role():
    _, known = roster()
    known.note(Stored(replace(ENTRY, state="deleted"), 9))
    known.note(Stored(replace(ENTRY, role="billing", published_version=1, published_id="b1"), 10))
    assert known.held() == {"crm": Held(2, "r2"), "billing": Held(1, "b1")}
