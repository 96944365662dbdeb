"""Which call a request is, and about whom: a fault that hits nobody would prove nothing."""

import base64
import json

import pytest
from faults.harness.calls import KV_READS, KV_WRITES, Call, call_to_org, call_to_vault, session_opened

from vault_salesforce.dev.setup import Mounts

ROLE = "fx-0a1b2c3d"


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", f"salesforce-engine/data/journal/{ROLE}%2540example.com", "journal.read"),
        ("POST", f"salesforce-engine/data/journal/{ROLE}%2540example.com", "journal.write"),
        ("GET", f"salesforce/data/creds/{ROLE}", "creds.read"),
        ("POST", f"salesforce/data/creds/{ROLE}", "creds.write"),
        ("POST", f"salesforce/metadata/creds/{ROLE}", "creds.note"),
        ("GET", f"salesforce-engine/data/history/{ROLE}", "history.read"),
        ("POST", f"salesforce-engine/data/history/{ROLE}", "history.write"),
        ("PUT", f"sf/published/{ROLE}", "published.write"),
    ],
)
def test_a_call_to_vault(method, path, name):
    assert call_to_vault(method, f"/v1/{path}", Mounts()) == Call(name, ROLE)
    assert name in KV_READS + KV_WRITES


def test_what_is_about_no_role_is_left_alone():
    assert not call_to_vault("PUT", "/v1/auth/token/renew-self", Mounts()).subject
    assert not call_to_vault("PUT", "/v1/sf/sidecar/dev", Mounts()).subject


SESSION = "<ns0:SessionHeader><ns0:sessionId>00D!one</ns0:sessionId></ns0:SessionHeader>"
CLAIMS = base64.urlsafe_b64encode(json.dumps({"sub": f"{ROLE}@example.com"}).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("method", "target", "head", "body", "name"),
    [
        ("POST", "/services/Soap/u/64.0", "", f'<ns0:login xmlns:ns0="u"><x>{ROLE}@example.com</x>', "login"),
        ("POST", "/services/Soap/u/64.0/00D", "", f'{SESSION}<ns0:changeOwnPassword xmlns:ns0="u">', "change"),
        ("POST", "/services/data/v64.0/sobjects/User/005Qk0000000005IAA/password", "", "{}", "change"),
        ("POST", "/services/oauth2/token", "", f"grant_type=g&assertion=e30.{CLAIMS}.c2ln", "grant"),
        ("GET", f"/services/data/v64.0/query?q=%27{ROLE}%40example.com%27", "", "", "look"),
        ("GET", "/services/data/v64.0/limits", "GET / HTTP/1.1\r\nAuthorization: Bearer 00D!one\r\n", "", "look"),
    ],
)
def test_a_call_to_the_org(method, target, head, body, name):
    known = {"00D!one": ROLE, "005Qk0000000005": ROLE}
    assert call_to_org(method, target, head, body, known) == Call(name, ROLE)


def test_a_session_that_an_answer_opens_is_known_by_both_kinds_of_login():
    assert session_opened("<result><sessionId>00D!one</sessionId></result>") == "00D!one"
    assert session_opened('{"access_token": "00D!two"}') == "00D!two"
    assert session_opened("<html>") is None
