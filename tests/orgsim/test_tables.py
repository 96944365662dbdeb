"""Queries over the objects, and who may see what."""


def names(records):
    return [record["Username"] for record in records]


def test_ids_compare_on_15_characters_and_texts_without_case(sim):
    session, user = sim.session(sim.app), sim.user(sim.app)
    assert names(sim.query(session, "SELECT Username FROM User WHERE Id = ?", user.id[:15])) == [sim.app]
    assert names(sim.query(session, "SELECT Username FROM User WHERE Username = ?", sim.app.upper())) == [sim.app]
    in_list = "SELECT Username FROM User WHERE Id IN (?, ?) ORDER BY Username"
    assert names(sim.query(session, in_list, user.id, sim.user(sim.admin).id)) == [sim.admin, sim.app]


def test_rows_are_ordered_and_limited(sim):
    session = sim.session(sim.app)
    assert names(sim.query(session, "SELECT Username FROM User ORDER BY Username DESC")) == [sim.app, sim.admin]
    assert names(sim.query(session, "SELECT Username FROM User ORDER BY LastLoginDate LIMIT 1")) == [sim.app]
    sim.log_in(sim.app)
    assert names(sim.query(session, "SELECT Username FROM User ORDER BY LastLoginDate LIMIT 1")) == [sim.admin]


def test_the_record_of_the_last_change_moves_by_whole_seconds(sim):
    session = sim.session(sim.admin)
    text = "SELECT LastPasswordChangeDate FROM User WHERE Username = ?"
    assert sim.query(session, text, sim.app)[0]["LastPasswordChangeDate"] == "2026-11-21T20:00:00.000+0000"
    sim.advance(61.7)
    sim.soap("setPassword", session, userId=sim.user(sim.app).id, password="Second-pass-2")
    assert sim.query(session, text, sim.app)[0]["LastPasswordChangeDate"] == "2026-11-21T20:01:01.000+0000"
    later = text + " AND LastPasswordChangeDate > 2026-11-21T20:00:00Z"
    assert len(sim.query(session, later, sim.app)) == 1
    assert len(sim.query(session, later.replace("20:00:00Z", "20:01:01Z"), sim.app)) == 0
    assert len(sim.query(session, later.replace(">", "<=").replace("20:00:00Z", "20:01:01Z"), sim.app)) == 1


def test_failed_logins_are_counted_in_the_user(sim):
    sim.log_in(sim.app, "wrong")
    text = "SELECT NumberOfFailedLogins, PasswordExpirationDate FROM User WHERE Username = ?"
    (record,) = sim.query(sim.session(sim.app), text, sim.app)
    assert record["NumberOfFailedLogins"] == 1
    assert record["PasswordExpirationDate"] == "2027-02-19T20:00:00.000+0000"


def test_the_login_history_shows_ones_own_rows_or_with_the_permission_all(sim):
    sim.log_in(sim.app, "wrong")
    sim.log_in(sim.admin)
    text = "SELECT Status, SourceIp, ApiType, ApiVersion, LoginType FROM LoginHistory ORDER BY LoginTime"
    (own,) = sim.query(sim.session(sim.app), text)
    del own["attributes"]
    assert own == {
        "Status": "Invalid Password",
        "SourceIp": "127.0.0.1",
        "ApiType": "SOAP Partner",
        "ApiVersion": "64.0",
        "LoginType": "Other Apex API",
    }
    every = sim.query(sim.session(sim.admin), text)
    assert [row["Status"] for row in every] == ["Invalid Password", "Success"]


def test_rows_of_the_login_history_can_be_late(simulate):
    sim = simulate({"org": {"login_history_delay": 30}})
    sim.log_in(sim.app)
    session = sim.session(sim.app)
    assert sim.query(session, "SELECT Id FROM LoginHistory") == []
    sim.advance(30)
    assert len(sim.query(session, "SELECT Id FROM LoginHistory")) == 1


def test_a_value_that_cannot_be_compared_is_refused(sim):
    text = "SELECT Id FROM User WHERE LastPasswordChangeDate > 5"
    answer = sim.rest("GET", "/v68.0/query", sim.session(sim.app), query_string={"q": text})
    assert answer.get_json()[0]["errorCode"] == "INVALID_FIELD"


def test_a_column_that_is_absent_is_named(sim):
    answer = sim.rest("GET", "/v68.0/query", sim.session(sim.app), query_string={"q": "SELECT Nothing FROM User"})
    assert answer.get_json()[0]["message"] == "No such column 'Nothing' on entity 'User'."
    text = "SELECT PermissionSet.Nothing FROM PermissionSetAssignment"
    answer = sim.rest("GET", "/v68.0/query", sim.session(sim.app), query_string={"q": text})
    assert answer.get_json()[0]["message"] == "No such column 'Nothing' on entity 'PermissionSet'."


def test_an_org_may_lack_a_column_and_describe_says_so(simulate):
    sim = simulate({"org": {"absent_columns": ["User.NumberOfFailedLogins"]}})
    session = sim.session(sim.app)
    described = sim.rest("GET", "/v68.0/sobjects/User/describe", session).get_json()
    names = {field["name"] for field in described["fields"]}
    assert "LastPasswordChangeDate" in names
    assert "NumberOfFailedLogins" not in names
    answer = sim.rest("GET", "/v68.0/query", session, query_string={"q": "SELECT NumberOfFailedLogins FROM User"})
    assert answer.get_json()[0]["errorCode"] == "INVALID_FIELD"


def test_describe_says_what_can_be_written_and_deleted(sim):
    session = sim.session(sim.admin)
    described = sim.rest("GET", "/v68.0/sobjects/UserLogin/describe", session).get_json()
    assert {field["name"] for field in described["fields"] if field["updateable"]} == {"IsFrozen", "IsPasswordLocked"}
    assert described["deletable"] is False
    assert sim.rest("GET", "/v68.0/sobjects/AuthSession/describe", session).get_json()["deletable"] is True
