"""Where the knobs bite, seen by a client on a real connection."""

import json
import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
import requests

from salesforce_orgsim.serve import start

APP = "app@crm.example"
ADMIN = "admin@crm.example"
USERS = [
    {"username": APP, "password": "First-pass-1", "security_token": "T" * 24, "ever_reset_token_manually": True},
    {"username": ADMIN, "password": "Admin-pass-1", "manage_users": True},
]
PATIENCE = 10


@pytest.fixture(scope="module")
def server():
    with start({"users": USERS}) as running:
        yield running


@pytest.fixture
def running(server):
    yield server
    requests.post(f"{server.control_url}/reset", timeout=PATIENCE).raise_for_status()


def turn(running, **knobs):
    requests.patch(f"{running.control_url}/misbehave", json=knobs, timeout=PATIENCE).raise_for_status()


def log(running):
    return requests.request("GET", f"{running.control_url}/requests", timeout=PATIENCE).json()


def ask(running, method, path, *, timeout=PATIENCE, **how):
    headers = {"Authorization": f"Bearer {running.org.open_session(running.org.user(ADMIN)).id}"}
    return requests.request(method, f"{running.url}/services/data{path}", headers=headers, timeout=timeout, **how)


def set_password(running, **how):
    path = f"/v68.0/sobjects/User/{running.org.user(APP).id}/password"
    return ask(running, "POST", path, json={"NewPassword": "Second-pass-2"}, **how)


def changed(running):
    return running.org.user(APP).password == "Second-pass-2"


def test_a_change_is_applied_and_never_answered(running, eventually):
    turn(running, change_and_never_answer={"times": 1})
    with pytest.raises(requests.Timeout):
        set_password(running, timeout=0.2)
    eventually(lambda: (log(running)[0]["outcome"], log(running)[0]["applied"]) == ("no_answer", True))
    assert changed(running)


def test_a_change_that_is_never_answered_ends_in_a_broken_connection(running):
    turn(running, change_and_never_answer={"seconds": 0.05})
    with pytest.raises(requests.ConnectionError):
        set_password(running)
    assert changed(running)


@pytest.mark.parametrize("then", ["close", "hold"])
def test_a_late_change_leaves_the_client_without_an_answer(running, then):
    turn(running, change_late_seconds={"seconds": 600, "then": then})
    with pytest.raises((requests.ConnectionError, requests.Timeout)):
        set_password(running, timeout=0.2)
    assert not changed(running)


def test_a_late_change_is_applied_after_the_client_has_gone(running, eventually):
    turn(running, change_late_seconds={"seconds": 0.1})
    with pytest.raises(requests.ConnectionError):
        set_password(running)
    eventually(lambda: log(running)[0]["note"] == "applied late")
    assert log(running)[0]["applied"] is True
    assert changed(running)


def test_a_late_change_that_is_no_longer_allowed_is_not_applied(running, eventually):
    turn(running, change_late_seconds={"seconds": 0.5})
    with pytest.raises(requests.ConnectionError):
        set_password(running)
    running.org.change_settings({"password_policy": {"minimum_password_length": 50}})
    eventually(lambda: log(running)[0]["note"] == "late, and refused: INVALID_NEW_PASSWORD")
    assert not changed(running)


def test_a_change_is_applied_and_answered_with_500(running):
    turn(running, change_then_500={"times": 1})
    answer = set_password(running)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (500, "UNKNOWN_EXCEPTION")
    assert changed(running)
    assert log(running)[0]["applied"] is True


def test_a_request_is_refused_before_anything_is_applied(running):
    turn(running, refuse_before={"operation": "setPassword", "code": "REQUEST_LIMIT_EXCEEDED"})
    answer = set_password(running)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
    assert not changed(running)
    assert ask(running, "GET", "/v68.0/").status_code == 200


def test_a_silent_server_applies_nothing_and_never_answers(running):
    turn(running, silent=True)
    with pytest.raises(requests.Timeout):
        set_password(running, timeout=0.2)
    assert not changed(running)


