"""Preflight and doctor on the running product, with the policies of those who use them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vault_salesforce.policy import policy

pytestmark = pytest.mark.system

COMMAND = Path(sys.executable).with_name("vault-salesforce")


def doctor(product, *arguments, token=None):
    vault = product.stack.vault
    environ = {"BAO_ADDR": vault.address, "BAO_TOKEN": token or vault.root_token, "PATH": os.environ["PATH"]}
    return subprocess.run((COMMAND, "doctor", *arguments), env=environ, capture_output=True, text=True, check=False)


def holder(product, name):
    product.vault.ask("PUT", f"v1/sys/policies/acl/preflight-{name}", {"policy": policy(name)})
    given = {"policies": [f"preflight-{name}"], "ttl": "10m"}
    return product.vault.ask("POST", "v1/auth/token/create", given).body["auth"]["client_token"]


@pytest.mark.parametrize("name", ["operator", "auditor"])
def test_the_doctor_of_a_role_finds_nothing_wrong_and_leaves_no_trace(product, name):
    account = product.account()
    before = product.counted(account)

    told = doctor(product, "--role", account.role, "--json", token=holder(product, name))

    assert told.returncode in (0, 1), told.stderr
    # Connections that other tests made on this server may lead to orgs that are gone.
    about = {"vault", "mount", "config/demo", f"role/{account.role}"}
    checks = [one for one in json.loads(told.stdout)["checks"] if one["about"] in about]
    assert {one["about"] for one in checks} == about
    assert [one for one in checks if one["result"] == "failed"] == []
    assert product.counted(account) == before
    assert product.kv(account)["password"] not in told.stdout


def test_a_frozen_user_is_told_with_the_page_before_anybody_rotates(product):
    admin = product.user(password="Admin-pass-1", manage_users=True)
    connection = {
        "login_url": product.stack.orgsim.url,
        "allowed_roles": ["*"],
        "auth_method": "password",
        "username": admin,
        "password": "Admin-pass-1",
        "admin_may_rotate": ["*@example.com"],
    }
    product.vault.ask("POST", "v1/sf/config/watched", connection)
    account = product.account(config="watched", self_managed=False)
    product.org.ask("PATCH", f"users/{account.username}", {"frozen": True})

    told = doctor(product, "--role", account.role)

    assert told.returncode == 1
    assert "frozen" in told.stdout
    assert f"Setup, Users, Users, {account.username}: Unfreeze" in told.stdout
    answer = product.vault.ask("GET", f"v1/sf/preflight/{account.role}").data
    assert answer["result"] == "failed"
    assert product.vault.ask("GET", "v1/sf/preflight-config/watched").data["result"] != "failed"
