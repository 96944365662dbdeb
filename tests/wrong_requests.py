"""Requests that are wrong, made from the table of paths: every field with every wrong value of its kind, every name."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from vault_plugin_sdk.framework.coerce import Kind
from vault_plugin_sdk.framework.fields import REQUIRED, Field
from vault_plugin_sdk.framework.path import WRITES, Description
from vault_plugin_sdk.logical.request import Operation
from vault_salesforce_contract import api

MIB = 1 << 20
METHODS = {
    Operation.UPDATE: "POST",
    Operation.READ: "GET",
    Operation.DELETE: "DELETE",
    Operation.LIST: "LIST",
    Operation.PATCH: "PATCH",
}
_NO_TEXT = {"object": {"a": "b"}, "list": ["a"], "boolean": True}
_NO_NUMBER = {
    **_NO_TEXT,
    "empty": "",
    "word": "many",
    "fraction": 1.5,
    "overflowing": 10**30,
    "overflowing text": "9" * 40,
    "NUL": "1\0",
    "line break": "1\n",
    "other digits": "١٢",
    "huge": "1" * 100_000,
}
_NO_DURATION = {
    **_NO_NUMBER,
    "negative": -1,
    "negative text": "-1h",
    "two fortnights": "2 fortnights",
    "no unit at the end": "1h30",
    "overflowing duration": "999999999999d",
}
_NO_TIME = {
    **_NO_TEXT,
    "empty": "",
    "word": "tomorrow",
    "no zone": "2030-01-31T09:00:00",
    "a day that is not": "2030-02-30T09:00:00Z",
    "no dashes": "20300131",
    "negative": -1,
    "overflowing": 10**30,
    "NUL": "2030-01-31T09:00:00Z\0",
    "huge": "2" * 100_000,
}
WRONG: Mapping[Kind, Mapping[str, Any]] = {
    Kind.TEXT: _NO_TEXT,
    Kind.SECRET: _NO_TEXT,
    Kind.BOOLEAN: {
        "object": {"a": "b"},
        "list": [True],
        "number": 2,
        "fraction": 1.5,
        "empty": "",
        "word": "yes!",
        "NUL": "true\0",
    },
    Kind.INTEGER: _NO_NUMBER,
    Kind.DURATION: _NO_DURATION,
    Kind.LIST: {
        "object": {"a": "b"},
        "boolean": True,
        "number": 7,
        "list of lists": [["a"]],
        "list of objects": [{"a": "b"}],
        "boolean in a list": [True],
    },
    Kind.TIME: _NO_TIME,
}
# What the checks of fields refuse, beyond their kinds.
_PATHS = {"parent": "..", "path": "../../sys/health", "slash": "a/b", "encoded": "a%2Fb", "NUL": "a\0", "space": "a b"}
_NO_NAME = {**_PATHS, "line break": "a\n", "unicode": "ä", "too long": "a" * 129, "huge": "a" * 100_000}
_NO_LOGIN_NAME = {**_PATHS, "no host": "crm", "line break": "a@b\n", "escape": "\x1b[2J@b", "too long": f"{'a' * 80}@b"}
_NO_ADDRESS = {
    **_PATHS,
    "no TLS": "http://example.com",
    "userinfo": "https://a:b@c",
    "port": "https://a:99999",
    "huge": "a" * 100_000,
}
_NO_LINE = {"line break": "{secret}\n{secret}", "NUL": "\0{secret}", "escape": "{secret}\x1b[2J"}
_NO_GLOBS = {"line break": "a\nb", "NUL": ["a\0"], "huge": "a" * 100_000}
WRONG_TEXTS: Mapping[str, Mapping[str, Any]] = {
    "config": _NO_NAME,
    "rotation_id": {**_NO_NAME, "empty": ""},
    "password_policy": _NO_NAME,
    "username": _NO_LOGIN_NAME,
    "login_url": {**_NO_ADDRESS, "empty": ""},
    "api_version": {"empty": "", "too old": "30.0", "half": "64.5", "word": "latest", "huge": "6" * 100_000},
    "ca_cert": {"word": "PEM", "unicode": "ä", "NUL": "\0", "huge": "a" * 100_000},
    "allowed_hosts": {"space": "a c", "line break": "a\nb", "NUL": "a\0", "unicode": "ä", "huge": ["a" * 100_000]},
    "allowed_roles": _NO_GLOBS,
    "admin_may_rotate": _NO_GLOBS,
    "mailbox": {
        "parent": "maildir:..",
        "elsewhere": "maildir:/etc",
        "NUL": "maildir:/\0",
        "other kind": "pop3://a",
        "relative": "maildir:a",
    },
    "rotation_schedule": {
        "word": "daily",
        "too few": "* * *",
        "out of bounds": "61 * * * *",
        "NUL": "\0",
        "huge": "*" * 100_000,
    },
    "security_token": _NO_LINE,
    "password": _NO_LINE,
}
# At the plugin's own root paths another program writes, and what it says of an account is taken as it is.
_TAKEN_AS_THEY_ARE = {
    ("published/{role}", name) for name in ("username", "password", "security_token", "login_url", "rotation_id")
}

# Segments that are no names, as they stand in a URL, with the status of a read.
WRONG_NAMES = {
    "a%2Fb": 404,
    "a/b": 404,
    "a/": 404,
    "x" * 129: 400,
    "%C3%A4": 400,
    "-a": 400,
    "a.": 400,
    "%20": 400,
    "a%20b": 400,
    "a%3Fb": 400,
    "a;b": 400,
    "a%5Cb": 400,
    "%252e%252e": 400,
    "~": 400,
}
# The server does not let these pass: it cleans the path, or refuses it, before a plugin is asked.
# Half a character cannot be sent to a plugin at all, and the server says so with 500.
NAMES_OF_THE_SERVERS_OWN = {".": 307, "..": 307, "/": 307, "%2e%2e": 400, "%00": 400, "a%0Ab": 400, "%FF": 500}

WRONG_BODIES = {
    "list": b"[]",
    "text": b'"wait"',
    "number": b"1",
    "half": b"{",
    "not a number": b'{"wait": NaN}',
    "too large a number": b'{"wait": 1e999}',
    "deep": b'{"wait":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "too many fields": b"{%s}" % b",".join(b'"k%d":1' % number for number in range(3000)),
    "the latter of two": b'{"wait": 1, "wait": 99}',
    "larger than 1 MiB": b'{"wait": "%s"}' % (b"1" * MIB),
    "invalid UTF-8": b'{"wait": "\xff"}',
    "half a character": b'{"wait": "\\ud800"}',
    "NUL": b'{"\\u0000": 1}',
    "no name": b'{"": 1}',
    "long name": b'{"%s": 1}' % (b"k" * 5000),
}


@dataclass(frozen=True)
class Wrong:
    """A request, and what it must be answered.

    Attributes:
        what: For people: what is wrong with it.
        method: HTTP method.
        path: Below the mount, as it stands in the URL.
        body: As it is sent.
        status: Of the answer.
        mentions: What the sentence names.
    """

    what: str
    method: str
    path: str
    body: bytes | None
    status: int = 400
    mentions: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def wrong_values(description: Description, name: str, item: Field, secret: str) -> Iterator[tuple[str, Any]]:
    """What a request may not give for a field: what is wrong, and the value, with `secret` in those of a secret."""
    yield from WRONG[item.kind].items()
    if item.kind is Kind.SECRET:
        yield "secret in a list", [secret]
    if item.choices:
        yield from {"no choice": "sometimes", "no choice in this case": item.choices[0].upper(), "empty": ""}.items()
    if item.minimum is not None:
        yield "too little", item.minimum - 1
    if item.maximum is not None:
        yield "too much", item.maximum + 1
    if (description.pattern, name) not in _TAKEN_AS_THEY_ARE:
        for what, value in WRONG_TEXTS.get(name, {}).items():
            yield what, value.format(secret=secret) if item.kind is Kind.SECRET else value


def wrong_fields(description: Description, path: str, right: Mapping[str, Any], secret: str) -> Iterator[Wrong]:
    """Each field of a path's writes with each wrong value, beside fields that are right."""

    def wrong(what: str, given: Mapping[str, Any], mentions: str) -> Wrong:
        return Wrong(f"{path}: {what}", "POST", path, json.dumps(given).encode(), 400, mentions)

    for name, item in description.fields.items():
        for what, value in wrong_values(description, name, item, secret):
            yield wrong(f"{name}: {what}", {**right, name: value}, name)
    if description.fields and not description.tolerant:
        for name in description.fields:
            yield wrong(f"{name}: misspelt", {**right, f"{name}s": secret}, f"did you mean '{name}'?")
        yield wrong("a field of nobody's", {**right, "zzz": secret}, "unknown field 'zzz'")


