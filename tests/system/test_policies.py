"""Who may do what: every path of the mount and of both KV mounts, asked for real with a token of each policy."""

import contextlib
import json
import re
import secrets
import subprocess
from functools import partial

import pytest
from typed import DOCS, Terminal, blocks, commands, rows, section

from vault_salesforce.dev.openbao import BAO
from vault_salesforce.dev.setup import POLICY
from vault_salesforce.policy import NAMES, policy
from vault_salesforce_contract import api

pytestmark = pytest.mark.system

ENGINE_KV = "salesforce-engine"
WRITE, READ, DELETE, LIST = "write", "read", "delete", "list"
METHODS = {WRITE: "POST", READ: "GET", DELETE: "DELETE", LIST: "LIST"}

# Who may do what, as the document says it: path, then policy, then operations.
MAY = {
    row["path"].strip("`"): {name: set(row[name].split()) for name in NAMES}
    for row in rows(section("policies.md", "Who may do what"))
}
# These cover every role by their nature; the others are tested for one team.
OF_ALL = {"sidecar", "break-glass"}
TEAM, OTHER = "team-a", "team-b"


@pytest.fixture(scope="module")
def holders(stack):
    """A client for each policy, with a token that has nothing else; the narrowed ones are for one team's names."""
    root = stack.vault.api(stack.vault.root_token)
    clients = {}
    for name in NAMES:
        text = policy(name, role=None if name in OF_ALL else f"{TEAM}-*")
        clients[name] = holder(stack, root, f"test-{name}", text)
    return clients


def holder(stack, root, name, text):
    root.ask("PUT", f"v1/sys/policies/acl/{name}", {"policy": text})
    given = {"policies": [name], "no_default_policy": True, "no_parent": True, "ttl": "1h", "display_name": name}
    return stack.vault.api(root.ask("POST", "v1/auth/token/create", given).body["auth"]["client_token"])


def asked(client, operation, pattern, name):
    """Whether the server let a request through to whoever answers it; an empty one changes nothing that matters."""
    path = re.sub(r"<\w+>", name, pattern)
    if operation == LIST:
        path = path.rpartition("/")[0]
    answer = client.send(METHODS[operation], f"v1/{path}", {} if operation == WRITE else None)
    assert answer.status != 500, (operation, path, answer.body)
    return answer.status != 403


def test_every_path_of_the_mount_has_a_row():
    described = {f"sf/{description.pattern}".replace("{", "<").replace("}", ">") for description in api.TABLE}
    assert described == {path for path in MAY if path.startswith("sf/")}


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_grants_what_it_says_and_nothing_beside_it(holders, name):
    wrong = []
    for pattern, grants in MAY.items():
        named = "<" in pattern
        for operation in (LIST, READ, WRITE, DELETE):
            if operation == LIST and not named:
                continue
            granted = operation in grants[name]
            if asked(holders[name], operation, pattern, f"{TEAM}-nobody") != granted:
                wrong.append((operation, pattern, "should be granted" if granted else "should be refused"))
            # A list names no role, and shows those of all teams; what a policy covers as a whole has no other team.
            elsewhere = granted and (name in OF_ALL or not named or operation == LIST)
            if asked(holders[name], operation, pattern, f"{OTHER}-nobody") != elsewhere:
                wrong.append((operation, pattern, f"another team's, and granted: {not elsewhere}"))
    assert wrong == []


def test_what_the_document_tells_to_type_makes_the_policies(stack, tmp_path):
    terminal = Terminal(stack.vault.environment_of_cli(stack.vault.root_token), tmp_path, {})
    for command in commands((DOCS / "policies.md").read_text()):
        terminal.type(command)
    assert "salesforce-break-glass" in terminal.type("bao policy list")
    assert terminal.type("bao policy read team-a-operator") == policy("operator", role="team-a-*")


