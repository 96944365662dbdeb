"""The control port: the org, the clock, the knobs, the requests, the reset."""

import pytest


def test_the_org_is_shown_and_changed_in_either_spelling(sim):
    changed = sim.control("PATCH", "/org", {"retireMode": "pre-W26", "password_policy": {"maxLoginAttempts": 5}})
    assert changed["retire_mode"] == "pre-W26"
    assert changed["password_policy"]["max_login_attempts"] == 5
    assert changed["password_policy"]["password_history"] == 3
    assert sim.control("GET", "/org") == changed
    assert changed["now"] == "2026-11-21T20:00:00.000+0000"


def test_the_clock_is_moved(sim):
    assert sim.control("POST", "/clock", {"advance_seconds": 3600})["now"] == "2026-11-21T21:00:00.000+0000"


def test_knobs_are_shown_turned_and_turned_off(sim):
    assert sim.control("PATCH", "/misbehave", {"silent": 5})["silent"]["seconds"] == 5
    assert sim.control("GET", "/misbehave")["silent"]["on"] is True
    assert sim.control("DELETE", "/misbehave")["silent"]["on"] is False


def test_requests_are_listed_from_a_number_on_without_a_secret(sim):
    sim.log_in(sim.app)
    sim.log_in(sim.app, "a-wrong-secret")
    rows = sim.control("GET", "/requests")
    assert [row["outcome"] for row in rows] == ["success", "INVALID_LOGIN"]
    assert sim.control("GET", "/requests?since=1") == rows[1:]
    assert "secret" not in str(rows)


def test_a_reset_brings_back_the_start(sim):
    sim.control("PATCH", "/misbehave", {"latency_seconds": 0})
    sim.control("PATCH", "/org", {"name": "Other"})
    sim.control("POST", "/users", {"username": "new@crm.example", "password": "Some-pass-1"}, status=201)
    sim.control("POST", "/clock", {"advance_seconds": 60})
    sim.control("POST", f"/users/{sim.app}/reset-security-token")
    sim.log_in(sim.app)
    assert sim.control("POST", "/reset") == {"users": 2}
    assert sim.control("GET", "/org")["name"] == "Orgsim"
    assert sim.control("GET", "/org")["now"] == "2026-11-21T20:00:00.000+0000"
    assert sim.control("GET", "/requests") == []
    assert sim.control("GET", "/misbehave")["latency_seconds"]["on"] is False
    assert sim.user(sim.app).security_token == "T" * 24
    assert sim.control("GET", f"/users/{sim.app}")["logins"] == 0


@pytest.mark.parametrize(
    ("request_line", "document", "status", "part"),
    [
        ("GET /nowhere", None, 404, "GET /nowhere"),
        ("PUT /org", {}, 405, "Not Allowed"),
        ("PATCH /org", [], 400, "must be an object"),
        ("PATCH /org", {"retire_mode": "someday"}, 400, "pre-W26"),
        ("POST /clock", {}, 400, "advance_seconds"),
        ("POST /clock", {"advance_seconds": True}, 400, "advance_seconds"),
        ("GET /requests?since=x", None, 400, "since"),
        ("PATCH /misbehave", {"silnt": 1}, 400, "did you mean 'silent'?"),
        ("GET /users/nobody", None, 404, "no user nobody"),
    ],
)
def test_what_cannot_be_done_is_answered_with_a_sentence(sim, request_line, document, status, part):
    method, path = request_line.split()
    assert part in sim.control(method, path, document, status=status)["error"]