def missing_fields(description: Description, path: str, right: Mapping[str, Any]) -> Iterator[Wrong]:
    """A new record, or a request, without each of the fields that it needs: not given, and null."""
    for name, item in description.fields.items():
        if REQUIRED in (item.default, item.initial):
            for what, given in (("missing", {}), ("null", {name: None})):
                body = {key: value for key, value in right.items() if key != name} | given
                yield Wrong(f"{path}: {name} is {what}", "POST", path, json.dumps(body).encode(), 400, name)


def operations(description: Description) -> set[Operation]:
    """What may be asked of a path."""
    found = set(description.operations) or _OF_THE_PLUGIN[description.pattern]
    return {Operation.UPDATE if operation is Operation.CREATE else operation for operation in found}


_OF_THE_PLUGIN = {
    description.pattern: {Operation.READ}
    if description.pattern.partition("/")[0] not in ("sidecar", "published")
    else {Operation.READ, Operation.UPDATE, Operation.DELETE, Operation.LIST}
    for description in api.PLUGIN_PATHS
}


def unsupported_operations(description: Description, path: str) -> Iterator[Wrong]:
    """What a path does not do, asked of `path`."""
    for operation, method in METHODS.items():
        if operation in operations(description):
            continue
        if operation is Operation.LIST and any(
            other.collection.rstrip("/") == path for other in api.TABLE if other is not description
        ):
            continue  # it is the folder of another path
        body = b"{}" if operation in WRITES else None
        asked = description.collection if operation is Operation.LIST else path
        headers = {"Content-Type": "application/merge-patch+json"} if operation is Operation.PATCH else {}
        yield Wrong(f"{method} {asked}", method, asked, body, 405, operation.value, headers)
