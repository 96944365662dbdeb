"""The whole life of a role, as KV and the audit device saw it: what is counted on, what is kept, and what is shown."""

import json

import pytest
from product import Product

from vault_salesforce.dev.setup import POLICY

pytestmark = pytest.mark.system

DELETING = ("/delete/", "/destroy/", "/undelete/")


class Life:
    """One role from its creation to after its end; its name is then used once more.

    Attributes:
        account: The role and its user, of whom a token is asked.
        versions: The newest in KV after each step.
        secrets: All that were live.
        journal: What KV knew of the journal entry after three steps.
    """

    def __init__(self, product):
        self.account = account = product.account_with_token(lease_rotation_interval=0)
        self.versions, self.secrets = [], set()
        self._note(product)
        done = product.bao("write", "-f", "-format=json", f"sf/rotate/{account.role}")
        assert done.returncode == 0, done.stderr
        self._note(product)
        lease_id = product.vault.ask("GET", f"v1/sf/creds/{account.role}").body["lease_id"]
        product.vault.ask("PUT", "v1/sys/leases/renew", {"lease_id": lease_id})
        product.vault.ask("PUT", "v1/sys/leases/revoke", {"lease_id": lease_id, "sync": True})
        product.until(lambda: product.version(account) == 3, "the rotation after the last lease")
        product.until(lambda: product.status(account)["state"] == "ok", "rest")
        self._note(product)
        self.journal = product.vault.ask("GET", f"v1/salesforce-engine/metadata/{self.entry}").data
        product.vault.ask("GET", f"v1/sf/static-creds/{account.role}")
        product.vault.ask("DELETE", f"v1/sf/static-roles/{account.role}")
        self.versions.append(self._newest(product))
        password = product.password()
        product.org.ask("PATCH", f"users/{account.username}", {"password": password, "login_ranges": ["127.0.0.1"]})
        body = {"config": "demo", "username": account.username, "password": password}
        product.vault.ask("POST", f"v1/sf/static-roles/{account.role}", body)
        self._note(product)

    def _newest(self, product):
        return product.vault.ask("GET", f"v1/salesforce/metadata/creds/{self.account.role}").data["current_version"]

    def _note(self, product):
        held = product.kv(self.account)
        self.versions.append(held["kv_version"])
        self.secrets |= {held[name] for name in ("password", "security_token", "password_token")} - {""}

    @property
    def entry(self):
        """The journal entry's path below `data/` and `metadata/`; it has a percent sign of its own."""
        return f"journal/{self.account.username.replace('@', '%2540')}"


@pytest.fixture(scope="module")
def life(stack):
    product = Product(stack)
    yield Life(product)
    product.close()


def test_a_name_that_is_used_again_counts_on(life):
    assert life.versions == [1, 2, 3, 4, 5]


def test_of_the_journal_no_version_is_kept_but_the_newest(product, life):
    newest = life.journal["current_version"]
    assert newest > 6
    assert list(life.journal["versions"]) == [str(newest)]
    assert product.vault.send("GET", f"v1/salesforce-engine/data/{life.entry}?version={newest - 1}").status == 404


def answered(stack):
    """What the audit device wrote of every request, with its answer."""
    lines = map(json.loads, stack.vault.shared.audit.read_text().splitlines())
    return [line for line in lines if line["type"] == "response"]


def test_the_sidecar_deletes_nothing(stack, life):
    done = [
        (line["request"]["operation"], line["request"]["path"])
        for line in answered(stack)
        if POLICY in line.get("auth", {}).get("policies", ())
    ]
    assert ("update", f"salesforce/data/creds/{life.account.role}") in done
    assert {operation for operation, _ in done} <= {"create", "update", "read", "list"}
    assert [path for _, path in done if any(word in path for word in DELETING)] == []


def test_the_audit_device_shows_when_a_version_was_made_and_no_secret(stack, life):
    paths = {f"sf/static-creds/{life.account.role}", f"sf/creds/{life.account.role}"}
    of_role = [line for line in answered(stack) if line["request"]["path"] in paths]
    reads = [line["response"]["data"] for line in of_role if line["request"]["operation"] == "read"]
    assert len(reads) == 2
    for shown in reads:
        assert shown["last_vault_rotation"].endswith("Z")
        assert isinstance(shown["version"], int)
        for name in ("username", "password", "security_token", "password_token"):
            assert shown[name].startswith("hmac-sha256:"), name
    assert len(life.secrets) >= 7
    assert not [secret[:4] for secret in life.secrets if secret in stack.vault.shared.audit.read_text()]


def test_a_command_line_shows_an_error_as_the_one_sentence_that_it_is(product, life):
    """Errors of the protocol itself would come as a list: `1 error occurred`, and without the fields beside them."""
    done = product.bao("write", f"sf/rotate/{life.account.role}", "expected_version=99")
    assert done.returncode == 2
    assert "error occurred" not in done.stderr
    _, _, shown = done.stderr.partition("Code: 409. Errors:\n\n")
    answer = product.rotate(life.account, expected_version=99)
    assert shown.strip() == f"* {answer.sentences}"
    assert answer.body["code"] == "stale_version"
