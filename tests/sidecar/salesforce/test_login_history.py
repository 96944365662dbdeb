"""What the rows of a login history say of a refused login, and of who else fails."""

from datetime import UTC, datetime, timedelta

import pytest

from vault_salesforce_sidecar.salesforce import faults
from vault_salesforce_sidecar.salesforce.interface import LoginRow, Verdict
from vault_salesforce_sidecar.salesforce.login_history import (
    MOST_CONSUMERS,
    MOST_SHOWN,
    NO_ROW,
    STATUSES,
    explained,
    fault_of,
    stale_consumers,
)

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
REFUSED = faults.TABLE["INVALID_LOGIN"]


def row(status, seconds=0, source="198.51.100.7", application="N/A"):
    return LoginRow(NOW + timedelta(seconds=seconds), status, source, application, "Other Apex API", "SOAP Partner")


@pytest.mark.parametrize(
    ("status", "verdict", "counts", "said"),
    [
        ("Invalid Password", Verdict.REFUSED, True, "is not the user's"),
        ("Password Lockout", Verdict.BLOCKED, True, "locked"),
        ("User is Inactive", Verdict.BLOCKED, False, "deactivated"),
        ("User is frozen", Verdict.BLOCKED, False, "frozen"),
        ("Failed: API security token required", Verdict.REFUSED, True, "security token"),
        ("Restricted IP", Verdict.BLOCKED, False, "Login IP Ranges"),
        ("Restricted Domain", Verdict.BLOCKED, False, "My Domain"),
        ("Restricted Time", Verdict.BLOCKED, False, "login hours"),
        ("Login Rate Exceeded", Verdict.BLOCKED, False, "3,600"),
        ("Username-Password Flow Disabled", Verdict.BLOCKED, False, "username-password flow"),
        ("Failed: Computer activation required", Verdict.BLOCKED, False, "verify"),
        ("Failed: single sign-on only", Verdict.BLOCKED, False, "single sign-on"),
        ("Failed: multi-factor code required", Verdict.BLOCKED, True, "Multi-Factor"),
        ("Failed: Something new", Verdict.REFUSED, True, "not known here"),
    ],
)
def test_a_status_becomes_the_cause_and_judges_a_credential_only_where_it_can(status, verdict, counts, said):
    told = explained(REFUSED, [row(status)])

    assert told.code == "INVALID_LOGIN"
    assert status in told.cause
    assert said in told.cause
    assert (told.verdict, told.counts) == (verdict, counts)
    assert told.remedy != REFUSED.remedy


def test_no_row_is_a_diagnosis_of_its_own_and_changes_no_verdict():
    for rows in ([], [row("Success")]):
        told = explained(REFUSED, rows)
        assert told.cause == NO_ROW
        assert (told.verdict, told.counts) == (REFUSED.verdict, REFUSED.counts)


def test_a_lock_is_told_whoever_made_it_and_stops_everything():
    told = explained(REFUSED, [row("Invalid Password", 2), row("Password Lockout", 1, "203.0.113.9")])
    assert "Password Lockout" in told.cause
    assert told.verdict is Verdict.BLOCKED


def test_a_status_beside_others_takes_no_charge_back_for_ours_may_be_another_row():
    alone = explained(REFUSED, [row("Restricted IP"), row("Success", -5)])
    among = explained(REFUSED, [row("Restricted IP", 1, "203.0.113.9"), row("Invalid Password")])
    assert (alone.counts, among.counts) == (False, True)


def test_every_status_has_a_cause_and_a_remedy_that_are_sentences():
    for words, fault in STATUSES:
        assert words == words.lower()
        assert fault_of(f"Failed: {words.title()}") is fault
        assert fault.cause.endswith(".")
        assert fault.remedy.endswith((".", ")."))


def test_consumers_are_told_apart_by_address_and_application_the_latest_first():
    rows = [
        row("Invalid Password", 60, "203.0.113.9", "jsforce"),
        row("Invalid Password", 70, "203.0.113.9", "jsforce"),
        row("Password Lockout", 90, "203.0.113.9", "N/A"),
        row("Success", 95, "203.0.113.10"),
        row("Invalid Password", -1, "203.0.113.11"),
    ]
    found = stale_consumers(rows, NOW, NOW)

    assert [(one.source_address, one.application, one.failed_logins) for one in found] == [
        ("203.0.113.9", "N/A", 1),
        ("203.0.113.9", "jsforce", 2),
    ]
    assert found[1].last == NOW + timedelta(seconds=70)
    assert found[1].status == "Invalid Password"


def test_whoever_has_stopped_is_no_stale_consumer():
    assert stale_consumers([row("Invalid Password", 60)], NOW, NOW + timedelta(seconds=61)) == ()


def test_at_most_ten_are_named_and_what_they_call_themselves_is_cut_and_printable():
    rows = [row("Invalid Password", seconds, f"203.0.113.{seconds}", "x\n" * 200) for seconds in range(1, 30)]
    found = stale_consumers(rows, NOW, NOW)

    assert len(found) == MOST_CONSUMERS
    assert found[0].source_address == "203.0.113.29"
    assert all(len(one.application) == MOST_SHOWN and one.application.isprintable() for one in found)
