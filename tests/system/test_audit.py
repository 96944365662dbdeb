"""A tour of every path with the audit device on, right and wrong: no secret is in the audit log in clear."""

import json
import secrets

import pytest
from typed import Terminal, commands, section

from vault_salesforce_contract import api

pytestmark = pytest.mark.system

MAILED = (24, 25)  # characters of a security token


class Tour:
    """Asks, and keeps every secret that it sends or is shown."""

    def __init__(self, product):
        self.product = product
        self.secrets = {product.stack.vault.root_token}
        self.patterns = set()

    def ask(self, method, pattern, name="", **body):
        """One request, whatever it comes to."""
        self.patterns.add(pattern)
        path = pattern.partition("{")[0] + name
        answer = self.product.vault.send(method, f"v1/sf/{path}", body if method == "POST" else None)
        self.keep(body)
        self.keep(answer.data)
        return answer

    def keep(self, data):
        """Every member whose name says that it is a secret, at any depth."""
        for name, value in data.items():
            if isinstance(value, dict):
                self.keep(value)
            elif isinstance(value, list):
                for one in value:
                    self.keep(one if isinstance(one, dict) else {})
            elif name.endswith(("password", "token", "pasword")) and isinstance(value, str):
                self.secrets.add(value)

    def keep_mails(self, account):
        """The tokens in the user's mails."""
        for mail in self.product.org.ask("GET", f"mailbox/{account.username}").data:
            self.secrets |= {word for word in mail["body"].split() if len(word) in MAILED and word.isalnum()}


def right(tour):
    """Every path, as it is meant to be asked."""
    product = tour.product
    password, name = product.password(), f"r{secrets.token_hex(4)}"
    identity = product.user(password=password, manage_users=True)
    settings = {"login_url": product.stack.orgsim.url, "allowed_roles": ["*"], "auth_method": "password"}
    tour.ask("POST", "config/{name}", name, **settings, username=identity, password=password)
    first = product.password()
    role = {"config": "demo", "username": product.user(password=first), "password": first}
    tour.ask("POST", "static-roles/{name}", name, **role)
    for pattern in ("config/{name}", "static-roles/{name}", "status/{role}", "history/{role}", "reveal/{role}"):
        tour.ask("GET", pattern, name)
    for pattern in ("static-creds/{role}", "creds/{role}", "version/{role}", "published/{role}"):
        tour.ask("GET", pattern, name)
    for pattern in ("config/{name}", "static-roles/{name}", "status/{role}", "published/{role}", "sidecar/{instance}"):
        tour.ask("LIST", pattern)
    tour.ask("GET", "info")
    tour.ask("GET", "sidecar/{instance}", "dev")
    assert tour.ask("POST", "rotate/{role}", name).data["done"] is True
    tour.ask("POST", "resync/{role}", name, password=tour.ask("GET", "static-creds/{role}", name).data["password"])
    tour.ask("POST", "unlock/{role}", name)
    account = product.account_with_token()
    product.rotate(account)
    tour.ask("GET", "reveal/{role}", account.role)
    tour.keep_mails(account)
    product.org.ask("POST", f"users/{account.username}/reset-security-token")
    tour.keep_mails(account)
    mailed = product.org.ask("GET", f"mailbox/{account.username}").data[-1]["body"].split()
    token = next(word for word in mailed if len(word) in MAILED and word.isalnum())
    tour.ask("POST", "security-token/{role}", account.role, security_token=token)
    tour.ask("DELETE", "static-roles/{name}", name)
    tour.ask("DELETE", "config/{name}", name)
    return account


def wrong(tour, account):
    """Secrets where they do not belong, and those that are refused."""

    def secret():
        made = f"Misplaced-1-{secrets.token_urlsafe(12)}"
        tour.secrets.add(made)
        return made

    for description in api.TABLE:
        name = account.role if description.names else ""
        # The name of a password policy becomes a path of the server's, and paths stay in clear.
        for field in description.fields.keys() - {"password_policy"}:
            tour.ask(
                "POST", description.pattern, "x" if "{instance}" in description.pattern else name, **{field: secret()}
            )
        tour.ask("POST", description.pattern, name, pasword=secret(), password=[secret()], wait={"a": secret()})
    tour.ask("POST", "resync/{role}", account.role, password=secret())
    tour.ask("POST", "security-token/{role}", account.role, security_token=secret())
    tour.ask("POST", "static-roles/{name}", "refused", config="demo", username=tour.product.user(), password=secret())


@pytest.fixture
def tour(product):
    tour = Tour(product)
    account = right(tour)
    wrong(tour, account)
    product.vault.ask("DELETE", "v1/sf/hold")  # a misplaced secret is a reason like any other
    assert tour.patterns == {description.pattern for description in api.TABLE}
    return tour


def test_no_secret_is_in_clear_in_the_audit_log(stack, tour):
    long_enough = {secret for secret in tour.secrets if len(secret) > 8}
    assert len(long_enough) > 50
    log = stack.vault.shared.audit.read_text()
    assert not [secret[:4] for secret in long_enough if secret in log]
    # What is no text is not hidden: so nothing secret is a number, and only times are texts that stay readable.
    answers = [json.loads(line)["response"].get("data") or {} for line in log.splitlines() if '"response"' in line]
    shown = {value for data in answers for value in data.values() if isinstance(value, str)}
    assert {value for value in shown if not value.startswith("hmac-sha256:")} <= {""} | {
        value for value in shown if value.startswith("20")
    }


def test_what_the_document_recommends_makes_an_answer_readable_and_no_secret(product, stack, tmp_path):
    terminal = Terminal(stack.vault.environment_of_cli(stack.vault.root_token), tmp_path, {})
    (tune,) = commands(section("operations.md", "Reading the audit log"))
    before = product.vault.ask("GET", "v1/sys/mounts/sf/tune").data
    try:
        terminal.type(tune)
        account = product.account()
        status, credential = product.status(account), product.static_creds(account)
        request_id = product.rotate(account).body["request_id"]
    finally:
        product.vault.ask(
            "POST",
            "v1/sys/mounts/sf/tune",
            {name: before.get(name) or [] for name in ("audit_non_hmac_request_keys", "audit_non_hmac_response_keys")},
        )
    lines = [json.loads(line) for line in stack.vault.shared.audit.read_text().splitlines() if account.role in line]
    answers = {
        line["request"]["path"]: line["response"].get("data", {}) for line in lines if line["type"] == "response"
    }
    told = answers[f"sf/status/{account.role}"]
    assert (told["state"], told["next_step"]) == (status["state"], status["next_step"])
    read = answers[f"sf/static-creds/{account.role}"]
    assert read["username"] == account.username
    assert read["password"].startswith("hmac-sha256:")
    assert credential["password"] not in str(lines)
    (rotated,) = [line for line in lines if line["request"]["id"] == request_id and line["type"] == "response"]
    assert rotated["response"]["data"]["state"] == "ok"
