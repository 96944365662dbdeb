"""Queries and records, as a client sees them."""

import pytest


def error(answer):
    (only,) = answer.get_json()
    return answer.status_code, only["errorCode"]


def test_a_query_answers_with_records_and_their_attributes(sim):
    records = sim.query(sim.session(sim.app), "SELECT Id, Profile.Name FROM User WHERE Username = ?", sim.app)
    user_id = sim.user(sim.app).id
    assert records == [
        {
            "attributes": {"type": "User", "url": f"/services/data/v68.0/sobjects/User/{user_id}"},
            "Id": user_id,
            "Profile": {"attributes": {"type": "Profile"}, "Name": "Integration User"},
        }
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "MALFORMED_QUERY"),
        ("SELECT Id", "MALFORMED_QUERY"),
        ("SELECT Password FROM User", "INVALID_FIELD"),
        ("SELECT Id FROM Secret", "INVALID_TYPE"),
        ("SELECT Id FROM UserLogin", "INVALID_TYPE"),
    ],
)
def test_a_query_that_cannot_be_run_is_refused(sim, text, code):
    answer = sim.rest("GET", "/v68.0/query", sim.session(sim.app), query_string={"q": text})
    assert error(answer) == (400, code)


def test_a_long_answer_comes_in_pages(simulate):
    users = [{"username": f"u{n}@crm.example", "password": "Some-pass-1"} for n in range(2500)]
    sim = simulate({"users": users})
    session = sim.session("u0@crm.example")
    first = sim.rest("GET", "/v68.0/query", session, query_string={"q": "SELECT Id FROM User"}).get_json()
    assert (first["totalSize"], first["done"], len(first["records"])) == (2500, False, 2000)
    rest = sim.vendor.get(first["nextRecordsUrl"], headers={"Authorization": f"Bearer {session}"}).get_json()
    assert (rest["done"], len(rest["records"])) == (True, 500)
    assert error(sim.rest("GET", "/v68.0/query/01gnone-2000", session)) == (400, "INVALID_QUERY_LOCATOR")


def test_an_object_is_described_and_a_record_read(sim):
    session, user = sim.session(sim.app), sim.user(sim.app)
    described = sim.rest("GET", "/v68.0/sobjects/user/describe", session).get_json()
    assert {"Username", "LastPasswordChangeDate"} <= {field["name"] for field in described["fields"]}
    record = sim.rest("GET", f"/v68.0/sobjects/User/{user.id}?fields=Username,IsActive", session).get_json()
    assert (record["Username"], record["IsActive"]) == (sim.app, True)
    assert sim.rest("GET", f"/v68.0/sobjects/User/{user.id}", session).get_json()["Username"] == sim.app
    assert error(sim.rest("GET", "/v68.0/sobjects/User/005Qk0000000999", session)) == (404, "NOT_FOUND")


def user_login(sim, session):
    text = "SELECT Id, IsFrozen, IsPasswordLocked FROM UserLogin WHERE UserId = ?"
    (row,) = sim.query(session, text, sim.user(sim.app).id)
    return row


def test_an_administrator_unlocks_and_freezes_through_user_login(sim):
    sim.control("PATCH", f"/users/{sim.app}", {"locked": True})
    session = sim.session(sim.admin)
    row = user_login(sim, session)
    assert (row["IsPasswordLocked"], row["IsFrozen"]) == (True, False)
    path = f"/v68.0/sobjects/UserLogin/{row['Id']}"
    answer = sim.rest("PATCH", path, session, json={"IsPasswordLocked": False, "IsFrozen": True})
    assert answer.status_code == 204
    assert (user_login(sim, session)["IsPasswordLocked"], user_login(sim, session)["IsFrozen"]) == (False, True)
    assert sim.control("GET", "/requests")[1]["username"] == sim.app


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"IsPasswordLocked": True}, (400, "INVALID_FIELD_FOR_INSERT_UPDATE")),
        ({"Password": "x"}, (400, "INVALID_FIELD")),
        ({"IsFrozen": "yes"}, (400, "JSON_PARSER_ERROR")),
    ],
)
def test_user_login_can_only_be_unlocked_frozen_and_unfrozen(sim, document, expected):
    session = sim.session(sim.admin)
    path = f"/v68.0/sobjects/UserLogin/{user_login(sim, session)['Id']}"
    assert error(sim.rest("PATCH", path, session, json=document)) == expected