@pytest.mark.parametrize(("when", "applied"), [("before", False), ("after", True)])
def test_a_connection_is_broken_before_or_after_the_change(running, when, applied):
    turn(running, close_connection={"when": when, "times": 1})
    with pytest.raises(requests.ConnectionError):
        set_password(running)
    assert changed(running) is applied
    assert log(running)[0]["outcome"] == "no_answer"


def test_a_503_is_a_page_of_html(running):
    turn(running, html_503={"times": 1})
    answer = set_password(running)
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert "<html>" in answer.text
    assert not changed(running)


def test_maintenance_is_the_same_for_every_request(running):
    requests.patch(f"{running.control_url}/org", json={"maintenance": True}, timeout=PATIENCE).raise_for_status()
    assert ask(running, "GET", "/").status_code == 503
    assert log(running)[0]["outcome"] == "SERVER_UNAVAILABLE"


def test_latency_comes_before_the_answer(running):
    turn(running, latency_seconds={"seconds": 0.2, "times": 1})
    with pytest.raises(requests.Timeout):
        ask(running, "GET", "/", timeout=0.05)
    assert ask(running, "GET", "/").status_code == 200


def test_a_refused_change_is_noted_as_not_applied(running):
    turn(running, change_and_never_answer=True)
    path = f"/v68.0/sobjects/User/{running.org.user(APP).id}/password"
    assert ask(running, "POST", path, json={"NewPassword": "short"}).status_code == 400
    assert log(running)[0]["applied"] is False


@pytest.fixture
def listener(running):
    """Somebody whom the simulator asks, and who looks at the org at that very moment."""
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            facts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.append((self.path, facts, changed(running)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    server.heard = heard
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_hooks_are_called_just_before_and_just_after_the_change(running, listener):
    address = f"http://127.0.0.1:{listener.server_port}"
    turn(running, hook_url=f"{address}/before?x=1", hook_after_url=address)
    assert ask(running, "GET", "/v68.0/").status_code == 200
    assert set_password(running).status_code == 204
    facts = {"operation": "setPassword", "username": APP, "n": log(running)[-1]["n"]}
    assert listener.heard == [("/before?x=1", facts, False), ("/", facts, True)]


def test_a_hook_that_nobody_answers_does_not_stop_the_change(running):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    turn(running, hook_url=f"http://127.0.0.1:{port}/")
    assert set_password(running).status_code == 204
    assert log(running)[0]["note"] == "hook_url: ConnectionRefusedError"


@pytest.mark.parametrize(
    ("switch", "code"),
    [("org_locked", "ORG_LOCKED"), ("trial_expired", "TRIAL_EXPIRED"), ("moved", "ORG_NOT_OWNED_BY_INSTANCE")],
)
def test_an_org_that_is_closed_answers_logins_and_calls_alike(sim, switch, code):
    session = sim.session(sim.app)
    sim.control("PATCH", "/org", {switch: True})
    assert sim.log_in(sim.app).code == code
    assert sim.rest("GET", "/v68.0/limits", session).get_json()[0]["errorCode"] == code
    assert sim.soap("getUserInfo", session).code == code
    assert sim.vendor.get("/services/data").status_code == 200
    assert sim.user(sim.app).counters.logins == 0


def test_requests_that_last_long_keep_others_out(running, eventually):
    requests.patch(
        f"{running.control_url}/org", json={"concurrent_limit": 1, "concurrent_limit_after": 0.05}, timeout=PATIENCE
    ).raise_for_status()
    turn(running, latency_seconds={"seconds": 1, "operation": "limits"})
    thread = Thread(target=ask, args=(running, "GET", "/v68.0/limits"))
    thread.start()
    query = {"q": "SELECT Id FROM Organization"}

    def refused():
        answer = ask(running, "GET", "/v68.0/query", params=query)
        return answer.status_code == 403 and answer.json()[0]

    eventually(refused)
    assert refused()["message"] == "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
    thread.join(PATIENCE)
    assert ask(running, "GET", "/v68.0/query", params=query).status_code == 200
