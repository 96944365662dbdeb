"""Break-glass through the server: in any state, wrapped on demand, audited, and never without a trace."""

import json
import urllib.parse

import pytest

from vault_salesforce.dev.rest import Rest

pytestmark = pytest.mark.system


def revealed(product, account):
    return product.vault.ask("GET", f"v1/sf/reveal/{account.role}").data


@pytest.fixture
def stuck(product):
    """A role whose rotation came to nothing: a current password, and a candidate."""
    account = product.account()
    product.misbehave(account, refuse_before={"code": "INVALID_LOGIN", "operation": "login", "times": 1})
    product.rotate(account)
    assert product.status(account)["state"] == "stuck"
    return account


def test_both_passwords_of_a_rotation_in_flight_are_shown_while_it_is(product, hook):
    account = product.account()
    before = product.kv(account)["password"]
    seen = []
    hook.act = lambda _: seen.append(revealed(product, account))
    product.misbehave(account, hook_after_url={"url": hook.url, "times": 1})
    assert product.rotate(account).data["done"] is True
    (told,) = seen
    assert told["state"] == "applying"
    assert told["current_password"] == told["published_password"] == before
    assert told["try_first"] == ["candidate_password", "current_password"]
    assert told["candidate_password"] == product.kv(account)["password"]
    after = revealed(product, account)
    assert (after["state"], after["current_password"]) == ("settled", told["candidate_password"])
    assert before in [one["password"] for one in after["kept"]]


def test_a_reading_is_in_history_and_in_the_log_with_who_asked_and_no_secret(product, stack):
    account = product.account()
    answer = product.vault.ask("GET", f"v1/sf/reveal/{account.role}")
    (row,) = [
        row
        for row in product.vault.ask("GET", f"v1/sf/history/{account.role}").data["rotations"]
        if row["cause"] == "reveal"
    ]
    assert row["request_id"] == answer.body["request_id"]
    assert (row["display_name"], row["outcome"]) == ("root", "revealed")
    assert row["accessor"]
    lines = [json.loads(line) for line in stack.sidecar.part.errors.read_text().splitlines() if line.startswith("{")]
    (line,) = [
        line for line in lines if line["event"] == "secrets revealed" and line["request_id"] == row["request_id"]
    ]
    assert (line["role"], line["username"], line["level"]) == (account.role, account.username, "warning")
    assert answer.data["current_password"] not in str(row) + str(line)


def test_a_deleted_role_is_revealed_by_its_name(product):
    account = product.account()
    password = product.kv(account)["password"]
    product.vault.ask("DELETE", f"v1/sf/static-roles/{account.role}")
    told = revealed(product, account)
    assert (told["state"], told["current_password"]) == ("deleted", password)
    assert "published_password" not in told
    assert told["kept"][0]["until"]


def test_the_answer_can_be_wrapped_and_is_unwrapped_once(product, stack):
    account = product.account()
    headers = {"X-Vault-Token": stack.vault.root_token, "X-Vault-Wrap-TTL": "60s"}
    wrapped = Rest(stack.vault.address, headers).ask("GET", f"v1/sf/reveal/{account.role}").body
    assert wrapped["data"] is None
    holder = stack.vault.api(wrapped["wrap_info"]["token"])
    told = holder.ask("POST", "v1/sys/wrapping/unwrap").data
    assert told["published_password"] == product.kv(account)["password"]
    assert holder.send("POST", "v1/sys/wrapping/unwrap").status == 400


def test_an_unknown_role_is_not_found_and_names_the_way(product):
    answer = product.vault.send("GET", "v1/sf/reveal/nobody")
    assert (answer.status, answer.body["code"]) == (404, "nothing_held")
    query = urllib.parse.urlencode({"username": product.account().username})
    assert product.vault.send("GET", f"v1/sf/reveal/nobody?{query}").status == 404


def test_no_secret_is_in_clear_in_the_audit_log(product, stack, stuck):
    told = revealed(product, stuck)
    product.vault.ask("GET", f"v1/sf/reveal/{product.account().role}")
    secrets = {value for name, value in told.items() if name.endswith(("_password", "_token"))}
    secrets |= {one["password"] for one in told.get("kept", ())}
    assert told["candidate_password"] in secrets
    assert len(secrets) >= 2
    lines = stack.vault.shared.audit.read_text()
    (entry,) = [
        json.loads(line)
        for line in lines.splitlines()
        if f'"sf/reveal/{stuck.role}"' in line and json.loads(line)["type"] == "response"
    ]
    assert entry["response"]["data"]["current_password"].startswith("hmac-sha256:")
    assert not [secret[:4] for secret in secrets if secret in lines]