def test_user_login_is_the_administrators(sim):
    row = user_login(sim, sim.session(sim.admin))
    path = f"/v68.0/sobjects/UserLogin/{row['Id']}"
    assert error(sim.rest("PATCH", path, sim.session(sim.app), json={"IsFrozen": True})) == (403, "INSUFFICIENT_ACCESS")
    assert error(sim.rest("PATCH", "/v68.0/sobjects/UserLogin/x", sim.session(sim.admin), json={})) == (
        404,
        "NOT_FOUND",
    )


def test_a_session_is_ended_by_deleting_its_record(sim):
    session, doomed = sim.session(sim.admin), sim.session(sim.app)
    (row,) = sim.query(session, "SELECT Id FROM AuthSession WHERE UsersId = ?", sim.user(sim.app).id)
    path = f"/v68.0/sobjects/AuthSession/{row['Id']}"
    assert sim.rest("DELETE", path, session).status_code == 204
    assert sim.org.session(doomed) is None
    assert error(sim.rest("DELETE", path, session)) == (404, "ENTITY_IS_DELETED")


def test_a_strangers_session_cannot_be_ended(sim):
    (row,) = sim.query(sim.session(sim.admin), "SELECT Id FROM AuthSession WHERE UsersId = ?", sim.user(sim.admin).id)
    answer = sim.rest("DELETE", f"/v68.0/sobjects/AuthSession/{row['Id']}", sim.session(sim.app))
    assert error(answer) == (404, "ENTITY_IS_DELETED")


def test_sessions_are_ended_many_at_once_and_each_is_answered_for(sim):
    session = sim.session(sim.admin)
    doomed = [sim.session(sim.app) for _ in range(3)]
    rows = sim.query(session, "SELECT Id FROM AuthSession WHERE UsersId = ?", sim.user(sim.app).id)
    ids = [row["Id"] for row in rows] + ["005Qk0000000001AAA", "0AkQk0000000999AAA"]
    query = {"ids": ",".join(ids), "allOrNone": "false"}
    answered = sim.rest("DELETE", "/v68.0/composite/sobjects", session, query_string=query).get_json()
    assert [one["success"] for one in answered] == [True, True, True, False, False]
    codes = [one["errors"][0]["statusCode"] for one in answered[3:]]
    assert codes == ["INVALID_CROSS_REFERENCE_KEY", "ENTITY_IS_DELETED"]
    assert not any(map(sim.org.session, doomed))
    assert sim.org.session(session)


def test_more_than_200_ids_are_refused(sim):
    query = {"ids": ",".join(["0AkQk0000000001AAA"] * 201)}
    answer = sim.rest("DELETE", "/v68.0/composite/sobjects", sim.session(sim.admin), query_string=query)
    assert error(answer) == (400, "EXCEEDED_ID_LIMIT")


def test_what_cannot_be_deleted_is_refused(sim):
    answer = sim.rest("DELETE", f"/v68.0/sobjects/User/{sim.user(sim.app).id}", sim.session(sim.admin))
    assert error(answer) == (405, "METHOD_NOT_ALLOWED")


def test_the_tooling_api_has_objects_of_its_own(sim):
    session = sim.session(sim.admin)
    query = {"q": "SELECT Setting, OrgValue FROM SecurityHealthCheckRisks"}
    assert sim.rest("GET", "/v68.0/tooling/query", session, query_string=query).get_json()["totalSize"] > 5
    assert error(sim.rest("GET", "/v68.0/query", session, query_string=query)) == (400, "INVALID_TYPE")
