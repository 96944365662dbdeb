"""Switches of an org and its users that no other test turns: each changes what a client sees."""

import pytest

from salesforce_orgsim.org_settings import OrgSettings
from salesforce_orgsim.user_settings import UserSettings

PERMISSIONS = {
    "bypass_mfa_for_ui_logins": "PermissionsBypassMFAForUiLogins",
    "view_all_data": "PermissionsViewAllData",
    "modify_all_data": "PermissionsModifyAllData",
    "customize_application": "PermissionsCustomizeApplication",
    "author_apex": "PermissionsAuthorApex",
    "mfa_api": "PermissionsTwoFactorApi",
    "sso_enabled": "PermissionsIsSsoEnabled",
    "never_expires": "PermissionsPasswordNeverExpires",
    "api_only": "PermissionsApiUserOnly",
}


@pytest.mark.parametrize(("switch", "column"), PERMISSIONS.items())
def test_a_permission_of_a_user_is_a_column_of_their_set(sim, switch, column):
    def held():
        text = f"SELECT PermissionSet.{column} FROM PermissionSetAssignment WHERE Assignee.Username = ?"  # noqa: S608
        return [row["PermissionSet"][column] for row in sim.query(sim.session(sim.admin), text, sim.app)]

    assert getattr(UserSettings, switch) is False
    assert held() == [False]
    sim.control("PATCH", f"/users/{sim.app}", {switch: True})
    assert held() == [True]


def test_the_instance_has_a_name(sim):
    sim.control("PATCH", "/org", {"instance_name": "DEU12S"})
    (row,) = sim.query(sim.session(sim.app), "SELECT InstanceName FROM Organization")
    assert row["InstanceName"] == "DEU12S"


def test_a_user_is_of_a_kind(sim):
    sim.control("PATCH", f"/users/{sim.app}", {"user_type": "CloudIntegrationUser"})
    (row,) = sim.query(sim.session(sim.app), "SELECT UserType FROM User WHERE Username = ?", sim.app)
    assert row["UserType"] == "CloudIntegrationUser"


def test_login_is_served_up_to_a_version(sim):
    assert sim.log_in(sim.app, version="64.0").status == 200
    sim.control("PATCH", "/org", {"max_login_version": 60})
    assert sim.log_in(sim.app, version="61.0").code == "INVALID_OPERATION"
    assert sim.log_in(sim.app, version="60.0").status == 200


def test_a_session_that_nobody_uses_ends_after_its_time(sim):
    sim.control("PATCH", "/org", {"session_timeout": 600})
    session = sim.session(sim.app)
    for _ in range(3):  # each use begins the time anew
        sim.advance(599)
        assert sim.rest("GET", "/v68.0/limits", session).status_code == 200
    sim.advance(601)
    assert sim.rest("GET", "/v68.0/limits", session).get_json()[0]["errorCode"] == "INVALID_SESSION_ID"


def test_how_long_an_assertion_may_live_is_the_orgs_choice(oauth):
    claims = {"sub": oauth.app, "exp": oauth.now() + OrgSettings.jwt_lifetime - 1}
    assert oauth.by_assertion(**claims).status_code == 200
    oauth.control("PATCH", "/org", {"jwt_lifetime": 180})
    assert oauth.by_assertion(**claims).get_json()["error_description"] == "expired authorization code"


@pytest.mark.parametrize("ends", [True, False])
def test_a_change_in_the_browser_ends_the_token_unless_told_otherwise(sim, ends):
    sim.control("PATCH", "/org", {"token_reset": {"ui": ends}})
    before = sim.user(sim.app).security_token
    sim.control("PATCH", f"/users/{sim.app}", {"password": "By-hand-1"})
    assert (sim.user(sim.app).security_token != before) is ends


@pytest.mark.parametrize(("days", "expired"), [(89, "false"), (91, "true")])
def test_a_password_has_an_age_at_the_start(simulate, days, expired):
    old = {"username": "old@crm.example", "password": "Old-pass-1", "security_token": "T" * 24}
    sim = simulate({"users": [old | {"password_age_days": days}]})
    assert sim.log_in("old@crm.example").text("passwordExpired") == expired
