"""How a sidecar logs in to the real server, loses its login, and says so."""

import re
import secrets

import pytest
from replica import Replica
from token_review import AUDIENCE, TokenReview

from vault_salesforce.dev.rest import Rest
from vault_salesforce.dev.setup import POLICY

pytestmark = pytest.mark.system


@pytest.fixture
def name():
    return f"side-{secrets.token_hex(3)}"


@pytest.fixture
def kubernetes(product, name):
    """The Kubernetes auth method for a sidecar of this name; gives what vouches for it."""
    vault = product.vault
    with TokenReview() as review:
        vault.ask("POST", f"v1/sys/auth/{name}", {"type": "kubernetes"})
        vault.ask("POST", f"v1/auth/{name}/config", review.configuration())
        bound = {
            "bound_service_account_names": [name],
            "bound_service_account_namespaces": ["salesforce"],
            "audience": AUDIENCE,
            "token_policies": [POLICY],
            "token_no_default_policy": True,
            "token_period": "20m",
        }
        vault.ask("POST", f"v1/auth/{name}/role/sidecar", bound)
        yield review
        vault.ask("DELETE", f"v1/sys/auth/{name}")


def test_a_service_account_is_all_that_a_sidecar_in_kubernetes_needs(product, stack, tmp_path, name, kubernetes):
    file = tmp_path / "token"
    file.write_text(kubernetes.token("salesforce", "somebody-else"))
    login = {"auth_method": "kubernetes", "auth_mount": name, "auth_role": "sidecar", "jwt_file": str(file)}
    with Replica(stack, tmp_path, name, **login) as replica:
        replica.start(lambda: "service account name not authorized" in replica.readiness()[1].get("reason", ""))
        assert replica.probe("/health/live") == (200, {"live": True})
        file.write_text(kubernetes.token("salesforce", name))  # as the kubelet does
        product.until(replica.ready_file.exists, "the registration")
        product.until(lambda: replica.readiness() == (200, {"ready": True, "reason": ""}), "readiness")
        said = replica.said()
        assert said | {"last_heard_seconds": 0} == {
            "version": "0.1.0",
            "contract": 1,
            "compatible": True,
            "last_heard_seconds": 0,
            "usable": True,
            "reachable": True,
            "reason": "",
            "missing": said["missing"],
        }


@pytest.fixture
def approle(product, name):
    """An AppRole for a sidecar of this name: its RoleID, and a function that delivers a wrapped SecretID."""
    vault = product.vault
    role = f"v1/auth/approle/role/{name}"
    vault.ask("POST", role, {"token_policies": [POLICY], "token_no_default_policy": True, "token_period": "20m"})
    wrapping = Rest(vault.url, {"X-Vault-Token": product.stack.vault.root_token, "X-Vault-Wrap-TTL": "60s"})

    def deliver():
        return wrapping.ask("POST", f"{role}/secret-id", {}).body["wrap_info"]["token"]

    yield vault.ask("GET", f"{role}/role-id").data["role_id"], deliver
    vault.ask("DELETE", role)


def test_a_wrapped_secret_id_is_unwrapped_once_and_survives_a_restart_and_a_lost_token(
    product, stack, tmp_path, name, approle
):
    role_id, deliver = approle
    file = tmp_path / "wrapped"
    login = {"role_id": role_id, "wrapped_secret_id_file": str(file), "state_directory": str(tmp_path / "state")}
    stolen = deliver()
    assert stack.vault.api(stolen).ask("POST", "v1/sys/wrapping/unwrap", {}).data["secret_id"]
    file.write_text(stolen)
    with Replica(stack, tmp_path, name, **login, auth_role=name) as replica:
        replica.start(lambda: "somebody else has unwrapped it" in replica.readiness()[1].get("reason", ""))
        assert '"wrapping_token_refused"' in replica.log
        delivered = deliver()
        file.write_text(delivered)
        product.until(replica.ready_file.exists, "the registration")
        replica.stop()
        file.unlink()
        replica.start()

        # Its token is revoked: it notices with its next heartbeat, at the latest, and logs in again.
        lost = _accessor(product, name)
        product.vault.ask("POST", "v1/auth/token/revoke-accessor", {"accessor": lost})
        product.until(lambda: _accessor(product, name) not in (None, lost), "a new token")
        product.until(lambda: replica.said()["last_heard_seconds"] < 5, "a heartbeat with it")
        assert replica.readiness() == (200, {"ready": True, "reason": ""})

        # And where it may not come back it says so, and goes on living.
        product.vault.ask("DELETE", f"v1/auth/approle/role/{name}")
        product.vault.ask("POST", "v1/auth/token/revoke-accessor", {"accessor": _accessor(product, name)})
        product.until(lambda: replica.readiness()[0] == 503, "the end of its login")
        assert "Vault refused the sidecar's login by approle" in replica.readiness()[1]["reason"]
        assert replica.probe("/health/live")[0] == 200
        for secret in (stolen, delivered, *re.findall(r'"secret_id": "([^"]+)"', _kept(tmp_path))):
            assert secret not in replica.log


def _kept(tmp_path):
    """What the sidecar kept of the delivery."""
    return (tmp_path / "state" / "secret-id.json").read_text()


def _accessor(product, name):
    """The accessor of the newest token of this role that lives."""
    found = []
    for accessor in product.vault.ask("LIST", "v1/auth/token/accessors").data["keys"]:
        token = product.vault.send("POST", "v1/auth/token/lookup-accessor", {"accessor": accessor}).data
        if (token.get("meta") or {}).get("role_name") == name:
            found.append((token["creation_time"], accessor))
    return max(found)[1] if found else None