@pytest.mark.parametrize("block", blocks((DOCS / "policies.md").read_text(), "hcl"))
def test_a_policy_that_the_document_shows_is_one(block, tmp_path):
    file = tmp_path / "shown.hcl"
    file.write_text(block)
    subprocess.run((BAO, "policy", "fmt", str(file)), env={"HOME": str(tmp_path)}, capture_output=True, check=True)
    assert file.read_text() == block


def test_a_broad_policy_makes_nobody_a_sidecar_and_breaks_no_glass(stack, product):
    every = '["create", "update", "patch", "read", "delete", "list"]'
    broad = holder(stack, product.vault, "test-broad", f'path "sf/*" {{ capabilities = {every} }}')
    account = product.account()
    for method, path in (
        ("GET", f"reveal/{account.role}"),
        ("POST", "sidecar/mine"),
        ("POST", f"published/{account.role}"),
        ("DELETE", f"published/{account.role}"),
    ):
        assert broad.send(method, f"v1/sf/{path}", {} if method == "POST" else None).status == 403, path
    assert broad.send("GET", f"v1/sf/static-creds/{account.role}").status == 200
    assert product.version(account) == 1


@pytest.fixture
def team(product):
    """A role of a team on a connection of its own."""
    name = f"{TEAM}-{secrets.token_hex(4)}"
    url = product.stack.orgsim.url
    product.vault.ask("POST", f"v1/sf/config/{name}", {"login_url": url, "allowed_roles": [f"{TEAM}-*"]})
    password = product.password()
    username = product.user(password=password)
    body = {"config": name, "username": username, "password": password}
    product.vault.ask("POST", f"v1/sf/static-roles/{name}", body)
    return name


def test_an_operator_does_the_whole_job_and_sees_no_secret(holders, product, team):
    operator = holders["operator"]
    known = {product.vault.ask("GET", f"v1/sf/static-creds/{team}").data["password"]}
    answers = [operator.ask("POST", f"v1/sf/rotate/{team}", {})]
    assert answers[0].data["done"] is True
    known.add(product.vault.ask("GET", f"v1/sf/static-creds/{team}").data["password"])
    told = ("config", "static-roles", "status", "history", "version")
    answers += [operator.ask("GET", f"v1/sf/{path}/{team}") for path in told]
    lists = [operator.ask("LIST", f"v1/sf/{path}") for path in ("config", "static-roles", "status")]
    assert all(team in listed.data["keys"] for listed in lists)
    answers += lists
    answers.append(operator.ask("POST", f"v1/sf/resync/{team}", {"try": "published"}))
    answers.append(operator.ask("GET", "v1/sf/info"))
    assert not [secret for secret in known for answer in answers if secret in str(answer.body)]
    for path in ("static-creds", "creds", "reveal"):
        assert operator.send("GET", f"v1/sf/{path}/{team}").status == 403
    assert operator.send("GET", f"v1/salesforce/data/creds/{team}").status == 403
    operator.ask("DELETE", f"v1/sf/static-roles/{team}")
    operator.ask("DELETE", f"v1/sf/config/{team}")


def test_a_teams_operator_cannot_touch_another_teams_roles_but_sees_their_names(holders, product, team):
    operator = holders["operator"]
    theirs = product.account().role
    for method, path in (
        ("GET", "static-roles"),
        ("POST", "static-roles"),
        ("DELETE", "static-roles"),
        ("POST", "rotate"),
        ("POST", "resync"),
        ("POST", "security-token"),
        ("GET", "status"),
        ("GET", "history"),
        ("GET", "version"),
    ):
        assert operator.send(method, f"v1/sf/{path}/{theirs}", {} if method == "POST" else None).status == 403, path
    assert theirs in operator.ask("LIST", "v1/sf/status").data["keys"]


