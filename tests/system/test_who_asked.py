"""Who asked for a change: in the role's history, in the sidecar's log and in the audit log, under one request id."""

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from vault_salesforce.dev.rest import Rest

pytestmark = pytest.mark.system

AUTH = "who"
POLICY = """
path "sf/*" { capabilities = ["create", "update", "read", "delete", "sudo"] }
path "sys/leases/*" { capabilities = ["update"] }
"""


@dataclass(frozen=True)
class Person:
    """Somebody with an entity, and with what the server says of them."""

    api: Rest
    display_name: str
    entity_id: str
    accessor: str

    def ask(self, method, path, body=None):
        """The id of a request that must succeed."""
        return str(self.api.ask(method, f"v1/sf/{path}", body).body["request_id"])


@pytest.fixture(scope="module")
def people(stack):
    """Logs somebody in."""
    root = stack.vault.api(stack.vault.root_token)
    root.ask("POST", f"v1/sys/auth/{AUTH}", {"type": "userpass"})
    root.ask("PUT", f"v1/sys/policies/acl/{AUTH}", {"policy": POLICY})

    def log_in(name):
        password = secrets.token_urlsafe()
        root.ask("POST", f"v1/auth/{AUTH}/users/{name}", {"password": password, "token_policies": [AUTH]})
        told = stack.vault.api().ask("POST", f"v1/auth/{AUTH}/login/{name}", {"password": password}).body["auth"]
        assert told["entity_id"]
        return Person(stack.vault.api(told["client_token"]), f"{AUTH}-{name}", told["entity_id"], told["accessor"])

    yield log_in
    root.ask("DELETE", f"v1/sys/auth/{AUTH}")


@pytest.fixture(scope="module")
def ann(people):
    return people("ann")


@pytest.fixture(scope="module")
def bob(people):
    return people("bob")


def history(product, account):
    return product.vault.ask("GET", f"v1/sf/history/{account.role}").data["rotations"]


def logged(stack, **members):
    """The lines of the sidecar's log that have these members."""
    lines = [json.loads(line) for line in stack.sidecar.part.errors.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if members.items() <= line.items()]


def is_of(row, person, request_id, cause):
    told = (row["cause"], row["display_name"], row["entity_id"], row["accessor"], row["request_id"])
    return told == (cause, person.display_name, person.entity_id, person.accessor, request_id)


def test_who_rotates_is_known_by_one_id_everywhere(product, stack, ann):
    account = product.account()
    request_id = ann.ask("POST", f"rotate/{account.role}", {})
    row = history(product, account)[0]
    assert is_of(row, ann, request_id, "manual")
    assert row["outcome"] == "settled"
    (asked,) = logged(stack, event="request", request_id=request_id)
    (rests,) = logged(stack, event="rotation rests", request_id=request_id)
    for line in (asked, rests):
        assert (line["display_name"], line["entity_id"], line["accessor"]) == (
            ann.display_name,
            ann.entity_id,
            ann.accessor,
        )
    assert (rests["cause"], rests["role"], rests["rotation_id"]) == ("manual", account.role, row["rotation_id"])
    audited = [json.loads(line) for line in stack.vault.shared.audit.read_text().splitlines() if request_id in line]
    assert {line["request"]["path"] for line in audited} == {f"sf/rotate/{account.role}"}
    assert {line["request"]["id"] for line in audited} == {request_id}


def test_who_creates_resyncs_unlocks_reveals_and_deletes_is_in_the_history(product, ann, bob):
    password = product.password()
    username, name = product.user(password=password), f"r{secrets.token_hex(4)}"
    body = {"config": "demo", "username": username, "password": password, "rotate_on_lease_end": "any"}
    created = ann.ask("POST", f"static-roles/{name}", body)
    resynced = bob.ask("POST", f"resync/{name}", {"password": password})
    ann.api.ask("POST", f"v1/sf/unlock/{name}", {})
    revealed = bob.ask("GET", f"reveal/{name}")
    ann.api.ask("DELETE", f"v1/sf/static-roles/{name}")
    rows = product.vault.ask("GET", f"v1/sf/history/{name}").data["rotations"]
    assert [row["cause"] for row in rows] == ["delete", "reveal", "unlock", "resync", "create"]
    assert is_of(rows[4], ann, created, "create")
    assert is_of(rows[3], bob, resynced, "resync")
    assert is_of(rows[1], bob, revealed, "reveal")
    # A write that answers nothing tells no id; the rows have one.
    for row in (rows[0], rows[2]):
        assert row["request_id"]
        assert is_of(row, ann, row["request_id"], row["cause"])


