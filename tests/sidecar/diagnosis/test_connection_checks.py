"""Each row of a connection's preflight, well and ill."""

from datetime import timedelta

import pytest
from seen import NOW, login

from vault_salesforce_sidecar.diagnosis import connection_checks as checks
from vault_salesforce_sidecar.diagnosis.facts import UNASKED, Broken, Hidden
from vault_salesforce_sidecar.diagnosis.rows import Result
from vault_salesforce_sidecar.salesforce import faults, faults_oauth
from vault_salesforce_sidecar.salesforce.probe import Reach


def test_a_healthy_connection_has_nothing_to_fix(connection):
    rows = checks.rows(connection)
    assert {row.result for row in rows} <= {Result.OK, Result.SKIPPED}, rows
    assert len({row.check for row in rows}) == len(rows) == len(checks.CHECKS)
    assert all(row.detail and not row.fix for row in rows)


def test_what_there_was_no_time_for_is_skipped(connection, spoil):
    spoil(connection, reach=UNASKED, session=UNASKED, organization=UNASKED, kv_faults=UNASKED, mailbox_fault=UNASKED)
    connection.own = type(connection.own)()
    assert {row.result for row in checks.rows(connection)} <= {Result.SKIPPED, Result.OK}


@pytest.mark.parametrize(
    ("reach", "check", "result", "said"),
    [
        (Reach(fault="acme is not a name"), checks.dns, Result.FAILED, "not a name"),
        (Reach(proxy="proxy.example.com"), checks.dns, Result.SKIPPED, "proxy.example.com"),
        (
            Reach(("203.0.113.7",), fault="unable to get issuer", is_untrusted=True),
            checks.tls,
            Result.FAILED,
            "vouched",
        ),
        (Reach(("203.0.113.7",), fault="no connection"), checks.tls, Result.FAILED, "no connection"),
        (Reach(("203.0.113.7",), not_after=NOW + timedelta(days=6)), checks.tls, Result.WARNING, "2026-11-28"),
        (Reach(is_tls=False), checks.tls, Result.SKIPPED, "without TLS"),
        (Reach(skew_seconds=31), checks.clock_skew, Result.WARNING, "31 s behind"),
        (Reach(skew_seconds=-151), checks.clock_skew, Result.FAILED, "151 s ahead of"),
        (Reach(), checks.clock_skew, Result.SKIPPED, "no time"),
        (Reach(versions=("62.0", "63.0")), checks.api_version, Result.FAILED, "newest is 63.0"),
    ],
)
def test_the_way_to_the_host(connection, spoil, *, reach, check, result, said):
    row = check(spoil(connection, reach=reach))
    assert row.result is result
    assert said in row.detail
    assert bool(row.fix) == (result in (Result.FAILED, Result.WARNING))


@pytest.mark.parametrize("code", ["API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED"])
def test_api_not_enabled_names_the_switch(connection, spoil, code):
    row = checks.api_enabled(spoil(connection, session=Broken(faults.TABLE[code])))
    assert row.result is Result.FAILED
    assert "System Permissions: API Enabled" in row.fix


@pytest.mark.parametrize(
    "fault",
    [
        faults.TABLE["LOGIN_MUST_USE_SECURITY_TOKEN"],
        faults.TABLE["LOGIN_DURING_RESTRICTED_DOMAIN"],
        faults_oauth.TABLE["invalid_grant/ip_restricted"],
    ],
)
def test_an_address_that_is_not_trusted_names_the_page(connection, spoil, fault):
    row = checks.address_trusted(spoil(connection, session=Broken(fault)))
    assert row.result is Result.FAILED
    assert row.fix.startswith("Setup, Security, Network Access")


@pytest.mark.parametrize(
    ("host", "is_sandbox", "result"),
    [
        ("login.salesforce.com", False, Result.WARNING),
        ("login.salesforce.com", True, Result.FAILED),
        ("test.salesforce.com", True, Result.WARNING),
        ("acme.my.salesforce.com", False, Result.OK),
    ],
)
def test_my_domain_names_the_switch(connection, spoil, host, is_sandbox, result):
    spoil(connection, config__login_url=f"https://{host}", organization={"IsSandbox": is_sandbox})
    row = checks.my_domain(connection)
    assert row.result is result
    if result is not Result.OK:
        assert "Prevent login from https://login.salesforce.com" in row.fix


@pytest.mark.parametrize(
    ("method", "result"),
    [
        ("password", Result.WARNING),
        ("oauth_password", Result.WARNING),
        ("jwt_bearer", Result.OK),
        ("client_credentials", Result.OK),
        ("none", Result.SKIPPED),
    ],
)
def test_a_way_in_that_ends_is_told_a_year_before(connection, spoil, method, result):
    assert checks.way_in(spoil(connection, config__auth_method=method)).result is result


def test_a_way_in_that_has_ended_fails(connection, spoil):
    spoil(connection, config__auth_method="oauth_password", now=NOW + timedelta(days=91))
    row = checks.way_in(connection)
    assert row.result is Result.FAILED
    assert "2027-02-20" in row.detail


def test_another_address_than_before_is_a_warning(connection, spoil):
    spoil(connection, own__logins=(login(0, "198.51.100.9"), login(2)))
    row = checks.egress_address(connection)
    assert row.result is Result.WARNING
    assert "198.51.100.9, where it was 203.0.113.1" in row.detail


def test_an_identity_that_may_set_nobodys_password_fails_only_where_it_is_to(connection, spoil):
    spoil(connection, own__permissions=frozenset())
    assert checks.set_passwords(connection).result is Result.FAILED
    spoil(connection, config__admin_may_rotate=())
    assert checks.set_passwords(connection).result is Result.SKIPPED


def test_a_right_that_is_missing_to_look_is_no_fault(connection, spoil):
    row = checks.login_history(spoil(connection, own__permissions=frozenset()))
    assert row.result is Result.NOT_VISIBLE
    assert "Monitor Login History" in row.detail
    hidden = Hidden("Manage Users")
    assert checks.organization(spoil(connection, organization=hidden)).detail == "needs Manage Users"


def test_mounts_and_mailboxes_that_are_not_well_fail(connection, spoil):
    spoil(
        connection, kv_faults=("salesforce/ takes writes …",), mailbox_fault="no folder", config__mailbox="maildir:/x"
    )
    assert checks.kv(connection).result is Result.FAILED
    assert checks.mailbox(connection).result is Result.FAILED
