"""What a request on its way is: which call of the product's, and about whose account. PURE."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from vault_salesforce.dev.setup import Mounts

# The call's name is what a plan aims at; `other` is what no plan aims at.
KV_READS: Final = ("journal.read", "creds.read", "history.read")
KV_WRITES: Final = ("journal.write", "creds.write", "creds.note", "history.write", "published.write")
OTHER: Final = "other"

_SUBJECT: Final = re.compile(r"\b((?:fx|admin)-[0-9a-z]+)@example\.com\b")
_SESSION: Final = re.compile(r"<(?:[\w-]+:)?sessionId>([^<]+)<|(?m:^authorization: *bearer ([^\r\n]+))", re.IGNORECASE)
_OPENED: Final = re.compile(r'<(?:[\w-]+:)?sessionId>([^<]+)<|"access_token": *"([^"]+)"')
_ASSERTION: Final = re.compile(r"(?:^|&)assertion=([^&]+)")
_USER_ID: Final = re.compile(r"\b(005[0-9A-Za-z]{12})(?:[0-9A-Za-z]{3})?\b")


@dataclass(frozen=True)
class Call:
    """One request.

    Attributes:
        name: Which call.
        subject: Name of the role, which is the first half of its user's name too; "" where it is about none.
    """

    name: str
    subject: str = ""


def username(role: str) -> str:
    """The user of a role of ours: both carry one name, so that every call tells whom it is about."""
    return f"{role}@example.com"


def call_to_vault(method: str, target: str, mounts: Mounts) -> Call:
    """What the sidecar asks of Vault."""
    path = unquote(unquote(target.partition("?")[0].removeprefix("/v1/")))
    for prefix, record in (
        (f"{mounts.engine_kv}/data/journal/", "journal"),
        (f"{mounts.engine_kv}/data/history/", "history"),
        (f"{mounts.kv}/data/creds/", "creds"),
        (f"{mounts.kv}/metadata/creds/", "creds.note"),
        (f"{mounts.engine}/published/", "published.write"),
    ):
        if path.startswith(prefix):
            subject = path.removeprefix(prefix).partition("@")[0]
            if "." in record:
                return Call(record, subject)
            return Call(f"{record}.{'read' if method == 'GET' else 'write'}", subject)
    return Call(OTHER)


def call_to_org(method: str, target: str, head: str, body: str, known: Mapping[str, str]) -> Call:
    """What the sidecar asks of the org.

    Args:
        method: HTTP method.
        target: Path and query.
        head: All of the head, as text.
        body: The body, as text.
        known: Sessions and user ids (their first 15 characters) to roles, as far as somebody saw them.
    """
    name = _name(method, target, body)
    if name == OTHER:
        return Call(OTHER)
    told = _ASSERTION.search(body)
    text = f"{unquote(target)} {_claims(told[1]) if told else body}"
    if found := _SUBJECT.search(text):
        return Call(name, found[1])
    for found in (*_USER_ID.finditer(text),):
        if found[1] in known:
            return Call(name, known[found[1]])
    session = _SESSION.search(f"{head}\n{body}")
    return Call(name, known.get(next(filter(None, session.groups())), "") if session else "")


def session_opened(answer: str) -> str | None:
    """The session that an answer of the org opens."""
    found = _OPENED.search(answer)
    return next(filter(None, found.groups())) if found else None


def _name(method: str, target: str, body: str) -> str:
    if "/services/oauth2/token" in target:
        return "grant"
    if "/sobjects/User/" in target and target.partition("?")[0].endswith("/password") and method == "POST":
        return "change"
    if method == "GET":
        return "look"
    if re.search(r"<(?:[\w-]+:)?login[ >]", body):
        return "login"
    if re.search(r"<(?:[\w-]+:)?(?:changeOwnPassword|setPassword)[ >]", body):
        return "change"
    return "look" if "/services/Soap/" in target else OTHER


def _claims(assertion: str) -> str:
    """The readable half of a signed assertion."""
    middle = unquote(assertion).split(".")[1]
    return json.dumps(json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4))))
