"""Who has a token without rights learns nothing; and what a caller with rights chooses freely breaks nothing."""

import http.client
import json
import re
import secrets
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from vault_plugin_sdk.logical.request import Operation
from vault_salesforce_contract import api
from vault_salesforce_contract.forwarding import MAX_PATH_BYTES

pytestmark = pytest.mark.system
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "LIST", "HEAD")
SENT = f"Planted-{secrets.token_hex(8)}"
# As they stand in a URL. Of the server's own it cleans some away; none of them may be a role's.
TRICKS = [
    *(
        "a%2Fb",
        "..%2f..%2fsys%2fhealth",
        "%252e%252e",
        "a%20b",
        "%C3%A4",
        "%D1%81rm",
        "crm%E2%80%AE",
        "crm%EF%BC%8E",
        "c%CC%81",
    ),
    *("crm.", ".crm", "-crm", "crm;a=b", "crm%5C..", "crm%09", "%0d%0aX-A:b", "crm*", "+", "~", "x" * 129, "x" * 3000),
    *("x" * (MAX_PATH_BYTES + 1), "x" * 7000, "%F0%9F%98%80" * 600, "{role}", "%7Brole%7D", "$(id)", "'", "%22"),
]


class Stranger:
    """Asks as raw as it stands there."""

    def __init__(self, url, token):
        server = urlsplit(url)
        self._connection = http.client.HTTPConnection(server.hostname, server.port, timeout=30)
        self._headers = {"X-Vault-Token": token}

    def ask(self, method, path, body=None):
        """Status and text."""
        headers = self._headers | ({"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {})
        self._connection.request(method, f"/v1/sf/{path}", body, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read().decode()

    def close(self):
        self._connection.close()


@pytest.fixture
def logged(product):
    """What every part logs from now on."""
    logs = {log: log.stat().st_size for part in product.stack.parts() for log in (part.output, part.errors)}
    return lambda: "".join(log.read_bytes()[start:].decode() for log, start in logs.items() if log.exists())


def token(product, policies, **fields):
    given = {"policies": policies, "no_default_policy": True, "no_parent": True, "ttl": "1h"} | fields
    return product.vault.ask("POST", "v1/auth/token/create", given).body["auth"]["client_token"]


@pytest.mark.parametrize("policy", ["none", "elsewhere"])
def test_whoever_may_do_nothing_here_is_told_the_same_of_a_role_that_is_there_and_of_none(product, logged, policy):
    known = product.account().role
    unknown = "r" + secrets.token_hex(4)
    product.vault.ask("PUT", "v1/sys/policies/acl/elsewhere", {"policy": 'path "kv/*" { capabilities = ["read"] }'})
    with closing(Stranger(product.vault.url, token(product, [policy]))) as stranger:
        for description in api.TABLE:
            for method in METHODS:
                body = json.dumps({"password": SENT, "zzz": 1}) if method in ("POST", "PUT", "PATCH") else None
                answers = []
                for name in (known, unknown, known.upper(), f"{known}x"):
                    path = re.sub(r"\{\w+\}", name, description.pattern)
                    status, text = stranger.ask(method, path, body)
                    assert status in (400, 403, 405), (method, path, text)
                    assert SENT not in text
                    answers.append((status, text.replace(name, "<name>")))
                assert len({re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "<id>", str(answer)) for answer in answers}) == 1
    assert SENT not in logged()
    assert f"/{unknown}" not in logged()  # nobody fills a log with names


def test_a_name_that_is_a_trick_is_refused_by_the_plugin_and_by_the_sidecar(product, logged):
    with closing(Stranger(product.vault.url, product.stack.vault.root_token)) as operator:
        for description in (api.STATIC_CREDS, api.PUBLISHED, api.STATIC_ROLE, api.ROTATE):
            operation = Operation.UPDATE if description is api.ROTATE else Operation.READ
            for trick in TRICKS:
                path = re.sub(r"\{\w+\}", lambda _, name=trick: name, description.pattern)
                method, body = ("GET", None) if operation is Operation.READ else ("POST", "{}")
                status, text = operator.ask(method, path, body)
                assert status in (301, 307, 400, 404, 405), (method, path[:80], status, text[:300])
                assert "Traceback" not in text
    assert "Traceback" not in logged()
    assert '"level": "error"' not in logged()


def test_a_token_of_a_very_long_name_works_as_any_other(product):
    account = product.account()
    given = token(product, ["root"], display_name="d" * 20_000)
    with closing(Stranger(product.vault.url, given)) as operator:
        status, text = operator.ask("GET", f"status/{account.role}")
        assert status == 200, text
        status, text = operator.ask("POST", f"rotate/{account.role}", '{"wait": "10s"}')
        assert (status, json.loads(text)["data"]["done"]) == (200, True)
    row = product.vault.ask("GET", f"v1/sf/history/{account.role}").data["rotations"][0]
    assert set(row["display_name"].removeprefix("token-")) == {"d"}
