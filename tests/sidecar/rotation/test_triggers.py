"""What becomes of a trigger: it begins, is void, or is asked again later."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation.triggers import LEASE, SCHEDULE, Verdict, judge

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ROLE = StaticRole(config="demo", username="a@acme.example")
ENTRY = JournalEntry(
    username="a@acme.example", role="crm", state="settled", published_version=3, published_id="made-by"
)
RECENT = NOW - timedelta(seconds=599)


@pytest.mark.parametrize(
    ("entry", "role", "verdict"),
    [
        ({}, {}, Verdict.BEGIN),
        ({"state": "withdrawn"}, {}, Verdict.BEGIN),
        ({"published_version": 4}, {}, Verdict.VOID),
        ({"published_version": 2}, {}, Verdict.LATER),
        ({"published_version": 0}, {}, Verdict.VOID),
        ({"published_id": "another"}, {}, Verdict.VOID),
        ({"state": "applying"}, {}, Verdict.VOID),
        ({"state": "stuck"}, {}, Verdict.LATER),
        ({"state": "awaiting_token"}, {}, Verdict.LATER),
        ({"state": "deleted"}, {}, Verdict.VOID),
        ({"last_lease_rotation": RECENT}, {}, Verdict.LATER),
        ({"last_lease_rotation": RECENT}, {"lease_rotation_interval": 0}, Verdict.BEGIN),
        ({"not_before": NOW + timedelta(seconds=1)}, {}, Verdict.LATER),
        ({"not_before": NOW}, {}, Verdict.BEGIN),
        ({}, {"rotate_on_lease_end": "never"}, Verdict.VOID),
        ({}, {"disable_automated_rotation": True}, Verdict.VOID),
    ],
)
def test_a_lease_that_ended_on_version_three(entry, role, verdict):
    assert judge(replace(ROLE, **role), replace(ENTRY, **entry), LEASE, version=3, rotation_id="made-by", now=NOW) is (
        verdict
    )


def test_a_schedule_heeds_neither_leases_interval_nor_their_switch():
    role = replace(ROLE, rotate_on_lease_end="never", rotation_period=60)
    entry = replace(ENTRY, last_lease_rotation=RECENT, last_rotation=RECENT)
    assert judge(role, entry, SCHEDULE, version=None, rotation_id=None, now=NOW) is Verdict.BEGIN


def test_a_schedule_begins_nothing_that_is_not_due_any_longer():
    for role in ({"rotation_period": 600}, {"rotation_period": 60, "disable_automated_rotation": True}, {}):
        entry = replace(ENTRY, last_rotation=RECENT)
        told = judge(replace(ROLE, **role), entry, SCHEDULE, version=3, rotation_id=None, now=NOW)
        assert told is Verdict.VOID