def test_who_began_a_rotation_and_who_handed_its_token_in_have_a_row_each(product, ann, bob):
    account = product.account_with_token()
    product.vault.ask("POST", f"v1/sf/static-roles/{account.role}", {"security_token_from": "manual"})
    began = ann.ask("POST", f"rotate/{account.role}", {"allow_security_token_wait": True})
    body = product.org.ask("GET", f"mailbox/{account.username}").data[-1]["body"]
    token = next(word for word in body.split() if len(word) in (24, 25) and word.isalnum())
    handed_in = bob.ask("POST", f"security-token/{account.role}", {"security_token": token})
    helped, first, *_ = history(product, account)
    assert helped["rotation_id"] == first["rotation_id"]
    assert is_of(first, ann, began, "manual")
    assert is_of(helped, bob, handed_in, "token")
    assert (first["outcome"], helped["outcome"]) == ("awaiting_token", "settled")


def test_who_unlocks_a_stuck_rotation_has_a_row_beside_who_began_it(product, ann, bob, hook):
    account = product.account()
    hook.act = lambda _: product.org.ask("PATCH", f"users/{account.username}", {"locked": True})
    product.misbehave(account, hook_after_url={"url": hook.url, "times": 1})
    began = ann.ask("POST", f"rotate/{account.role}", {})
    product.org.ask("PATCH", f"users/{account.username}", {"locked": False})
    bob.api.ask("POST", f"v1/sf/unlock/{account.role}", {})
    product.until(lambda: product.version(account) == 2, "version 2")
    product.until(lambda: history(product, account)[0]["outcome"] == "settled", "the row of who helped")
    helped, first, *_ = history(product, account)
    assert is_of(first, ann, began, "manual")
    assert is_of(helped, bob, helped["request_id"], "unlock")
    assert first["outcome"] == "stuck"


def test_who_forces_one_more_rotation_is_known_when_its_turn_comes(product, ann, bob, hook):
    account, forced = product.account(), []
    hook.act = lambda _: forced.append(bob.ask("POST", f"rotate/{account.role}", {"force": True, "wait": 0}))
    product.misbehave(account, hook_url={"url": hook.url, "times": 1})
    began = ann.ask("POST", f"rotate/{account.role}", {})
    product.until(lambda: product.version(account) == 3, "version 3")
    product.until(lambda: history(product, account)[0]["version"] == 3, "the row of the second")
    second, first, *_ = history(product, account)
    assert is_of(first, ann, began, "manual")
    assert is_of(second, bob, forced[0], "force")


def test_the_end_of_a_lease_is_known_by_who_was_lent_it(product, stack, ann):
    """The server names nobody when a lease ends."""
    account = product.account(lease_rotation_interval=0)
    lent = ann.api.ask("GET", f"v1/sf/creds/{account.role}").body
    product.vault.ask("PUT", "v1/sys/leases/revoke", {"lease_id": lent["lease_id"], "sync": True})
    product.until(lambda: product.version(account) == 2, "version 2")
    product.until(lambda: history(product, account)[0]["version"] == 2, "its row")
    row = history(product, account)[0]
    assert is_of(row, ann, lent["request_id"], "lease")
    assert logged(stack, event="rotation rests", request_id=lent["request_id"], cause="lease")
    assert lent["request_id"] in stack.vault.shared.audit.read_text()


def test_what_nobody_asked_for_says_so(product):
    soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    scheduled, mailed = product.account(initial_rotation_at=soon), product.account_with_token()
    product.org.ask("POST", f"users/{mailed.username}/reset-security-token")
    for account, cause, who in ((scheduled, "schedule", "schedule"), (mailed, "token", "mailbox")):
        product.until(lambda account=account: product.version(account) == 2, f"version 2 by {cause}")
        product.until(lambda account=account: history(product, account)[0]["version"] == 2, "its row")
        row = history(product, account)[0]
        assert (row["cause"], row["display_name"], row["request_id"]) == (cause, who, "")
