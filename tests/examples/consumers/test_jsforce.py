"""The simulator as jsforce sees it: a client that others wrote, in another language."""

import json
import subprocess
import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from salesforce_orgsim.serve import start

CALLS = Path(__file__).with_name("jsforce_calls.js")
ADMIN, APP, EXPIRED = "admin@crm.example", "app@crm.example", "expired@crm.example"
TOKEN = "T" * 24
PATIENCE = 60


@pytest.fixture(scope="module")
def seen(node_example):
    """Everything that jsforce was answered, in one run of Node."""
    key = rsa.generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    users = [
        {"username": ADMIN, "password": "Admin<&pass1", "security_token": TOKEN, "manage_users": True},
        {"username": APP, "password": "First-pass-1", "security_token": TOKEN},
        {"username": EXPIRED, "password": "Old-pass-1", "security_token": TOKEN, "password_age_days": 91},
    ]
    app = {
        "client_id": "key-1",
        "client_secret": "secret-1",
        "kind": "connected_app",
        "flows": ["jwt_bearer", "client_credentials", "password"],
        "certificate": public,
        "preauthorized_users": [ADMIN],
        "run_as": ADMIN,
    }
    config = {"org": {"username_password_flow_blocked": False}, "users": users, "apps": [app]}
    claims = {"iss": "key-1", "sub": ADMIN, "aud": "https://login.salesforce.com", "exp": int(time.time()) + 180}
    with start(config) as running:
        given = {
            "url": running.url,
            "admin": {"username": ADMIN, "password": "Admin<&pass1" + TOKEN},
            "app": {"username": APP},
            "expired": {"username": EXPIRED, "password": "Old-pass-1" + TOKEN},
            "key": "key-1",
            "secret": "secret-1",
            "assertion": jwt.encode(claims, key, algorithm="RS256"),
        }
        command = ["node", str(CALLS), str(node_example), json.dumps(given)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0, done.stderr
        answered = json.loads(done.stdout)
        answered["ids"] = {name: user.id for name, user in running.org.users.items()}
        answered["organization"] = running.org.id
        answered["changes"] = running.org.user(APP).counters.password_changes
    return answered


def test_it_logs_in_queries_and_knows_who_it_is(seen):
    assert (seen["login"]["id"], seen["login"]["organizationId"]) == (seen["ids"][ADMIN], seen["organization"])
    assert (seen["found"]["Id"], seen["found"]["Username"]) == (seen["ids"][APP], APP)
    assert seen["identity"] == ADMIN
    assert seen["limits"] == 100_000
    assert seen["risks"] > 5


def test_it_sets_and_resets_the_password_of_another(seen):
    assert seen["setPassword"] is None
    assert len(seen["reset"]["password"]) == 9
    assert seen["changes"] == 2


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("badQuery", "INVALID_FIELD"),
        ("weakPassword", "INVALID_NEW_PASSWORD"),
        ("wrongPassword", "INVALID_LOGIN"),
        ("noToken", "LOGIN_MUST_USE_SECURITY_TOKEN"),
        ("wrongGrant", "invalid_grant"),
        ("afterTheEnd", "INVALID_SESSION_ID"),
    ],
)
def test_it_reads_the_code_of_a_refusal(seen, call, code):
    refusal = seen[call]
    assert code in {refusal["name"], refusal["code"], refusal["message"].partition(":")[0]}, refusal


def test_it_refuses_the_session_of_an_expired_password(seen):
    assert seen["expired"]["message"] == "Unable to login because the used password has expired."


@pytest.mark.parametrize("grant", ["passwordGrant", "clientGrant", "assertionGrant"])
def test_it_gets_a_session_by_every_grant(seen, grant):
    assert (seen[grant]["id"], seen[grant]["organizationId"]) == (seen["ids"][ADMIN], seen["organization"])


def test_it_ends_the_other_sessions_of_a_user(seen):
    assert len(seen["ended"]) >= 3
    assert all(one["success"] for one in seen["ended"])
