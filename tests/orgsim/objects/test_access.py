"""LoginHistory, AuthSession, OauthToken and LoginIp."""

import pytest

HISTORY = "SELECT Status, LoginType, Application, ApiType FROM LoginHistory"


def plain(records):
    return [{name: value for name, value in record.items() if name != "attributes"} for record in records]


@pytest.mark.parametrize("permission", ["manage_users", "monitor_login_history"])
def test_everybodys_logins_are_seen_with_a_permission(sim, permission):
    sim.log_in(sim.app, "wrong")
    sim.control("PATCH", f"/users/{sim.admin}", {"manage_users": False})
    session = sim.session(sim.admin)
    assert sim.query(session, HISTORY) == []
    sim.control("PATCH", f"/users/{sim.admin}", {permission: True})
    assert len(sim.query(session, HISTORY)) == 1


def test_the_reset_permission_shows_nobody_elses_logins(sim):
    sim.log_in(sim.admin)
    sim.control("PATCH", f"/users/{sim.app}", {"reset_passwords": True})
    assert sim.query(sim.session(sim.app), HISTORY) == []


def test_logins_are_found_by_user_and_time_newest_first(sim):
    for secret in ("wrong", "wrong again"):
        sim.log_in(sim.app, secret)
        sim.advance(60)
    sim.log_in(sim.app)
    text = (
        "SELECT LoginTime, Status FROM LoginHistory WHERE UserId = ? AND LoginTime >= 2026-11-21T20:01:00Z "
        "ORDER BY LoginTime DESC LIMIT 200"
    )
    rows = sim.query(sim.session(sim.app), text, sim.user(sim.app).id)
    assert [row["Status"] for row in rows] == ["Success", "Invalid Password"]


def test_every_column_of_a_login_can_be_asked_for(sim):
    sim.log_in(sim.app, header="<m:CallOptions><m:client>Rotator/1</m:client></m:CallOptions>")
    session = sim.session(sim.app)
    described = sim.rest("GET", "/v68.0/sobjects/LoginHistory/describe", session).get_json()
    names = [field["name"] for field in described["fields"]]
    assert {"TlsProtocol", "CountryIso", "ClientVersion", "LoginUrl", "SourceIp"} <= set(names)
    (row,) = sim.query(session, f"SELECT {', '.join(names)} FROM LoginHistory")  # noqa: S608 - names
    assert (row["Application"], row["ApiType"], row["ApiVersion"]) == ("Rotator/1", "SOAP Partner", "64.0")


def test_sessions_show_how_they_came_about(oauth):
    oauth.log_in(oauth.app)
    oauth.by_assertion(oauth.app)
    text = (
        "SELECT SessionType, LoginType, SourceIp, NumSecondsValid, LoginHistoryId FROM AuthSession ORDER BY CreatedDate"
    )
    soap, granted = plain(oauth.query(oauth.session(oauth.admin), text))[:2]
    assert (soap["SessionType"], soap["LoginType"]) == ("API", "Other Apex API")
    assert (granted["SessionType"], granted["LoginType"]) == ("Oauth2", "Remote Access 2.0")
    assert soap["SourceIp"] == "127.0.0.1"
    assert soap["LoginHistoryId"].startswith("0Ya")


def test_ones_own_sessions_are_seen_and_the_present_one_is_marked(sim):
    other, session = sim.session(sim.app), sim.session(sim.app)
    sim.session(sim.admin)
    rows = sim.query(session, "SELECT IsCurrent, UsersId FROM AuthSession ORDER BY CreatedDate")
    assert [row["IsCurrent"] for row in rows] == [False, True]
    assert {row["UsersId"] for row in rows} == {sim.user(sim.app).id}
    (row,) = sim.query(session, "SELECT Id FROM AuthSession WHERE IsCurrent = false")
    sim.rest("DELETE", f"/v68.0/sobjects/AuthSession/{row['Id']}", session)
    assert sim.org.session(other) is None
    assert sim.org.session(session)


def test_the_reset_permission_shows_nobody_elses_sessions(sim):
    sim.session(sim.admin)
    sim.control("PATCH", f"/users/{sim.app}", {"reset_passwords": True})
    assert len(sim.query(sim.session(sim.app), "SELECT Id FROM AuthSession")) == 1
    assert len(sim.query(sim.session(sim.admin), "SELECT Id FROM AuthSession")) == 3


def test_a_grant_is_listed_with_what_ends_it(oauth):
    token = oauth.by_assertion(oauth.app).get_json()["access_token"]
    text = "SELECT AppName, UserId, UseCount, DeleteToken FROM OauthToken"
    (row,) = oauth.query(oauth.session(oauth.admin), text)
    assert (row["AppName"], row["UserId"], row["UseCount"]) == ("Rotator", oauth.user(oauth.app).id, 0)
    assert oauth.post("revoke", token=row["DeleteToken"]).status_code == 200
    assert oauth.org.session(token) is None


def test_a_confirmed_address_is_listed_and_its_deletion_asks_again(simulate):
    sim = simulate({"org": {"device_activation": True}})
    assert sim.log_in(sim.app).code == "LOGIN_CHALLENGE_ISSUED"
    sim.control("POST", f"/users/{sim.app}/confirm-device", {"source": "127.0.0.1"})
    assert sim.log_in(sim.app).status == 200
    session = sim.session(sim.app)
    (row,) = sim.query(session, "SELECT Id, SourceIp, IsAuthenticated, ChallengeMethod FROM LoginIp")
    assert (row["SourceIp"], row["IsAuthenticated"], row["ChallengeMethod"]) == ("127.0.0.1", True, "Email")
    assert sim.rest("DELETE", f"/v68.0/sobjects/LoginIp/{row['Id']}", session).status_code == 204
    assert sim.log_in(sim.app).code == "LOGIN_CHALLENGE_ISSUED"
