"""The doctor asks one thing after the other, and tells what came back."""

import json

import pytest
from click.testing import CliRunner

from vault_salesforce import conformance, doctor
from vault_salesforce.__main__ import main
from vault_salesforce.dev.rest import Answer

HEALTH = {"initialized": True, "sealed": False, "version": "2.7.2"}
TOKEN = {"ttl": 3600, "expire_time": "2030-01-01T00:00:00Z", "policies": ["operator"]}
SIDECAR = {"version": "0.1.0", "last_heard_seconds": 3, "usable": True, "reachable": True, "reason": ""}
INFO = {"version": "0.1.0", "published": 2, "due_count": 0, "next_step": "", "sidecars": {"one": SIDECAR}}
DNS = {"check": "dns", "result": "ok", "detail": "203.0.113.1", "fix": ""}
LOCKED = {"check": "lock_state", "result": "failed", "detail": "locked", "fix": "unlock/crm"}


class Server:
    """Answers by path; what it has no answer for is not there."""

    url = "https://vault.example.com"

    def __init__(self, **changes):
        self.asked = []
        self.answers = {
            "v1/sys/health?standbyok=true&perfstandbyok=true": (200, HEALTH),
            "v1/auth/token/lookup-self": (200, {"data": TOKEN}),
            "v1/sf/info": (200, {"data": INFO}),
            "v1/sf/config": (200, {"data": {"keys": ["prod"]}}),
            "v1/sf/static-roles": (200, {"data": {"keys": ["crm", "erp"]}}),
            "v1/sf/preflight-config/prod": (200, {"data": {"checks": [DNS]}}),
            "v1/sf/preflight/crm": (200, {"data": {"checks": [LOCKED, DNS]}}),
            "v1/sf/preflight/erp": (200, {"data": {"checks": [DNS]}}),
        } | changes

    def send(self, method, path, body=None):
        self.asked.append((method, path))
        answer = self.answers.get(path, (404, {"errors": [f"nothing at {path}"]}))
        if isinstance(answer, Exception):
            raise answer
        return Answer(*answer)


def examine(server, *roles):
    return [(one.about, one.check, one.result) for one in doctor.examine(server, "sf", roles)]


def test_it_looks_at_the_server_the_mount_the_sidecars_and_each_connection():
    server = Server()
    assert examine(server) == [
        ("vault", "reach", "ok"),
        ("vault", "token", "ok"),
        ("mount", "info", "ok"),
        ("sidecar/one", "heartbeat", "ok"),
        ("config/prod", "dns", "ok"),
    ]
    assert {method for method, _ in server.asked} == {"GET", "LIST"}


def test_roles_are_looked_at_on_request_without_what_their_connection_was_told():
    assert examine(Server(), "crm")[5:] == [("role/crm", "lock_state", "failed")]
    every = Server()
    examine(every, "*")
    assert ("GET", "v1/sf/preflight/erp") in every.asked


@pytest.mark.parametrize(
    ("changes", "last"),
    [
        ({"v1/sys/health?standbyok=true&perfstandbyok=true": ConnectionError("refused")}, ("vault", "reach", "failed")),
        (
            {"v1/sys/health?standbyok=true&perfstandbyok=true": (503, HEALTH | {"sealed": True})},
            ("vault", "seal", "failed"),
        ),
        ({"v1/sf/info": (404, {"errors": ["no handler"]})}, ("mount", "info", "failed")),
        ({"v1/sf/preflight-config/prod": (503, {"errors": ["no sidecar"]})}, ("config/prod", "preflight", "failed")),
    ],
)
def test_where_something_does_not_answer_it_says_so_and_asks_nothing_behind_it(changes, last):
    assert examine(Server(**changes))[-1] == last


@pytest.mark.parametrize("wrong", [{"reason": "it cannot log in to Vault"}, {"usable": False}, {"reachable": False}])
def test_a_sidecar_that_is_not_well_fails(wrong):
    info = INFO | {"sidecars": {"one": SIDECAR | wrong}}
    assert ("sidecar/one", "heartbeat", "failed") in examine(Server(**{"v1/sf/info": (200, {"data": info})}))


def test_without_a_sidecar_it_fails():
    info = {"data": INFO | {"sidecars": {}, "next_step": "start it"}}
    found = examine(Server(**{"v1/sf/info": (200, info)}))
    assert ("mount", "sidecars", "failed") in found
    assert ("mount", "info", "warning") in found


def test_a_token_that_ends_soon_is_a_warning():
    ends = {"data": TOKEN | {"ttl": 60}}
    assert ("vault", "token", "warning") in examine(Server(**{"v1/auth/token/lookup-self": (200, ends)}))


RESTORED = {
    "v1/sf/static-roles": (200, {"data": {"keys": ["crm", "erp", "old", "web"]}}),
    "v1/sf/status/crm": (200, {"data": {"state": "held", "version": 7, "next_step": "vault delete sf/hold"}}),
    "v1/sf/status/erp": (200, {"data": {"state": "stuck", "version": 3, "reason": "behind", "next_step": "mend it"}}),
    "v1/sf/status/old": (200, {"data": {"state": "ok", "version": 2, "next_step": ""}}),
    "v1/sf/status/web": (200, {"data": {"state": "ok", "version": 1, "next_step": ""}}),
    "v1/sf/preflight/crm": (
        200,
        {"data": {"checks": [{"check": "unchanged", "result": "ok", "detail": "still", "fix": ""}]}},
    ),
    "v1/sf/preflight/old": (
        200,
        {"data": {"checks": [{"check": "unchanged", "result": "failed", "detail": "changed", "fix": "say it"}]}},
    ),
    "v1/sf/preflight/web": (
        200,
        {"data": {"checks": [{"check": "unchanged", "result": "not visible", "detail": "needs", "fix": ""}]}},
    ),
    "v1/sf/hold": (200, {"data": {"reason": "restored"}}),
}


def test_after_a_restore_it_says_of_each_role_what_is_true_and_what_mends_it():
    found = list(doctor.after_restore(Server(**RESTORED), "sf"))[4:]
    assert [(one.about, one.check, one.result, one.fix) for one in found] == [
        ("role/crm", "unchanged", "ok", ""),
        ("role/erp", "status", "failed", "mend it"),
        ("role/old", "unchanged", "failed", "say it"),
        ("role/web", "unchanged", "not visible", "vault write sf/resync/web try=current"),
        ("mount", "hold", "warning", "once nothing above fails: vault delete sf/hold"),
    ]
    free = RESTORED | {"v1/sf/hold": (404, {"errors": []})}
    assert list(doctor.after_restore(Server(**free), "sf"))[-1].detail == "nothing is held"


@pytest.mark.parametrize("as_json", [True, False])
def test_the_command_ends_with_one_where_something_failed(monkeypatch, as_json):
    monkeypatch.setattr(conformance, "server_of", lambda _: Server())
    flags = ["--json"] if as_json else []
    well = CliRunner().invoke(main, ["doctor", *flags])
    ill = CliRunner().invoke(main, ["doctor", "--role", "crm", *flags])

    assert (well.exit_code, ill.exit_code) == (0, 1)
    if as_json:
        told = json.loads(ill.output)
        assert told["failed"] == 1
        assert told["checks"][-1] == {"about": "role/crm"} | LOCKED
    else:
        assert "→ unlock/crm" in ill.output
        assert ill.output.endswith("6 checks, 1 failed\n")
