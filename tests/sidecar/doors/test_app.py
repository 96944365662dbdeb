"""The web application: signed requests in, answers in Vault's shape out."""

import json
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import structlog

from vault_plugin_sdk.logical.errors import OperatorError, TransientError
from vault_plugin_sdk.logical.response import Response
from vault_salesforce_sidecar.clock import SystemClock
from vault_salesforce_sidecar.doors.app import MAX_BODY_BYTES, create_app
from vault_salesforce_sidecar.metrics import Metrics
from vault_salesforce_sidecar.store import Conflict, KvUnavailable


@dataclass(frozen=True)
class View:
    """A rotation, as it is watched."""

    warnings: tuple[str, ...] = ()
    refusal: None = None

    def to_response(self):
        return Response(data={"state": "settled"}, warnings=self.warnings)


class Rotations:
    """Answers as it is told."""

    def __init__(self):
        self.fault = None
        self.warnings = ()
        self.asked = []

    def rotate(self, role, caller, **_):
        self.asked.append((role, caller.display_name))
        if self.fault:
            raise self.fault
        return View(self.warnings)

    def unlock(self, role, caller, username):
        self.asked.append((role, caller.display_name))

    def statuses(self):
        return {}


class FakeEngine:
    """The parts of an engine that the doors ask for."""

    def __init__(self, registrar):
        self.registrar = registrar
        self.settings = SimpleNamespace(instance="one")
        self.clock = SystemClock()
        self.metrics = Metrics()
        self.rotations = Rotations()
        self.connections = self.roles = SimpleNamespace(get=lambda _: None)
        self.reasons = ()

    def require_up(self):
        if self.reasons:
            raise TransientError("not up", retry_after_seconds=5)

    def unready(self):
        return self.reasons

    @contextmanager
    def waiting(self, seconds, caller, role):
        yield seconds

    @contextmanager
    def place(self, caller, about):
        yield


@pytest.fixture
def engine(registrar):
    made = FakeEngine(registrar)
    made.metrics.watch(in_hand=lambda: 2, ready=lambda: not made.reasons)
    return made


@pytest.fixture
def client(engine):
    return create_app(engine).test_client()


@pytest.fixture
def ask(client, plugin):
    """Send a signed request; its status and JSON."""

    def send(operation, path, body=None, **signed):
        method, _, header, content = plugin.signed(operation, path, body, **signed)
        answer = client.open(f"/v1/{path}", method=method, data=content, headers={"Authorization": header})
        return answer.status_code, json.loads(answer.data) if answer.data else None

    return send


def test_a_signed_request_is_answered_with_data(ask, engine):
    assert ask("update", "rotate/crm", {}) == (200, {"data": {"state": "settled"}})
    assert engine.rotations.asked == [("crm", "userpass-ann")]


def test_warnings_come_beside_the_data(ask, engine):
    engine.rotations.warnings = ("it goes on",)
    assert ask("update", "rotate/crm")[1]["warnings"] == ["it goes on"]


def test_a_write_with_nothing_to_say_has_no_content(ask):
    assert ask("update", "unlock/crm") == (204, None)


@pytest.mark.parametrize(("operation", "path"), [("read", "static-roles/crm"), ("list", "status/"), ("list", "status")])
def test_what_is_not_there_is_not_found(ask, operation, path):
    assert ask(operation, path) == (404, {"errors": []})


def test_the_same_request_twice_is_one_job(ask, engine):
    answers = [ask("update", "rotate/crm", {}, request_id="same") for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(engine.rotations.asked) == 1


def test_one_id_for_two_requests_is_refused(ask, engine):
    ask("update", "rotate/crm", {}, request_id="same")
    status, body = ask("update", "rotate/crm", {"force": True}, request_id="same")
    assert (status, body["code"]) == (409, "replayed")


def test_without_a_signature_nothing_is_done(client, engine):
    answer = client.post("/v1/rotate/crm", data=b"{}")
    assert (answer.status_code, answer.json["code"]) == (401, "not_signed")
    assert engine.rotations.asked == []


def test_a_sidecar_that_is_not_up_promises_that_nothing_was_done(ask, engine):
    engine.reasons = ("starting",)
    assert ask("update", "rotate/crm")[0] == 503
    assert engine.rotations.asked == []


@pytest.mark.parametrize(
    ("fault", "status", "expected"),
    [
        (
            OperatorError("the org says no", code="INVALID_LOGIN", remedy="reset it"),
            424,
            {"errors": ["the org says no"], "code": "INVALID_LOGIN", "remedy": "reset it"},
        ),
        (TransientError("wait", status=429, retry_after_seconds=9), 429, {"retry_after_seconds": 9}),
        (KvUnavailable("Vault is sealed", "unseal it"), 503, {"remedy": "unseal it", "code": "vault_unavailable"}),
        (KvUnavailable("Vault is slow"), 503, {"errors": ["Vault is slow"], "retry_after_seconds": 5}),
        (Conflict("journal/x"), 409, {"code": "conflict"}),
    ],
)
def test_an_error_says_what_to_do(ask, engine, fault, status, expected):
    engine.rotations.fault = fault
    answered, body = ask("update", "rotate/crm")
    assert answered == status
    assert expected.items() <= body.items()


def test_an_unexpected_error_gives_nothing_but_its_log_entry(ask, engine):
    engine.rotations.fault = RuntimeError("details that stay inside")
    with structlog.testing.capture_logs() as logged:
        status, body = ask("update", "rotate/crm")
    (entry,) = (line for line in logged if line["event"] == "unexpected")
    assert status == 500
    assert body == {"errors": [f"internal error {entry['error_id']}: the sidecar's log says more"]}


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (("update", "no/such/path", {}), 404),
        (("read", "rotate/crm"), 405),
        (("update", "rotate/cr m", {}), 400),
        (("update", "rotate/", {}), 400),
        (("update", "rotate/crm", {"wait": "long", "forse": 1}), 400),
        (("update", "rotate//crm", {}), 404),
    ],
)
def test_a_wrong_request_is_the_callers(ask, engine, request_, status):
    answered, document = ask(*request_)
    assert answered == status
    assert document["errors"]
    assert engine.rotations.asked == []


def test_a_misspelt_path_is_told_with_the_nearest_at_the_mount_also_where_the_plugin_answers_that_one(ask):
    for asked, nearest in (("rotate-role/crm", "rotate/{role}"), ("static-cred/crm", "static-creds/{role}")):
        _, document = ask("update", asked, {})
        assert document["errors"] == [f"there is no path {asked!r} at this mount; did you mean {nearest!r}?"]


def test_every_request_is_logged_with_who_asked_and_without_its_body(ask):
    with structlog.testing.capture_logs() as logged:
        ask("update", "resync/crm", {"password": "hunter2", "wait": "x"})
    (line,) = logged
    assert (line["path"], line["status"], line["display_name"]) == ("resync/crm", 400, "userpass-ann")
    assert "hunter2" not in repr(logged)


def test_a_body_over_a_mebibyte_is_refused(client):
    answer = client.post("/v1/rotate/crm", data=b"x" * (MAX_BODY_BYTES + 1), headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer.json) == (413, {"errors": ["request entity too large"]})


def test_an_unknown_address_is_not_found(client):
    assert client.get("/nowhere").status_code == 404


def test_the_table_of_methods_is_closed(client):
    assert client.open("/v1/rotate/crm", method="PUT").status_code == 405
    assert client.open("/v1/rotate/crm", method="OPTIONS").status_code == 405
