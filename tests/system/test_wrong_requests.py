"""Every path, every field, every wrong value, through the real server: one clear sentence, and nothing happens."""

import http.client
import json
import re
import secrets
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from product import Product
from wrong_requests import (
    METHODS,
    MIB,
    NAMES_OF_THE_SERVERS_OWN,
    WRONG_BODIES,
    WRONG_NAMES,
    Wrong,
    missing_fields,
    operations,
    unsupported_operations,
    wrong_fields,
)

from vault_plugin_sdk.logical.request import Operation
from vault_salesforce_contract import api

pytestmark = pytest.mark.system
EVERY = pytest.mark.parametrize("description", api.TABLE, ids=lambda description: description.pattern)
WRITABLE = pytest.mark.parametrize(
    "description", [one for one in api.TABLE if one.fields], ids=lambda description: description.pattern
)
NAMED = [one for one in api.TABLE if one.names]
# Of Python, of a library, of a machine: none of it is for the one who asks.
INTERNALS = re.compile(
    r"Traceback|Error\b|Exception|<class|object at 0x|\b(?:None|True|self)\b|\.py\b|vault_(?:salesforce|plugin)_"
    r"|(?<![\w/])[bu]'|\{'|\['"
)
LONGEST_SENTENCE = 600
COMPLAINTS = ("[ERROR]", "Traceback", '"level": "error"', '"level": "critical"', '"@level":"error"', "panic:")


class Subject:
    """An account whose password is planted in every request, and all that a request could have changed."""

    def __init__(self, product):
        self.product = product
        self.secret = f"Planted-1-{secrets.token_hex(8)}"
        self.free = product.user(password=self.secret)  # a user without a role
        self.account = product.role(product.user(password=self.secret), password=self.secret)
        server = urlsplit(product.vault.url)
        self.connection = http.client.HTTPConnection(server.hostname, server.port, timeout=30)

    def watch(self):
        """From now on."""
        parts = self.product.stack.parts()
        self.logs = {log: log.stat().st_size for part in parts for log in (part.output, part.errors)}
        self.before = self.state()

    def send(self, wrong):
        """As raw as it stands there: a client that cleans paths or bodies would hide what is wrong."""
        headers = {"X-Vault-Token": self.product.stack.vault.root_token, "Content-Type": "application/json"}
        self.connection.request(wrong.method, f"/v1/sf/{wrong.path}", wrong.body, headers | dict(wrong.headers))
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode()

    def right(self, pattern):
        """What a write of this path takes, so that nothing but the one wrong thing is in its way."""
        match pattern:
            case "config/{name}":
                return {"login_url": self.product.stack.orgsim.url, "allowed_roles": "*"}
            case "static-roles/{name}":
                return {"config": "demo", "username": self.free, "password": self.secret}
            case "security-token/{role}":
                return {"security_token": self.secret}
            case "published/{role}":
                when = {"last_vault_rotation": "2030-01-31T09:00:00Z", "login_url": "https://login.example.com"}
                return {"username": self.free, "password": self.secret, "version": 1, "rotation_id": "r"} | when
            case "sidecar/{instance}":
                (instance,) = self.product.vault.ask("LIST", "v1/sf/sidecar").data["keys"]
                known = self.product.vault.ask("GET", f"v1/sf/sidecar/{instance}").data
                return {"url": known["url"], "certificate": known["certificate"], "version": "1", "contract": 1}
        return {}

    def path(self, description):
        """Of this account, or of a new record: whatever a write that is let through would change."""
        new = description.pattern.partition("/")[0] in ("config", "static-roles", "published", "sidecar")
        return re.sub(r"\{\w+\}", "never-made" if new else self.account.role, description.pattern)

    def state(self):
        """All that lasts: names at every path, this account's records, what the plugin holds, what the org counted."""
        vault, role = self.product.vault, self.account.role
        user = self.account.username.replace("@", "%2540")
        listed = {
            path: vault.send("LIST", f"v1/{path}").data.get("keys")
            for path in (
                *(f"sf/{kind}" for kind in ("config", "static-roles", "sidecar", "published", "status")),
                *(f"salesforce-engine/metadata/{kind}" for kind in ("config", "static-roles", "journal", "history")),
                *(f"salesforce-engine/metadata/claims/{kind}" for kind in ("accounts", "role-names")),
                "salesforce/metadata/creds",
            )
        }
        kept = {
            path: vault.send("GET", f"v1/{path}").data.get("current_version")
            for path in (
                f"salesforce/metadata/creds/{role}",
                *(
                    f"salesforce-engine/metadata/{path}"
                    for path in ("config/demo", f"static-roles/{role}", f"journal/{user}", f"history/{role}")
                ),
            )
        }
        held = {
            path: vault.send("GET", f"v1/sf/{path}/{role}").data for path in ("published", "static-creds", "version")
        }
        due = vault.ask("GET", "v1/sf/info").data["due"]
        counted = {
            name: self.product.org.ask("GET", f"users/{name}").body for name in (self.free, self.account.username)
        }
        return {"listed": listed, "kept": kept, "held": held, "due": due, "counted": counted}

    def logged(self):
        """What every part logged since."""
        return "".join(log.read_bytes()[start:].decode() for log, start in self.logs.items() if log.exists())

    def fault(self, wrong):
        """What is wrong with the answer to a wrong request; None where nothing is."""
        status, text = self.send(wrong)
        if status != wrong.status:
            return f"{wrong.what}: {status} {text[:300]}"
        if self.secret in text:
            return f"{wrong.what}: the secret is in the answer"
        errors = json.loads(text)["errors"]
        if len(errors) != 1:
            return f"{wrong.what}: {errors} is not one sentence"
        sentence = errors[0]
        shaped = sentence == " ".join(sentence.split()) and sentence.isprintable() and len(sentence) <= LONGEST_SENTENCE
        if not shaped or INTERNALS.search(sentence):
            return f"{wrong.what}: {sentence[:300]!r}"
        return None if wrong.mentions in sentence else f"{wrong.what}: {sentence!r} does not say {wrong.mentions!r}"

    def check(self, requests):
        """Send them all. Every answer is as it should be, nothing has changed, and no part complains."""
        asked = list(requests)
        assert asked
        assert [fault for wrong in asked if (fault := self.fault(wrong))] == []
        assert self.state() == self.before
        logged = self.logged()
        assert [line for line in logged.splitlines() if any(word in line for word in COMPLAINTS)] == []
        assert self.secret not in logged


