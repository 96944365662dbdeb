"""Each row of a role's preflight, well and ill."""

from datetime import timedelta

import pytest
from seen import NOW, USERNAME, login

from vault_salesforce_sidecar.diagnosis import role_checks as checks
from vault_salesforce_sidecar.diagnosis.facts import (
    API_ENABLED,
    API_ONLY,
    MFA_API,
    NEVER_EXPIRES,
    SSO_ONLY,
    UNASKED,
    USE_ANY_API_AUTH,
    Hidden,
)
from vault_salesforce_sidecar.diagnosis.rows import Result
from vault_salesforce_sidecar.salesforce.login_history import fault_of


def test_a_healthy_role_has_nothing_to_fix_but_the_way_in_that_ends(role):
    rows = checks.rows(role)
    ill = [row.check for row in rows if row.result not in (Result.OK, Result.SKIPPED)]
    assert ill == ["way_in"]
    assert len({row.check for row in rows}) == len(rows)


@pytest.mark.parametrize(
    ("check", "changes", "result", "said"),
    [
        (checks.user, {"user": None}, Result.FAILED, USERNAME),
        (checks.user, {"user__is_active": False}, Result.FAILED, "deactivated"),
        (checks.user, {"user__is_frozen": True}, Result.FAILED, "frozen"),
        (checks.user_type, {"seen__details": {"UserType": "Guest"}}, Result.FAILED, "nobody logs in"),
        (checks.user_type, {"seen__details": {"UserType": "PowerPartner"}}, Result.WARNING, "portal"),
        (checks.api_enabled, {"seen__permissions": frozenset()}, Result.FAILED, "missing"),
        (checks.api_enabled, {"entry__fault_code": "API_CURRENTLY_DISABLED"}, Result.FAILED, ""),
        (checks.way_in, {"entry__fault_code": "INVALID_OPERATION", "entry__fault_cause": "off"}, Result.FAILED, "off"),
        (checks.way_in, {"seen__columns": frozenset({USE_ANY_API_AUTH})}, Result.FAILED, "Use Any API Auth"),
        (checks.way_in, {"role__verify": "record"}, Result.OK, "record"),
        (checks.mfa_api_logins, {"seen__permissions": frozenset({MFA_API})}, Result.FAILED, "device"),
        (checks.single_sign_on, {"seen__permissions": frozenset({SSO_ONLY})}, Result.FAILED, "single sign-on"),
        (checks.may_change, {"seen__permissions": frozenset({SSO_ONLY})}, Result.FAILED, "single sign-on"),
        (checks.lock_state, {"user__is_locked": True}, Result.FAILED, "locked"),
        (checks.lock_state, {"user__failed_logins": 2}, Result.WARNING, "2 failed"),
        (checks.lock_state, {"user__is_locked": None}, Result.NOT_VISIBLE, "Manage Users"),
        (checks.lock_state, {"user__is_locked": None, "is_itself": True}, Result.OK, "session was opened"),
        (checks.login_budget, {"user__failed_logins": 3}, Result.FAILED, "0 logins"),
        (checks.complexity, {"sample_fault": "lacks a digit"}, Result.WARNING, "lacks a digit"),
        (checks.password_age, {"seen__permissions": frozenset({NEVER_EXPIRES})}, Result.OK, "never"),
        (checks.egress_address, {"entry__last_rotation": None}, Result.SKIPPED, "no rotation"),
        (checks.consumers, {"seen__logins": (login(0.1, status="Invalid Password"),)}, Result.WARNING, "203.0.113.1"),
        (checks.consumers, {"seen__logins": Hidden("Manage Users")}, Result.NOT_VISIBLE, "Manage Users"),
        (checks.user, {"user": UNASKED}, Result.SKIPPED, "in time"),
    ],
)
def test_a_row_says_what_is_wrong(role, spoil, *, check, changes, result, said):
    row = check(spoil(role, **changes))
    assert row.result is result, row
    assert said in row.detail
    if result is Result.FAILED and check is not checks.api_enabled:
        assert row.fix or changes.get("entry__fault_cause")


def test_a_restricted_domain_names_the_switch_of_my_domain(role, spoil):
    fault = fault_of("Restricted Domain")
    row = checks.my_domain(spoil(role, entry__fault_cause=fault.cause, entry__fault_remedy=fault.remedy))
    assert row.result is Result.FAILED
    assert "Setup, Company Settings, My Domain" in row.fix


