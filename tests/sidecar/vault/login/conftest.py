"""The auth methods of the real server, each mounted for one test, and settings that use them."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import urllib3
from token_review import AUDIENCE, ISSUER, TokenReview

from vault_salesforce_sidecar.settings import Settings, from_environ
from vault_salesforce_sidecar.vault.client import Vault

POLICY = """
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
"""
NAMESPACE, ACCOUNT, ROLE = "salesforce", "sidecar", "side"


class ManualClock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, event: Any, seconds: float) -> bool:
        return bool(event.wait(min(seconds, 0.05)))


@dataclass(frozen=True)
class AppRoleMount:
    """A role that gives tokens of 60 s, at a mount of its own."""

    server: Any
    mount: str
    role_id: str

    @property
    def path(self) -> str:
        """Where SecretIDs are made."""
        return f"auth/{self.mount}/role/{ROLE}/secret-id"

    def secret_id(self) -> str:
        """A new one."""
        return str(self.server.ask("POST", self.path, {})["data"]["secret_id"])

    def wrapped(self, path: str = "", ttl: str = "60s", body: Any = None) -> str:
        """The wrapping token of a new one, or of what else `path` answers."""
        answer = urllib3.request(
            "POST",
            f"{self.server.addr}/v1/{path or self.path}",
            json=body or {},
            headers={"X-Vault-Token": self.server.root_token, "X-Vault-Wrap-TTL": ttl},
            retries=False,
            timeout=10,
        )
        return str(answer.json()["wrap_info"]["token"])

    def unwrap(self, token: str) -> dict[str, Any]:
        """What somebody else does with it."""
        return dict(self.server.ask("POST", "sys/wrapping/unwrap", token=token)["data"])


def mount_auth(server: Any, kind: str) -> str:
    """An auth mount of the test's own, with a policy of its name."""
    mount = f"{kind}-{secrets.token_hex(3)}"
    server.ask("POST", f"sys/auth/{mount}", {"type": kind})
    server.ask("PUT", f"sys/policies/acl/{mount}", {"policy": POLICY})
    return mount


def token_of(mount: str) -> dict[str, Any]:
    """What a role says of its tokens."""
    return {"token_policies": [mount], "token_ttl": "60s", "token_no_default_policy": True}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def approle(server: Any) -> AppRoleMount:
    """See `AppRoleMount`."""
    mount = mount_auth(server, "approle")
    role = f"auth/{mount}/role/{ROLE}"
    server.ask("POST", role, token_of(mount))
    return AppRoleMount(server, mount, str(server.ask("GET", f"{role}/role-id")["data"]["role_id"]))


@pytest.fixture
def token_review() -> Iterator[TokenReview]:
    """The part of Kubernetes that Vault asks."""
    with TokenReview() as made:
        yield made


@pytest.fixture
def kubernetes(server: Any, token_review: TokenReview) -> str:
    """The Kubernetes auth method, with a role for our service account: its mount."""
    mount = mount_auth(server, "kubernetes")
    server.ask("POST", f"auth/{mount}/config", token_review.configuration())
    bound = {
        "bound_service_account_names": [ACCOUNT],
        "bound_service_account_namespaces": [NAMESPACE],
        "audience": AUDIENCE,
    }
    server.ask("POST", f"auth/{mount}/role/{ROLE}", bound | token_of(mount))
    return mount


@pytest.fixture
def jwt(server: Any, token_review: TokenReview) -> str:
    """The JWT auth method, which knows the key itself: its mount."""
    mount = mount_auth(server, "jwt")
    server.ask(
        "POST", f"auth/{mount}/config", {"jwt_validation_pubkeys": [token_review.public_key], "bound_issuer": ISSUER}
    )
    bound = {
        "role_type": "jwt",
        "bound_audiences": [AUDIENCE],
        "bound_subject": f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}",
        "user_claim": "sub",
    }
    server.ask("POST", f"auth/{mount}/role/{ROLE}", bound | token_of(mount))
    return mount


@pytest.fixture
def told(server: Any) -> Callable[..., Settings]:
    """Settings for this server, as the environment gives them."""

    def read(**given: str) -> Settings:
        environ = {"VAULT_ADDR": server.addr} | {name.upper(): value for name, value in given.items()}
        return from_environ({f"VAULT_SALESFORCE_{name}": value for name, value in environ.items()}, "host")

    return read


@pytest.fixture
def fresh(server: Any, pool: Any) -> Vault:
    """A client that is not logged in."""
    return Vault(pool, server.addr)