@pytest.fixture(scope="module")
def account(stack):
    """One for all, for none of them does anything to it."""
    product = Product(stack)
    with closing(product):
        made = Subject(product)
        with closing(made.connection):
            yield made


@pytest.fixture
def subject(account):
    account.watch()
    return account


@WRITABLE
def test_every_wrong_value_of_every_field_is_refused_by_the_fields_name(subject, description):
    right = subject.right(description.pattern)
    path = subject.path(description)
    subject.check(wrong_fields(description, path, right, subject.secret))


@pytest.mark.parametrize("description", [api.CONFIG, api.STATIC_ROLE], ids=lambda description: description.pattern)
def test_a_record_that_is_there_is_not_changed_by_a_wrong_value_either(subject, description):
    there = {"config/{name}": "config/demo", "static-roles/{name}": f"static-roles/{subject.account.role}"}
    requests = wrong_fields(description, there[description.pattern], {}, subject.secret)
    subject.check({wrong.mentions: wrong for wrong in requests}.values())  # one of each field is enough


@WRITABLE
def test_what_is_needed_and_not_given_is_named(subject, description):
    held = description.pattern.startswith("hold")  # of a connection that there is
    path = re.sub(r"\{\w+\}", "demo" if held else "never-made", description.pattern)
    requests = list(missing_fields(description, path, subject.right(description.pattern)))
    if requests:
        subject.check(requests)


@EVERY
def test_an_operation_that_a_path_does_not_have_is_named(subject, description):
    subject.check(unsupported_operations(description, subject.path(description)))


@pytest.mark.parametrize("description", NAMED, ids=lambda description: description.pattern)
def test_what_is_no_name_is_refused_whatever_is_asked_of_it(subject, description):
    before = description.pattern.partition("{")[0]
    right = json.dumps(subject.right(description.pattern)).encode()
    requests = []
    for operation in operations(description) - {Operation.LIST}:
        writes = operation is Operation.UPDATE
        for name, status in WRONG_NAMES.items():
            # A server refuses a write that ends in a slash before a plugin is asked.
            wanted = 400 if writes and name.endswith("/") else status
            method = METHODS[operation]
            requests.append(Wrong(f"{method} {before}{name}", method, before + name, right if writes else None, wanted))
    subject.check(requests)