def test_a_teams_operator_cannot_use_another_teams_connection_or_user(holders, product, team):
    operator = holders["operator"]
    theirs, connection = product.account(), f"{OTHER}-{secrets.token_hex(4)}"
    url = product.stack.orgsim.url
    product.vault.ask("POST", f"v1/sf/config/{connection}", {"login_url": url, "allowed_roles": [f"{OTHER}-*"]})
    password = product.password()
    role = {"config": connection, "username": product.user(password=password), "password": password}
    refused = operator.send("POST", f"v1/sf/static-roles/{TEAM}-x", role)
    assert (refused.status, refused.body["code"]) == (409, "not_allowed")
    password = product.static_creds(theirs)["password"]
    role = {"config": team, "username": theirs.username, "password": password}
    refused = operator.send("POST", f"v1/sf/static-roles/{TEAM}-x", role)
    assert (refused.status, refused.body["code"]) == (409, "taken")
    assert theirs.role in refused.sentences
    assert operator.send("POST", f"v1/sf/config/{connection}", {"allowed_roles": ["*"]}).status == 403


def test_an_app_reads_its_own_credential_and_its_version(holders, product, team):
    app = holders["consumer"]
    password = product.vault.ask("GET", f"v1/sf/static-creds/{team}").data["password"]
    assert app.ask("GET", f"v1/sf/static-creds/{team}").data["password"] == password
    assert app.ask("GET", f"v1/salesforce/data/creds/{team}").data["data"]["password"] == password
    assert app.ask("GET", f"v1/sf/version/{team}").data["version"] == 1


def test_an_app_with_a_lease_renews_it_and_cannot_end_it(holders, product, team):
    app = holders["consumer-leased"]
    lease = app.ask("GET", f"v1/sf/creds/{team}").body["lease_id"]
    renewed = app.ask("PUT", "v1/sys/leases/renew", {"lease_id": lease})
    assert renewed.body["lease_duration"] == 600
    assert app.send("PUT", "v1/sys/leases/revoke", {"lease_id": lease}).status == 403


def test_who_breaks_the_glass_reads_everything_and_changes_nothing_but_a_lock(holders, product, team):
    glass = holders["break-glass"]
    published = glass.ask("GET", f"v1/salesforce/data/creds/{team}").data["data"]
    told = glass.ask("GET", f"v1/sf/reveal/{team}").data
    assert told["published_password"] == published["password"]
    entries = glass.ask("LIST", f"v1/{ENGINE_KV}/metadata/journal").data["keys"]
    entry = next(one for one in entries if one == told["username"].replace("@", "%40"))
    journal = glass.ask("GET", f"v1/{ENGINE_KV}/data/journal/{entry.replace('%', '%25')}").data["data"]
    assert journal["current_password"] == published["password"]
    glass.ask("POST", f"v1/sf/unlock/{team}", {})
    assert glass.send("POST", f"v1/sf/rotate/{team}", {}).status == 403


def granted(text):
    """The grants of a policy: path and capability, without those of the sidecar's own token."""
    for path, capabilities in re.findall(r'path "([^"]+)" \{\s*capabilities = \[([^\]]*)\]', text):
        for capability in re.findall(r'"(\w+)"', capabilities):
            yield path, capability


def matches(path, asked_path):
    """Whether a policy's path covers a request's."""
    pattern = re.escape(path).replace(r"\+", "[^/]+")
    pattern = pattern.removesuffix(r"\*") + ".*" if path.endswith("*") else pattern
    return re.fullmatch(pattern, asked_path) is not None


