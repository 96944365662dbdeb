"""The password resource, as a client sees it."""

import pytest


def password_path(sim, username, version="68.0"):
    return f"/v{version}/sobjects/User/{sim.user(username).id}/password"


def error(answer):
    (only,) = answer.get_json()
    return answer.status_code, only["errorCode"]


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
