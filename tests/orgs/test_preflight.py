"""Preflight against a simulator that listens: what it says, that it changes nothing, and what it costs."""

from datetime import UTC, datetime

import pytest
from combinations import ADMINISTRATOR, APP, LOOPBACK, ORG, TRUSTED, USER, WAYS
from deployment import ADMIN, ADMIN_PASSWORD, TOKEN, USERNAME, Deployment, Simulator

from vault_salesforce_sidecar.diagnosis.diagnosis import Diagnosis
from vault_salesforce_sidecar.salesforce.probe import probe

BY_ADMIN = {"auth_method": "password", "username": ADMIN, "password": ADMIN_PASSWORD, "sidecar_address": "trusted"}
NAMED = BY_ADMIN | {"admin_may_rotate": [USERNAME]}
AS_USER = next(way for way in WAYS if way.name == "JWT as the user")


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):
    """An org of this test process."""
    made = Simulator(tmp_path_factory.mktemp("mail") / "box")
    yield made
    made.stop()


class Patient:
    """A role `crm`, and the rows of its preflight."""

    def __init__(self, simulator, config=BY_ADMIN, role=None, *, org=TRUSTED, user=None, admin=None, enrolled=True):
        self.simulator = simulator
        simulator.anew({**ORG, **org}, [{**USER, **(user or {})}, {**ADMINISTRATOR, **(admin or {})}], [APP])
        self.deployment = Deployment(simulator, config, {"security_token_from": "none", **(role or {})})
        parts = self.deployment.rotations.carrier.parts
        self.diagnosis = Diagnosis(
            parts,
            self.deployment.rotations,
            lambda config: probe(config, None, lambda: datetime.now(UTC)),  # its Date is of this machine's clock
            kv_faults=list,
        )
        if enrolled:
            self.deployment.enrol(None)
        else:
            parts.roles.put("crm", self.deployment.role)

    def rows(self):
        return {row.check: row for row in self.diagnosis.of_role("crm")}

    def of_connection(self):
        return {row.check: row for row in self.diagnosis.of_connection("demo")}

    def logins(self):
        return self.simulator.user().counters.logins

    def set(self, **settings):
        self.simulator.control("PATCH", f"/users/{USERNAME}", settings)


@pytest.fixture
def patient(simulator):
    made = []

    def make(*args, **settings):
        made.append(Patient(simulator, *args, **settings))
        return made[-1]

    yield make
    for one in made:
        one.deployment.close()


def failed(rows):
    """The rows that failed, but for the ways in that have ended by the year of these tests."""
    return {name for name, row in rows.items() if row.result.value == "failed"} - {"way_in"}


def test_an_administrator_sees_everything_and_a_healthy_role_has_nothing_to_fix(patient):
    rows = patient(NAMED, {"self_managed": False}, user={"password_age_days": 5, "never_expires": True}).rows()

    others = {row.result.value for name, row in rows.items() if name != "way_in"}
    assert others <= {"ok", "skipped"}, rows
    assert "SOAP login()" in rows["way_in"].detail
    assert "2027-06-01" in rows["way_in"].detail
    assert rows["organization"].detail.startswith("Orgsim (")
    assert rows["password_age"].detail == "it never expires"


def test_it_changes_nothing_and_logs_in_with_no_users_password(patient):
    one = patient(NAMED, {"self_managed": False})
    before = (one.logins(), dict(one.deployment.engine_kv.versions), one.simulator.user().password)
    admin = one.simulator.user(ADMIN).counters

    for _ in range(3):
        one.rows()
        one.of_connection()

    assert (one.logins(), dict(one.deployment.engine_kv.versions), one.simulator.user().password) == before
    assert (admin.logins, admin.failed_logins) == (1, 0)


def test_without_an_identity_what_is_not_seen_says_what_it_needs(patient):
    rows = patient({"sidecar_address": "trusted"}).rows()

    for name in ("user", "user_type", "api_enabled", "privileged", "lock_state", "mfa_api_logins", "stale_consumers"):
        assert rows[name].result.value == "not visible", name
        assert "auth_method" in rows[name].detail
    assert failed(rows) == set()


def test_the_session_as_the_user_sees_what_concerns_the_user(patient):
    one = patient({**AS_USER.config, "sidecar_address": "trusted"}, dict(AS_USER.role))
    rows = one.rows()

    for name in ("user", "user_type", "lock_state", "stale_consumers", "one_day_rule", "egress_address", "may_change"):
        assert rows[name].result.value in ("ok", "warning"), (name, rows[name])
    assert failed(rows) == set()
    assert one.logins() == 1  # the one that made the role; the app's session is no login of the password


@pytest.mark.parametrize(
    ("settings", "check", "said", "fix"),
    [
        ({"active": False}, "user", "deactivated", "Edit: Active"),
        ({"frozen": True}, "user", "frozen", "Unfreeze"),
        ({"locked": True}, "lock_state", "locked", "unlock/crm"),
        ({"api_enabled": False}, "api_enabled", "missing", "System Permissions: API Enabled"),
        ({"mfa_api": True}, "mfa_api_logins", "a code of a device", "Multi-Factor Authentication for API Logins"),
        ({"sso_enabled": True}, "single_sign_on", "single sign-on alone", "Is Single Sign-On Enabled"),
        ({"use_any_api_auth": False}, "way_in", "Use Any API Auth", "Use Any API Auth"),
    ],
)
def test_what_would_refuse_a_rotation_fails_with_the_page_that_mends_it(patient, settings, check, said, fix):
    one = patient()
    one.set(**settings)
    row = one.rows()[check]

    assert row.result.value == "failed", row
    assert said in row.detail
    assert fix in row.fix


