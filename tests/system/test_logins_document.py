"""`docs/logins.md` and the Kubernetes manifests' page, typed: a sidecar with the settings shown there logs in."""

import re
import secrets
from pathlib import Path

import pytest
from replica import Replica
from token_review import TokenReview
from typed import DOCS, Terminal, blocks, commands, section

from vault_salesforce.dev.setup import POLICY

pytestmark = pytest.mark.system

MANIFESTS = DOCS.parent / "deploy" / "kubernetes"
PREFIX = "VAULT_SALESFORCE_"


@pytest.fixture
def method(product):
    """The path of an auth method of this test's own, which it does not outlive."""
    name = f"side-{secrets.token_hex(3)}"
    yield name
    product.vault.ask("DELETE", f"v1/sys/auth/{name}")


@pytest.fixture
def terminal(product, tmp_path, method):
    """Makes a terminal in which a method has this test's path, and the sidecar's policy the stack's name."""

    def make(kind, **names):
        ours = {
            f"auth enable {kind}": f"auth enable -path={method} {kind}",
            f"auth/{kind}/": f"auth/{method}/",
            "token_policies=salesforce-sidecar": f"token_policies={POLICY}",
        }
        vault = product.stack.vault
        return Terminal(vault.environment_of_cli(vault.root_token), tmp_path, ours | names)

    return make


def settings(text):
    """Those of the first shell block, by their names in small letters."""
    found = re.findall(rf"^{PREFIX}(\w+)=(.*)$", blocks(text, "sh")[0], re.MULTILINE)
    return {name.lower(): value for name, value in found}


@pytest.fixture
def registers(product, tmp_path, method):
    """Starts a sidecar with these settings, and waits for its registration."""

    def start(given):
        with Replica(product.stack, tmp_path, method, auth_mount=method, **given) as replica:
            replica.start()
            product.until(lambda: replica.readiness() == (200, {"ready": True, "reason": ""}), "readiness")
            assert replica.said()["usable"] is True

    return start


def test_an_approle_with_a_wrapped_secret_id(registers, terminal, tmp_path, product, method):
    text = section("logins.md", "AppRole with a wrapped SecretID").replace("\n   ", "\n")  # one block is a step's
    typing = terminal("approle")
    enable, role, role_id, wrapped, look, destroy = commands(text)
    typing.type(enable)
    typing.type(role)
    given = settings(text) | {
        "role_id": typing.type(role_id),
        "state_directory": str(tmp_path / "state"),
        "wrapped_secret_id_file": str(tmp_path / "wrapped-secret-id"),
    }
    typing.type(wrapped)
    registers(given)

    (accessor,) = re.findall(r"^[0-9a-f-]{36}$", typing.type(look), re.MULTILINE)
    typing.type(destroy.replace("<accessor>", accessor))
    assert product.vault.send("LIST", f"v1/auth/{method}/role/salesforce-sidecar/secret-id").status == 404


def test_an_approle_with_a_secret_id_as_it_is(registers, terminal, tmp_path):
    assert "without `-wrap-ttl=10m` and with `-field=secret_id`" in section(
        "logins.md", "AppRole with a SecretID as it is"
    )
    typing = terminal("approle", **{" -wrap-ttl=10m": "", "=wrapping_token": "=secret_id", "wrapped-secret": "secret"})
    enable, role, role_id, plain, *_ = commands(section("logins.md", "AppRole with a wrapped SecretID"))
    typing.type(enable)
    typing.type(role)
    typing.type(plain)
    given = {"role_id": typing.type(role_id), "secret_id_file": str(tmp_path / "secret-id")}
    registers(given)


def test_a_token_of_the_platform(registers, terminal, tmp_path):
    text = section("logins.md", "JWT")
    with TokenReview() as platform:
        (tmp_path / "platform.pem").write_text(platform.public_key)
        (tmp_path / "token").write_text(
            platform.token("any", "any", iss="https://issuer.example.com", sub="salesforce-sidecar")
        )
        typing = terminal("jwt")
        for command in commands(text):
            typing.type(command)
        registers(settings(text) | {"jwt_file": str(tmp_path / "token")})


@pytest.mark.parametrize("page", ["logins.md", "deploy/kubernetes"])
def test_a_service_account(registers, terminal, tmp_path, page):
    text = section("logins.md", "Kubernetes")
    typed = commands(text)
    given = settings(text)
    name, namespace = given["auth_role"], "salesforce"
    with TokenReview() as review:
        at = review.configuration()
        (tmp_path / "ca.pem").write_text(at["kubernetes_ca_cert"])
        (tmp_path / "reviewer.jwt").write_text(at["token_reviewer_jwt"])
        typing = terminal("kubernetes", **{"https://kubernetes.example.com:6443": review.url})
        if page == "deploy/kubernetes":
            name = namespace = "vault-salesforce"
            name += "-sidecar"
            enable, _, policy, role, *_ = commands((MANIFESTS / "README.md").read_text())
            # The configuration in between is for a server that runs in the cluster.
            typed = [enable, typed[1], policy, role]
            assert f"{PREFIX}AUTH_ROLE: {name}\n" in Path(MANIFESTS / "sidecar.yaml").read_text()
        for command in typed:
            typing.type(command)
        (tmp_path / "token").write_text(review.token(namespace, name))
        given |= {"auth_role": name, "jwt_file": str(tmp_path / "token")}
        registers(given)
        assert review.reviewed == [f"system:serviceaccount:{namespace}:{name}"]
