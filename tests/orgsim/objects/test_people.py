"""User, UserLogin and Organization."""


def test_the_organization_is_one_row(sim):
    (row,) = sim.query(sim.session(sim.app), "SELECT Id, Name, IsSandbox, InstanceName FROM Organization")
    assert (row["Id"], row["Name"], row["IsSandbox"], row["InstanceName"]) == (sim.org.id, "Orgsim", False, "USA1S")


def test_another_org_has_another_id(sim):
    before = sim.org.id
    sim.control("PATCH", "/org", {"organization_number": 2, "is_sandbox": True})
    (row,) = sim.query(sim.session(sim.app), "SELECT Id, IsSandbox FROM Organization")
    assert row["Id"] == sim.org.id != before
    assert row["IsSandbox"] is True


def test_a_users_further_columns(sim):
    sim.control("PATCH", f"/users/{sim.app}", {"federation_identifier": "ada", "never_expires": True, "language": "de"})
    text = (
        "SELECT UserType, Email, FederationIdentifier, PasswordExpirationDate, LanguageLocaleKey, IsActive, "
        "UserPermissionsInteractionUser FROM User WHERE Username = ?"
    )
    (row,) = sim.query(sim.session(sim.app), text, sim.app)
    assert (row["UserType"], row["Email"], row["FederationIdentifier"]) == ("Standard", sim.app, "ada")
    assert (row["PasswordExpirationDate"], row["LanguageLocaleKey"], row["IsActive"]) == (None, "de", True)
    assert row["UserPermissionsInteractionUser"] is False


def test_profiles_of_others_have_no_name_without_the_permission_unless_the_org_is_old(sim):
    sim.control("PATCH", f"/users/{sim.admin}", {"profile": "Administrators"})
    text = "SELECT Profile.Name FROM User WHERE Username = ?"

    def seen(username):
        return sim.query(sim.session(sim.app), text, username)[0]["Profile"]["Name"]

    assert (seen(sim.app), seen(sim.admin)) == ("Integration User", None)
    sim.control("PATCH", f"/users/{sim.app}", {"view_all_profiles": True})
    assert seen(sim.admin) == "Administrators"
    sim.control("PATCH", f"/users/{sim.app}", {"view_all_profiles": False})
    sim.control("PATCH", "/org", {"profile_filtering": False})
    assert seen(sim.admin) == "Administrators"


def test_users_may_be_hidden_from_each_other(sim):
    sim.control("PATCH", "/org", {"users_see_all_users": False})
    text = "SELECT Username FROM User"
    assert [row["Username"] for row in sim.query(sim.session(sim.app), text)] == [sim.app]
    assert len(sim.query(sim.session(sim.admin), text)) == 2


def test_locks_are_the_administrators_to_see(sim):
    sim.control("PATCH", f"/users/{sim.app}", {"reset_passwords": True, "locked": True})
    answer = sim.rest("GET", "/v68.0/sobjects/UserLogin/describe", sim.session(sim.app))
    assert answer.get_json()[0]["errorCode"] == "INVALID_TYPE"
    text = "SELECT IsPasswordLocked FROM UserLogin WHERE UserId = ?"
    (row,) = sim.query(sim.session(sim.admin), text, sim.user(sim.app).id)
    assert row["IsPasswordLocked"] is True
