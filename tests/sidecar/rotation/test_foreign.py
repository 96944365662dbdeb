"""What is said of a KV version that is not ours."""

from dataclasses import replace

import pytest

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation.credentials import Found
from vault_salesforce_sidecar.rotation.foreign import is_foreign, kv_fault
from vault_salesforce_sidecar.rotation.machine import Secret

OURS = Secret(SecretStr("ours"))
RECORD = JournalEntry(
    username="a@example.com", role="crm", state="settled", published_version=3, current_password=OURS.password
)
FOUND = Found(3, OURS)


@pytest.mark.parametrize(
    ("record", "found", "foreign"),
    [
        ({}, FOUND, False),
        ({}, Found(4, OURS), True),
        ({}, Found(3, None), True),
        ({}, Found(2, OURS), True),
        ({}, Found(3, Secret(SecretStr("theirs"))), True),
        ({"state": "stuck"}, Found(3, Secret(SecretStr("theirs"))), False),  # it knows no longer what was published
        ({"published_version": 0}, Found(4, OURS), False),
    ],
)
def test_what_we_did_not_publish_last_is_foreign(record, found, foreign):
    assert is_foreign(replace(RECORD, **record), found) is foreign


@pytest.mark.parametrize(
    ("found", "next_step"),
    [
        (FOUND, None),
        (Found(4, None), "vault write sf/resync/crm try=current"),
        (Found(2, OURS), "vault write sf/resync/crm try=current"),
        (Found(0, None), "vault write sf/resync/crm try=current"),
    ],
)
def test_the_way_out_is_a_command(found, next_step):
    fault = kv_fault(RECORD, found, mount="sf", kv_path="salesforce/creds/crm")
    assert (fault and fault.next_step) == next_step
    assert "ours" not in repr(fault)


def test_while_a_rotation_is_under_way_nothing_is_said():
    changing = replace(RECORD, state="publishing")
    assert kv_fault(changing, Found(4, OURS), mount="sf", kv_path="salesforce/creds/crm") is None
