"""The REST resources, as a client sees them."""

import pytest


def password_path(sim, username, version="68.0"):
    return f"/v{version}/sobjects/User/{sim.user(username).id}/password"


def error(answer):
    (only,) = answer.get_json()
    return answer.status_code, only["errorCode"]


def test_the_versions_are_listed_without_a_session(sim):
    listed = sim.rest("GET", "/").get_json()
    assert listed[0]["version"] == "31.0"
    assert listed[-1] == {"label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0"}
    assert {"Winter '25", "Spring '25", "Summer '25"} == {
        row["label"] for row in listed if row["version"] in {"62.0", "63.0", "64.0"}
    }


def test_a_versions_resources_take_a_session_and_tell_the_limit(sim):
    assert error(sim.rest("GET", "/v68.0/")) == (401, "INVALID_SESSION_ID")
    answer = sim.rest("GET", "/v68.0", sim.session(sim.app))
    assert answer.get_json()["query"] == "/services/data/v68.0/query"
    assert answer.headers["Sforce-Limit-Info"] == "api-usage=1/100000"


def test_both_words_of_the_authorization_header_are_taken(sim):
    for word in ("Bearer", "OAuth"):
        headers = {"Authorization": f"{word} {sim.session(sim.app)}"}
        assert sim.vendor.get("/services/data/v68.0/", headers=headers).status_code == 200


@pytest.mark.parametrize(("version", "status"), [("30.0", 410), ("69.0", 410), ("68", 404), ("x.0", 404)])
def test_versions_that_are_not_served_are_refused(sim, version, status):
    assert sim.rest("GET", f"/v{version}/", sim.session(sim.app)).status_code == status


def test_an_administrator_reads_sets_and_resets_a_password(sim):
    session, path = sim.session(sim.admin), password_path(sim, sim.app)
    assert sim.rest("GET", path, session).get_json() == {"isExpired": False}
    assert sim.rest("HEAD", path, session).status_code == 200
    answer = sim.rest("POST", path, session, json={"NewPassword": "Second-pass-2"})
    assert (answer.status_code, answer.data) == (204, b"")
    assert sim.user(sim.app).password == "Second-pass-2"
    answer = sim.rest("DELETE", path, session)
    assert answer.get_json() == {"NewPassword": sim.user(sim.app).password}
    assert sim.rest("GET", path, session).get_json() == {"isExpired": True}
    assert [mail["kind"] for mail in sim.control("GET", f"/mailbox/{sim.app}")] == ["security_token", "password_reset"]


def test_a_weak_password_is_refused_in_an_array_of_errors(sim):
    answer = sim.rest("POST", password_path(sim, sim.app), sim.session(sim.admin), json={"NewPassword": "abcdefgh"})
    assert answer.status_code == 400
    assert answer.get_json() == [
        {"message": "Your password must have a mix of letters and numbers.", "errorCode": "INVALID_NEW_PASSWORD"}
    ]


def test_ones_own_password_resource_is_hidden(sim):
    answer = sim.rest(
        "POST", password_path(sim, sim.admin), sim.session(sim.admin), json={"NewPassword": "Second-pass-2"}
    )
    assert error(answer) == (404, "NOT_FOUND")
    sim.control("PATCH", "/org", {"selfSetPasswordAllowed": True})
    answer = sim.rest(
        "POST", password_path(sim, sim.admin), sim.session(sim.admin), json={"NewPassword": "Second-pass-2"}
    )
    assert answer.status_code == 204


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_without_the_permission_another_password_is_out_of_reach(sim, method):
    answer = sim.rest(
        method, password_path(sim, sim.admin), sim.session(sim.app), json={"NewPassword": "Second-pass-2"}
    )
    assert error(answer) == (403, "INSUFFICIENT_ACCESS")


def test_an_unknown_user_is_not_found(sim):
    for user_id in ("x", "005Qk0000000999"):
        answer = sim.rest("DELETE", f"/v68.0/sobjects/User/{user_id}/password", sim.session(sim.admin))
        assert error(answer) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"data": "NewPassword=x"}, (415, "UNSUPPORTED_MEDIA_TYPE")),
        ({"data": "{", "content_type": "application/json"}, (400, "JSON_PARSER_ERROR")),
        ({"json": ["x"]}, (400, "JSON_PARSER_ERROR")),
        ({"json": {"newPassword": "Second-pass-2"}}, (400, "JSON_PARSER_ERROR")),
    ],
)
def test_a_body_that_cannot_be_used_is_refused(sim, how, expected):
    assert error(sim.rest("POST", password_path(sim, sim.app), sim.session(sim.admin), **how)) == expected


def test_an_expired_password_is_answered_401_and_can_be_set(sim):
    sim.control("PATCH", f"/users/{sim.app}", {"expired": True})
    session = sim.session(sim.app)
    answer = sim.rest("GET", "/v68.0/query", session, query_string={"q": "SELECT Id FROM User"})
    assert error(answer) == (401, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD")
    answer = sim.rest("POST", password_path(sim, sim.app), session, json={"NewPassword": "Second-pass-2"})
    assert answer.status_code == 204


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
