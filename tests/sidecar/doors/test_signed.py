"""What the plugin signed is let in, and nothing else."""

import hmac
import json
import time
from base64 import urlsafe_b64encode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from vault_plugin_sdk.logical.errors import EngineError
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_salesforce_contract.forwarding import LIFETIME_SECONDS
from vault_salesforce_sidecar.doors.signed import SignedDoor


@pytest.fixture
def door(registrar):
    return SignedDoor(registrar, "one")


def refused(door, *request):
    with pytest.raises(EngineError) as caught:
        door.authenticate(*request)
    return caught.value.status, caught.value.code


def test_a_signed_request_says_what_and_who(door, plugin):
    signed = door.authenticate(*plugin.signed("update", "rotate/crm", {"wait": "3s"}))
    request = signed.request
    assert (request.operation, request.path, request.data) == (Operation.UPDATE, "rotate/crm", {"wait": "3s"})
    assert request.caller == Caller("request-1", "userpass-ann", "entity-1", "accessor-1", "10.0.0.9")
    assert (request.mount_accessor, signed.id) == ("acc", "request-1")


def test_a_request_without_a_body_has_no_fields(door, plugin):
    assert door.authenticate(*plugin.signed("read", "status/crm")).request.data == {}


def test_two_requests_are_the_same_only_if_path_operation_and_body_are(door, plugin):
    prints = {
        door.authenticate(*plugin.signed(*request)).fingerprint
        for request in (
            ("update", "rotate/a", {"wait": 0}),
            ("update", "rotate/b", {"wait": 0}),
            ("update", "rotate/a", {"wait": 1}),
            ("create", "rotate/a", {"wait": 0}),
            ("update", "rotate/a", {"wait": 0}),
        )
    }
    assert len(prints) == 4


@pytest.mark.parametrize("header", ["", "Bearer ", "Basic abc", "Bearer not.a.jwt", "Bearer"])
def test_without_a_signature_nothing_is_done(door, header):
    assert refused(door, "POST", "rotate/crm", header, b"{}") == (401, "not_signed")


@pytest.mark.parametrize(
    "change",
    [
        lambda method, path, header, body: ("GET", path, header, body),
        lambda method, path, header, body: (method, "rotate/erp", header, body),
        lambda method, path, header, body: (method, path, header, body + b" "),
        lambda method, path, header, body: (method, path, header, b""),
    ],
    ids=["method", "path", "body", "no body"],
)
def test_a_signature_is_for_one_request(door, plugin, change):
    assert refused(door, *change(*plugin.signed("update", "rotate/crm", {"wait": 0}))) == (401, "not_signed")


def test_a_signature_for_another_sidecar_is_refused(door, plugin, registrar):
    assert refused(door, *plugin.signed("update", "rotate/crm", aud="two")) == (401, "not_signed")
    assert registrar.refreshed == 0


@pytest.mark.parametrize("missing", ["iss", "aud", "jti", "iat", "exp", "operation", "path", "digest", "caller"])
def test_each_claim_is_needed(door, plugin, missing):
    status, code = refused(door, *plugin.signed("update", "rotate/crm", without=missing))
    assert status == 401
    assert code in ("not_signed", "unknown_key")


@pytest.mark.parametrize("issued", [-90, 60], ids=["over", "to come"])
def test_a_signature_has_its_time(door, plugin, issued):
    issued += int(time.time())
    ends = issued + LIFETIME_SECONDS
    assert refused(door, *plugin.signed("update", "rotate/crm", iat=issued, exp=ends)) == (503, "clock_skew")


@pytest.mark.parametrize("seconds", [LIFETIME_SECONDS + 1, 10 * 365 * 86_400, 10**15])
def test_no_signature_is_taken_for_longer_than_it_is_remembered(door, plugin, seconds):
    now = int(time.time())
    assert refused(door, *plugin.signed("update", "rotate/crm", iat=now, exp=now + seconds)) == (401, "not_signed")


def test_clocks_may_be_a_little_apart(door, plugin):
    now = int(time.time())  # not when the tests were collected
    door.authenticate(*plugin.signed("update", "rotate/crm", iat=now - 40, exp=now - 10))
    door.authenticate(*plugin.signed("update", "rotate/crm", iat=now + 10, exp=now + 40))


def test_an_unknown_key_is_told_after_registering_anew(door, plugin, registrar):
    other = Ed25519PrivateKey.generate()
    assert refused(door, *plugin.signed("update", "rotate/crm", key=other)) == (401, "unknown_key")
    assert registrar.refreshed == 1


def test_another_mount_is_an_unknown_key(door, plugin):
    assert refused(door, *plugin.signed("update", "rotate/crm", iss="other")) == (401, "unknown_key")


def test_before_the_first_registration_every_key_is_unknown(door, plugin, registrar):
    registrar.trust = None
    assert refused(door, *plugin.signed("update", "rotate/crm")) == (401, "unknown_key")


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_no_other_algorithm_is_taken(door, plugin, algorithm):
    _, path, header, body = plugin.signed("update", "rotate/crm")
    payload = jwt.decode(header.removeprefix("Bearer "), options={"verify_signature": False})
    secret = None if algorithm == "none" else "a shared secret of more than thirty-two bytes"
    forged = jwt.encode(payload, secret, algorithm)
    assert refused(door, "POST", path, f"Bearer {forged}", body) == (401, "not_signed")


def test_the_public_key_is_no_shared_secret(door, plugin):
    _, path, header, body = plugin.signed("update", "rotate/crm")
    public = plugin.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    payload = header.removeprefix("Bearer ").split(".")[1]
    # PyJWT would not sign with a public key, an attacker would.
    head = urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()
    mac = hmac.digest(public, f"{head}.{payload}".encode(), "sha256")
    forged = f"{head}.{payload}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    assert refused(door, "POST", path, f"Bearer {forged}", body) == (401, "not_signed")


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("aud", "two"),
        ("iss", "another_accessor"),
        ("path", "rotate/erp"),
        ("operation", "create"),
        ("digest", "0" * 64),
    ],
)
def test_no_claim_can_be_altered_without_the_key(door, plugin, claim, value):
    method, path, header, body = plugin.signed("update", "rotate/crm", {"wait": 0})
    head, _, signature = header.removeprefix("Bearer ").split(".")
    claims = jwt.decode(header.removeprefix("Bearer "), options={"verify_signature": False}) | {claim: value}
    altered = urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    status, code = refused(door, method, path, f"Bearer {head}.{altered}.{signature}", body)
    assert (status, code) in ((401, "not_signed"), (401, "unknown_key"))


@pytest.mark.parametrize("body", [[], "text", 7, {"wait": float("nan")}, {"wait": float("inf")}])
def test_a_body_is_an_object(door, plugin, body):
    assert refused(door, *plugin.signed("update", "rotate/crm", body)) == (400, None)


def test_a_body_that_is_not_json_is_not_shown(door, plugin):
    with pytest.raises(EngineError) as caught:
        door.authenticate(*plugin.signed("update", "rotate/crm", content=b"password=hunter2"))
    assert "hunter2" not in str(caught.value)
