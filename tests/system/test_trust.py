"""Registration and trust, on the real server."""

import secrets
import ssl
import time

import jwt
import pytest
import urllib3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from replica import Replica

from vault_plugin_sdk.logical.request import Caller, Operation
from vault_salesforce.dev.setup import POLICY
from vault_salesforce_contract.forwarding import LIFETIME_SECONDS, Claims, body_digest

pytestmark = pytest.mark.system


@pytest.fixture
def holder(product, stack):
    """Makes a token with a policy, and gives the API for it."""
    names = []

    def make(policy):
        names.append(f"policy-{secrets.token_hex(3)}")
        product.vault.ask("PUT", f"v1/sys/policies/acl/{names[-1]}", {"policy": policy})
        body = {"policies": [names[-1]], "no_default_policy": True, "ttl": "10m"}
        return stack.vault.api(product.vault.ask("POST", "v1/auth/token/create", body).body["auth"]["client_token"])

    yield make
    for name in names:
        product.vault.ask("DELETE", f"v1/sys/policies/acl/{name}")


def info(product):
    return product.vault.ask("GET", "v1/sf/info").data


def test_a_broad_policy_does_not_make_its_holder_a_sidecar(product, holder):
    account = product.account()
    somebody = holder('path "sf/*" { capabilities = ["create", "read", "update", "patch", "delete", "list"] }')
    assert somebody.ask("GET", f"v1/sf/static-creds/{account.role}").data["version"] == 1
    registration = dict(product.vault.ask("GET", "v1/sf/sidecar/dev").data)
    for method, path, body in (
        ("POST", "sidecar/mine", registration),
        ("GET", "sidecar/dev", None),
        ("DELETE", "sidecar/dev", None),
        ("LIST", "sidecar", None),
        ("POST", f"published/{account.role}", {"username": "mine", "password": "mine"}),
        ("GET", f"published/{account.role}", None),
        ("DELETE", f"published/{account.role}", None),
        ("LIST", "published", None),
    ):
        assert somebody.send(method, f"v1/sf/{path}", body).status == 403, (method, path)
    assert list(info(product)["sidecars"]) == ["dev"]


def test_the_first_writer_owns_the_name_of_an_instance(product, holder):
    registered = dict(product.vault.ask("GET", "v1/sf/sidecar/dev").data)
    given = {name: registered[name] for name in ("url", "certificate", "version", "contract")}
    other = holder('path "sf/sidecar/+" { capabilities = ["create", "update", "sudo"] }')
    answer = other.send("POST", "v1/sf/sidecar/dev", given | {"url": "https://127.0.0.1:1"})
    assert (answer.status, answer.body["code"]) == (409, "instance_taken")
    assert product.vault.ask("GET", "v1/sf/sidecar/dev").data["url"] == registered["url"]


def test_a_sidecar_is_heard_every_ten_seconds_and_info_says_that_nothing_is_wrong(product):
    def compared():
        said = info(product)
        return said if said["complete"] and not said["missing"] else None

    said = product.until(compared, "the comparison, with nothing to be handed over")
    assert said["sidecars"]["dev"]["last_heard_seconds"] <= 11
    assert (said["next_step"], said["sidecars"]["dev"]["compatible"]) == ("", True)


def test_a_copy_that_is_lost_is_handed_over_again_and_its_readers_are_told_503_meanwhile(product):
    account, seen = product.account(), []
    product.until(lambda: info(product)["complete"], "the comparison")
    before = product.static_creds(account)
    product.vault.ask("DELETE", f"v1/sf/published/{account.role}")

    def read():
        answer = product.vault.send("GET", f"v1/sf/static-creds/{account.role}")
        seen.append(answer)
        return answer.status == 200

    product.until(read, "the copy")
    assert {answer.status for answer in seen} <= {200, 503}
    for answer in seen[:-1]:
        assert (answer.body["code"], answer.body["retry_after_seconds"]) == ("not_published_yet", 10)
    assert product.static_creds(account) == before
    product.until(lambda: info(product)["complete"], "the comparison")
    assert product.vault.send("GET", "v1/sf/static-creds/nobody").status == 404


def test_what_the_plugin_did_not_sign_is_refused_and_nothing_is_done(product, stack):
    account = product.account()
    before = product.counted(account)
    path = f"rotate/{account.role}"
    now = int(time.time())
    claims = Claims(
        iss=product.vault.ask("GET", "v1/sys/mounts/sf").data["accessor"],
        aud="dev",
        jti=secrets.token_hex(8),
        iat=now,
        exp=now + LIFETIME_SECONDS,
        operation=Operation.UPDATE,
        path=path,
        digest=body_digest(b""),
        caller=Caller(),
    ).to_payload()
    strangers = Ed25519PrivateKey.generate()
    for token, code in (
        ("", "not_signed"),
        (jwt.encode(claims, None, "none"), "not_signed"),
        (jwt.encode(claims, secrets.token_hex(32), "HS256"), "not_signed"),
        (jwt.encode(claims, strangers, "EdDSA"), "unknown_key"),
    ):
        status, body = _post(stack.sidecar.url, f"/v1/{path}", token)
        assert (status, body["code"]) == (401, code)
    assert product.counted(account) == before
    assert product.version(account) == 1


def _post(url, path, token):
    host, _, port = url.removeprefix("https://").rpartition(":")
    context = ssl.create_default_context(cadata=ssl.get_server_certificate((host, int(port))))
    with urllib3.PoolManager(ssl_context=context, retries=False, timeout=10) as pool:
        answer = pool.request("POST", url + path, headers={"Authorization": f"Bearer {token}"} if token else {})
        return answer.status, answer.json()


def test_a_sidecar_that_needs_a_human_says_so_where_an_operator_looks(product, stack, tmp_path):
    role = f"v1/auth/approle/role/{POLICY}"
    login = {
        "role_id": product.vault.ask("GET", f"{role}/role-id").data["role_id"],
        "secret_id": product.vault.ask("POST", f"{role}/secret-id", {}).data["secret_id"],
    }
    account = product.account()
    product.vault.ask("POST", "v1/salesforce/config", {"cas_required": False})
    try:
        with Replica(stack, tmp_path, "human", **login) as replica:
            replica.start(lambda: "check-and-set" in replica.said().get("reason", ""))
            assert "vault write salesforce/config cas_required=true" in replica.said()["reason"]
            assert info(product)["next_step"].startswith("the sidecar human says: ")
            assert replica.readiness()[1]["reason"] == replica.said()["reason"]
            # Whatever is asked meanwhile is answered by another one.
            assert product.rotate(account).data["done"] is True
            product.vault.ask("POST", "v1/salesforce/config", {"cas_required": True})
            product.until(lambda: replica.said()["reason"] == "", "the sidecar, mended")
            _one_is_away(product, replica, account)
    finally:
        product.vault.ask("POST", "v1/salesforce/config", {"cas_required": True})


def _one_is_away(product, replica, account):
    """With two sidecars, one of which is gone without a word, each request is carried out once, by the other."""
    replica.stop()
    assert replica.said()["usable"] is True  # it was heard a moment ago
    before = product.counted(account)["password_changes"]
    for number in range(3):
        answer = product.rotate(account)
        assert (answer.status, answer.data["done"], answer.data["version"]) == (200, True, 3 + number)
    assert product.counted(account)["password_changes"] == before + 3