def test_the_sidecar_needs_every_grant_that_its_policy_holds(stack, product):
    """Each is found in the audit log of a stack that started, enrolled, rotated, and deleted."""
    name = f"p{secrets.token_hex(4)}"
    rule = 'length = 20 rule "charset" { charset = "abcdefghij" min-chars = 1 } rule "charset" { charset = "0123456789"'
    rule += ' min-chars = 1 } rule "charset" { charset = "ABCDEFGHIJ" min-chars = 1 }'
    product.vault.ask("PUT", f"v1/sys/policies/password/{name}", {"policy": rule})
    account = product.account(password_policy=name)
    assert product.rotate(account).data["done"] is True
    product.vault.ask("POST", f"v1/sf/resync/{account.role}", {"try": "served"})
    product.vault.ask("DELETE", f"v1/sf/static-roles/{account.role}")
    done = set()
    for line in stack.vault.shared.audit.read_text().splitlines():
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            if entry["type"] == "request" and POLICY in entry.get("auth", {}).get("token_policies", ()):
                done.add((entry["request"]["path"], entry["request"]["operation"]))
    assert len(done) > 20

    def is_needed(path, capability):
        # The server asks for create or for update by what the plugin or KV says of the path, so both are one grant.
        # The engine's root paths let nobody write without sudo.
        words = {"create", "update"} if capability in ("create", "update", "sudo") else {capability}
        return any(operation in words and matches(path, at) for at, operation in done)

    idle = [grant for grant in granted(policy("sidecar")) if not is_needed(*grant)]
    # What keeps its own token alive is done long after a start; the tests of its login do it.
    assert {path for path, _ in idle} <= {"auth/token/lookup-self", "auth/token/renew-self"}, idle


def test_a_stolen_sidecar_token_opens_nothing_else_of_the_server(stack, product, holders):
    """Not the plugin that runs, no policy, no token, no mount, no audit device, no other secret, no snapshot."""
    thief = holders["sidecar"]
    other = f"other-{secrets.token_hex(4)}"
    product.vault.ask("POST", f"v1/sys/mounts/{other}", {"type": "kv", "options": {"version": "2"}})
    try:
        asked_for = {
            "POST": (
                f"{other}/data/x", "auth/token/create", "auth/token/create-orphan", "auth/token/renew",
                "auth/token/revoke-accessor", "sys/policies/acl/mine", "sys/mounts/mine", "sys/auth/mine",
                "sys/audit/mine", "sys/plugins/catalog/secret/mine", "sys/plugins/reload/backend",
                "sys/mounts/sf/tune", "sys/seal",
                "sys/step-down", "sys/remount", "sys/wrapping/wrap", "sys/leases/revoke", "sys/policies/password/mine",
                f"auth/approle/role/{POLICY}/secret-id", f"auth/approle/role/{POLICY}", "identity/entity",
                "salesforce/config", f"{ENGINE_KV}/config", "salesforce/undelete/creds/x",
            ),
            "GET": (
                f"{other}/data/x", "sys/mounts", "sys/policies/acl/root", "sys/audit", "sys/storage/raft/snapshot",
                "sys/plugins/catalog/secret", f"auth/approle/role/{POLICY}/role-id", "sys/raw/sys/token", "sys/auth",
                "cubbyhole/x",
            ),
            "LIST": (f"{other}/metadata", "auth/token/accessors", "sys/leases/lookup/sf/creds", "identity/entity/id"),
            "DELETE": ("sys/mounts/sf", "sys/mounts/salesforce", "sys/audit/dev", "salesforce/metadata/creds/x"),
        }  # fmt: skip
        for method, paths in asked_for.items():
            for path in paths:
                answer = thief.send(method, f"v1/{path}", {} if method == "POST" else None)
                assert answer.status == 403, (method, path, answer.status, answer.body)
        assert product.vault.ask("GET", "v1/sys/mounts").data.keys() >= {"sf/", "salesforce/", f"{other}/"}
    finally:
        product.vault.ask("DELETE", f"v1/sys/mounts/{other}")


@pytest.mark.parametrize("path", ["sf/sidecar/+", "sf/published/+"])
def test_without_sudo_a_sidecar_is_none(stack, product, path):
    text = policy("sidecar")
    at = text.index(f'path "{path}"')
    without = text[:at] + text[at:].replace(', "sudo"', "", 1)
    client = holder(stack, product.vault, f"test-{path.split('/')[1]}", without)
    ask = partial(client.send, "POST")
    assert {place: ask(f"v1/sf/{place}/x", {}).status == 403 for place in ("sidecar", "published")} == {
        "sidecar": "sidecar" in path,
        "published": "published" in path,
    }