@pytest.mark.parametrize(("name", "status"), NAMES_OF_THE_SERVERS_OWN.items())
def test_a_path_that_leads_elsewhere_does_not_come_past_the_server(subject, name, status):
    for method, path in (("GET", "static-creds"), ("POST", "rotate"), ("DELETE", "static-roles")):
        answered, text = subject.send(Wrong("", method, f"{path}/{name}", b"{}" if method == "POST" else None))
        assert answered == status
        assert not INTERNALS.search(text)
    subject.check([Wrong("nothing came of it", "GET", "static-creds/nobody", None, 404, "nobody")])


ROLE_PATHS = [one.pattern for one in NAMED if one.names == ("role",) and "published" not in one.pattern]


@pytest.mark.parametrize("pattern", ROLE_PATHS)
def test_a_role_that_is_not_there_is_404_and_so_is_one_whose_letters_have_another_case(subject, pattern):
    description = next(one for one in api.TABLE if one.pattern == pattern)
    method = METHODS[next(iter(operations(description) - {Operation.LIST}))]
    body = json.dumps(subject.right(pattern)).encode() if method == "POST" else None
    names = ("nobody", subject.account.role.upper())
    paths = [pattern.format(role=name) for name in names]
    subject.check(
        Wrong(f"{method} {path}", method, path, body, 404, name) for path, name in zip(paths, names, strict=True)
    )


def test_a_path_that_is_not_there_is_404(subject):
    paths = ("nope", "nope/x", "rotate", "rotate/a/b", "static-role/crm", "info/x", "Rotate/crm", "x" * 3000)
    requests = [
        Wrong(f"{method} {path[:20]}", method, path, b"{}" if method == "POST" else None, 404, path[:20])
        for path in paths
        for method in ("GET", "POST", "DELETE", "LIST")
        if (method, path) != ("LIST", "rotate")
    ]
    subject.check(requests)


@pytest.mark.parametrize("what", WRONG_BODIES)
def test_a_body_that_is_no_small_object_is_refused_everywhere(subject, what):
    paths = ["rotate/nobody", "static-roles/never-made", "published/never-made", "unlock/nobody"]
    # A server takes half a character for one that is not known, and what was meant is not to be had any more.
    subject.check(Wrong(f"{path}: {what}", "POST", path, WRONG_BODIES[what], 400) for path in paths)


def test_of_a_body_that_is_too_large_nothing_is_read(subject):
    body = b'{"zzz": "%s"}' % (b"1" * MIB)
    subject.check(
        Wrong(one.pattern, "POST", subject.path(one), body, 400, str(MIB))
        for one in NAMED
        if Operation.UPDATE in operations(one)
    )


READABLE = [one for one in api.TABLE if Operation.READ in operations(one) and one.pattern != "creds/{role}"]


@pytest.mark.parametrize("description", READABLE, ids=lambda description: description.pattern)
def test_a_parameter_that_a_read_does_not_have_is_a_warning_without_its_value(subject, description):
    path = re.sub(r"\{\w+\}", "crm" if "config" not in description.pattern else "demo", description.pattern)
    if description.pattern.startswith("sidecar"):
        path = "sidecar/" + subject.product.vault.ask("LIST", "v1/sf/sidecar").data["keys"][0]
    held = description.pattern.startswith("hold")
    if held:
        subject.product.vault.ask("POST", f"v1/sf/{path}", {"reason": "to be read"})
    status, text = subject.send(Wrong("", "GET", f"{path}?pasword={subject.secret}&zzz=1", None))
    if held:
        subject.product.vault.ask("DELETE", f"v1/sf/{path}")
    answer = json.loads(text)
    assert status == 200
    assert {"unknown field 'pasword'", "unknown field 'zzz'"} <= {said.partition(";")[0] for said in answer["warnings"]}
    assert subject.secret not in text
    assert subject.secret not in subject.logged()


def test_a_wrong_parameter_of_a_read_is_refused(subject):
    role = subject.account.role
    subject.check(
        Wrong(f"reveal: {value}", "GET", f"reveal/{role}?username={value}", None, 400, "username")
        for value in ("crm", "a%20b@c", "a%00@b", "")
    )
