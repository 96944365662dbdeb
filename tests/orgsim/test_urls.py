"""Addresses that lead nowhere, and methods that a resource does not have."""

import pytest


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "NOT_FOUND"),
        ("POST", "/anything/else", 404, "NOT_FOUND"),
        ("GET", "/services/Soap/u/64.0", 404, "NOT_FOUND"),
        ("POST", "/services/Soap/x/64.0", 404, "NOT_FOUND"),
        ("POST", "/services/Soap/u/latest", 404, "NOT_FOUND"),
        ("PATCH", "/services/data/v68.0/sobjects/User/x", 405, "METHOD_NOT_ALLOWED"),
        ("PUT", "/services/data/v68.0/query", 405, "METHOD_NOT_ALLOWED"),
    ],
)
def test_other_addresses_are_answered_in_the_vendors_form(sim, method, path, status, code):
    answer = sim.vendor.open(path, method=method)
    assert (answer.status_code, answer.get_json()[0]["errorCode"]) == (status, code)


def test_every_request_is_in_the_log_with_its_operation(sim):
    session = sim.session(sim.admin)
    sim.log_in(sim.app)
    sim.rest("DELETE", f"/v68.0/sobjects/User/{sim.user(sim.app).id}/password", session)
    sim.rest("GET", "/v68.0/query?q=SELECT+Id+FROM+User", session)
    sim.vendor.post("/services/oauth2/token", data={"grant_type": "password"})
    rows = sim.control("GET", "/requests")
    assert [(row["channel"], row["operation"], row["username"]) for row in rows] == [
        ("soap", "login", sim.app),
        ("rest", "resetPassword", sim.app),
        ("rest", "query", sim.admin),
        ("oauth", "token", ""),
    ]
    assert [row["source"] for row in rows] == ["127.0.0.1"] * 4


def test_a_body_that_is_far_too_large_is_not_read(sim):
    assert sim.vendor.post("/services/Soap/u/64.0", data=b" " * 3_000_000).status_code == 413
