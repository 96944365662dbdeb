"""Permission sets, their assignments, and profiles."""

import pytest

TEXT = (
    "SELECT AssigneeId, PermissionSet.IsOwnedByProfile, PermissionSet.PermissionsManageUsers, "
    "PermissionSet.PermissionsUseAnyApiAuth FROM PermissionSetAssignment WHERE Assignee.Username = ?"
)


def test_permissions_are_read_over_the_assignment(sim):
    (row,) = sim.query(sim.session(sim.admin), TEXT, sim.admin)
    assert row["PermissionSet"]["PermissionsManageUsers"] is True
    assert row["PermissionSet"]["IsOwnedByProfile"] is True
    assert row["AssigneeId"] == sim.user(sim.admin).id


def test_a_permission_may_come_by_a_set_of_its_own(sim):
    sim.control("PATCH", f"/users/{sim.app}", {"granted_by_permission_set": ["use_any_api_auth"]})
    rows = sim.query(sim.session(sim.app), TEXT, sim.app)
    granted = {
        row["PermissionSet"]["IsOwnedByProfile"]: row["PermissionSet"]["PermissionsUseAnyApiAuth"] for row in rows
    }
    assert granted == {True: False, False: True}
    sets = sim.query(sim.session(sim.app), "SELECT Id, IsOwnedByProfile, ProfileId, Label FROM PermissionSet")
    assert len(sets) == 2


@pytest.mark.parametrize(
    ("permission", "sees"), [("reset_passwords", False), ("view_setup", True), ("manage_users", True)]
)
def test_others_permissions_are_seen_with_a_permission(sim, permission, sees):
    sim.control("PATCH", f"/users/{sim.app}", {permission: True})
    assert bool(sim.query(sim.session(sim.app), TEXT, sim.admin)) is sees
    assert sim.query(sim.session(sim.app), TEXT, sim.app)


def columns(sim, name):
    described = sim.rest("GET", f"/v66.0/sobjects/{name}/describe", sim.session(sim.admin)).get_json()
    return {field["name"] for field in described["fields"]}


@pytest.mark.parametrize("name", ["PermissionSet", "Profile"])
def test_a_permission_is_a_column_only_where_the_org_has_it(sim, name):
    assert "PermissionsUseAnyApiAuth" in columns(sim, name)
    assert "PermissionsUseAnyApiClient" not in columns(sim, name)
    sim.control("PATCH", "/org", {"api_access_control": True, "current_version": 66})
    assert "PermissionsUseAnyApiClient" in columns(sim, name)
    assert "PermissionsUseAnyApiAuth" not in columns(sim, name)


def test_a_query_that_names_an_absent_permission_fails_whole(sim):
    text = "SELECT Id, PermissionSet.PermissionsUseAnyApiClient FROM PermissionSetAssignment"
    answer = sim.rest("GET", "/v68.0/query", sim.session(sim.admin), query_string={"q": text})
    (fault,) = answer.get_json()
    assert fault["errorCode"] == "INVALID_FIELD"
    assert fault["message"] == "No such column 'PermissionsUseAnyApiClient' on entity 'PermissionSet'."


def test_other_profiles_are_seen_with_the_permission(sim):
    sim.control("PATCH", f"/users/{sim.admin}", {"profile": "Administrators"})
    text = "SELECT Name, PermissionsManageUsers FROM Profile ORDER BY Name"
    assert [row["Name"] for row in sim.query(sim.session(sim.admin), text)] == ["Administrators"]
    sim.control("PATCH", f"/users/{sim.admin}", {"view_all_profiles": True})
    rows = sim.query(sim.session(sim.admin), text)
    assert [(row["Name"], row["PermissionsManageUsers"]) for row in rows] == [
        ("Administrators", True),
        ("Integration User", False),
    ]