def test_an_address_that_is_not_trusted_is_named(role, spoil):
    refused = login(0, "198.51.100.9", "Failed: API security token required")
    spoil(
        role, entry__fault_code="LOGIN_MUST_USE_SECURITY_TOKEN", entry__fault_cause="no token", seen__logins=(refused,)
    )
    row = checks.address_trusted(role)
    assert row.result is Result.FAILED
    assert row.fix == "Setup, Security, Network Access, New: Trusted IP Range: 198.51.100.9"


@pytest.mark.parametrize(
    ("hours", "policy", "result"),
    [
        (25, {}, Result.OK),
        (1, {}, Result.WARNING),
        (1, {"require a minimum 1 day password lifetime": "Enabled"}, Result.WARNING),
        (1, {"require a minimum 1 day password lifetime": "Disabled"}, Result.OK),
    ],
)
def test_the_one_day_rule_names_the_hour_where_it_may_hold(role, spoil, hours, policy, result):
    changed = f"{NOW - timedelta(hours=hours):%Y-%m-%dT%H:%M:%S}.000+0000"
    row = checks.one_day_rule(spoil(role, seen__details={"LastPasswordChangeDate": changed}, seen__policy=policy))
    assert row.result is result
    if result is Result.WARNING:
        assert "not possible before 2026-11-23T11:00:00Z" in row.detail
        assert row.fix.endswith(f"{USERNAME}: Freeze")


@pytest.mark.parametrize(
    ("proven", "result"),
    [
        ("2026-11-17T12:00:00.000+0000", Result.OK),
        ("2026-11-10T12:00:00.000+0000", Result.FAILED),
        ("", Result.NOT_VISIBLE),
    ],
)
def test_a_password_that_is_not_the_proven_one_any_longer_is_told_at_no_login(role, spoil, proven, result):
    row = checks.unchanged(spoil(role, entry__proven_record=proven))
    assert row.result is result
    assert row.fix == ("vault write sf/resync/crm password=-" if result is Result.FAILED else "")


@pytest.mark.parametrize(("days", "result"), [(30, Result.OK), (10, Result.WARNING), (-1, Result.FAILED)])
def test_a_password_that_expires_is_told_two_weeks_before(role, spoil, days, result):
    ends = f"{NOW + timedelta(days=days):%Y-%m-%dT%H:%M:%S}.000+0000"
    assert checks.password_age(spoil(role, seen__details={"PasswordExpirationDate": ends})).result is result


@pytest.mark.parametrize(
    ("source", "seen", "permissions", "result", "fix"),
    [
        ("none", False, frozenset(), Result.SKIPPED, ""),
        ("manual", False, frozenset(), Result.WARNING, "security-token/crm"),
        ("mailbox", True, frozenset(), Result.OK, ""),
        ("mailbox", False, frozenset({API_ENABLED}), Result.FAILED, "Reset My Security Token"),
        ("mailbox", False, frozenset({API_ONLY}), Result.FAILED, "API Only User, off"),
    ],
)
def test_a_token_that_may_not_come_is_told(role, spoil, *, source, seen, permissions, result, fix):
    spoil(role, role__security_token_from=source, entry__token_seen=seen, seen__permissions=permissions)
    row = checks.token_mail(role)
    assert row.result is result
    assert fix in row.fix


@pytest.mark.parametrize(
    ("globs", "self_managed", "result"),
    [
        (("*@acme.example",), False, Result.FAILED),
        ((USERNAME.upper(),), False, Result.OK),
        ((), True, Result.OK),
    ],
)
def test_a_privileged_user_is_named_without_a_glob(role, spoil, globs, self_managed, result):
    spoil(role, role__self_managed=self_managed, seen__permissions=frozenset({"PermissionsAuthorApex"}))
    spoil(role.connection, config__admin_may_rotate=globs)
    row = checks.privileged(role)
    assert row.result is result
    assert "AuthorApex" in row.detail


def test_an_address_that_changed_since_the_last_rotation_is_told(role, spoil):
    spoil(role.connection, own__logins=(login(0, "198.51.100.9"), login(6)))
    row = checks.egress_address(role)
    assert row.result is Result.WARNING
    assert "198.51.100.9, where it was 203.0.113.1 at the last rotation (2026-11-17T12:00:00Z)" in row.detail