def test_a_privileged_user_is_named_or_refused(patient):
    glob = BY_ADMIN | {"admin_may_rotate": ["*@acme.example"]}
    privileged = {"modify_all_data": True}

    refused = patient(glob, {"self_managed": False}, user=privileged, enrolled=False).rows()["privileged"]
    named = patient(NAMED, {"self_managed": False}, user=privileged, enrolled=False).rows()["privileged"]

    assert (refused.result.value, named.result.value) == ("failed", "ok")
    assert "ModifyAllData" in refused.detail
    assert USERNAME in refused.fix


def test_the_one_day_rule_names_the_hour_and_the_way_out(patient):
    ruled = patient(
        user={"password_age_days": 0}, org={**TRUSTED, "password_policy": {"minimum_password_lifetime": True}}
    )
    row = ruled.rows()["one_day_rule"]
    assert row.result.value == "warning"
    assert "the org has the rule" in row.detail
    assert "not possible before 2030-01-" in row.detail
    assert row.fix.endswith(f"Setup, Users, Users, {USERNAME}: Freeze")

    free = patient(user={"password_age_days": 0}).rows()["one_day_rule"]
    assert free.result.value == "ok", free


def test_an_expiring_password_is_told_before_it_expires(patient):
    soon = patient(user={"password_age_days": 80}).rows()["password_age"]
    late = patient(user={"password_age_days": 91}, enrolled=False).rows()["password_age"]
    assert (soon.result.value, late.result.value) == ("warning", "failed")
    assert "Password Never Expires" in late.fix


def test_a_failed_login_of_a_consumer_is_counted_and_named(patient):
    one = patient(org={**TRUSTED, "password_policy": {"max_login_attempts": 3}})
    org = one.simulator.running.org
    from salesforce_orgsim.faults import FaultError
    from salesforce_orgsim.login import LoginAttempt, log_in

    one.deployment.clock.seconds += 60
    with pytest.raises(FaultError):
        log_in(org, LoginAttempt(USERNAME, "Old-pass-1", "203.0.113.9", application="nightly"))
    rows = one.rows()

    assert rows["stale_consumers"].result.value == "warning"
    assert "203.0.113.9 (nightly): 1 failed" in rows["stale_consumers"].detail
    assert rows["login_budget"].result.value == "failed"  # of three, one is spent and one is the reserve
    assert "by the org's own count" in rows["login_budget"].detail


def test_an_identity_with_less_rights_hides_rows_and_fails_none_for_that(patient):
    reset_only = {"manage_users": False, "reset_passwords": True}
    rows = patient(NAMED, {"self_managed": False}, admin=reset_only, enrolled=False).rows()

    assert rows["may_change"].result.value in ("ok", "not visible")
    assert rows["stale_consumers"].result.value == "not visible"
    assert rows["lock_state"].result.value == "not visible"
    assert failed(rows) == set(), rows


@pytest.mark.parametrize(
    ("org", "admin", "check", "fix"),
    [
        ({}, {"api_enabled": False}, "api_enabled", "System Permissions: API Enabled"),
        (
            {"trusted_ranges": []},
            {"login_ranges": [], "security_token": TOKEN},
            "address_trusted",
            "Network Access",
        ),
        ({}, {"login_ranges": ["203.0.113.0/24"]}, "address_trusted", "Network Access"),
    ],
)
def test_the_classic_mistakes_of_a_connection_name_their_switch(patient, org, admin, check, fix):
    one = patient(BY_ADMIN, org={**TRUSTED, **org}, admin=admin, enrolled=False)
    rows = one.of_connection()

    assert rows[check].result.value == "failed", rows
    assert fix in rows[check].fix
    assert rows["identity"].result.value == "failed"
    again = one.of_connection()
    assert again[check].result.value == "failed"
    assert one.simulator.user(ADMIN).counters.logins == 1  # what was refused is not tried again


def test_an_identity_that_is_refused_does_not_hide_the_network(patient):
    one = patient(BY_ADMIN | {"password": "Wrong-pass-1"}, enrolled=False)
    rows = one.of_connection()
    assert rows["identity"].result.value == "failed"
    assert rows["dns"].result.value == "ok"
    assert rows["api_version"].result.value in ("ok", "skipped")
    for name in ("organization", "egress_address", "login_history"):
        assert rows[name].result.value == "not visible", name
        assert "was refused" in rows[name].detail


def test_an_address_that_changed_since_the_last_rotation_is_told(patient):
    one = patient(NAMED, {"self_managed": False}, user={"password_age_days": 2})
    one.deployment.clock.seconds += 3600
    from salesforce_orgsim.login import LoginAttempt, log_in

    one.simulator.control("PATCH", f"/users/{ADMIN}", {"login_ranges": [LOOPBACK, "198.51.100.0/24"]})
    log_in(one.simulator.running.org, LoginAttempt(ADMIN, ADMIN_PASSWORD, "198.51.100.7"))
    row = one.rows()["egress_address"]

    assert row.result.value == "warning"
    assert "198.51.100.7, where it was 127.0.0.1 at the last rotation" in row.detail
    assert "Network Access" in row.fix
