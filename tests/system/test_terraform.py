"""docs/terraform.md, replayed: the very requests of the provider's generic endpoint, and what it makes of the answers.

Source: hashicorp/terraform-provider-vault, resource_generic_endpoint: a create or an update is a PUT of `data_json`
and a GET; a refresh is a GET, of which only the members of `data_json` count with `ignore_absent_fields`; a plan shows
a change where the normalised JSON differs.
"""

import json
import re
import secrets
from dataclasses import dataclass, field

import pytest
from typed import DOCS, blocks

from vault_plugin_sdk.framework.fields import LIST, SECRET, declared
from vault_salesforce_contract.api.config import Config
from vault_salesforce_contract.api.static_roles import StaticRole

pytestmark = pytest.mark.system

PAGE = (DOCS / "terraform.md").read_text()
FLAGS = re.DOTALL | re.MULTILINE


@dataclass
class Endpoint:
    """A `vault_generic_endpoint` with its state."""

    path: str
    data: dict
    options: set
    state: dict = field(default_factory=dict)

    def apply(self, vault):
        """Create or update; the answer to the write."""
        answer = vault.ask("PUT", f"v1/{self.path}", self.data)
        self.state = dict(self.data)
        self.refresh(vault)
        return answer

    def refresh(self, vault):
        """Read what is there into the state."""
        if "disable_read" not in self.options:
            found = vault.ask("GET", f"v1/{self.path}").data
            if "ignore_absent_fields" in self.options:
                found = self.state | {name: value for name, value in found.items() if name in self.state}
            self.state = dict(found)

    def changes(self, vault):
        """What a plan shows."""
        self.refresh(vault)
        # Compared as text: 600 and "600", or 1 and true, are not the same there.
        written, known = ({name: json.dumps(value) for name, value in one.items()} for one in (self.data, self.state))
        return {name for name in written.keys() | known.keys() if written.get(name) != known.get(name)}


def endpoints(**values):
    """The generic endpoints of the document, with its literals replaced."""
    text = "\n".join(blocks(PAGE, "hcl"))
    for name, here in values.items():
        text = text.replace(LITERALS[name], here)
    found = {}
    for name, body in re.findall(r'^resource "vault_generic_endpoint" "([\w-]+)" \{\n(.*?)^\}', text, FLAGS):
        (path,) = re.findall(r'^ +path += "([^"\n]*)"$', body, FLAGS)
        options = set(re.findall(r"^ +(\w+) += true$", body, FLAGS))
        (data,) = re.findall(r"jsonencode\(\{\n(.*?)\}\)", body, FLAGS)
        members = dict(re.findall(r"^ +(\w+) += ([^\n]*)$", data, FLAGS))
        found[name] = Endpoint(path, {key: json.loads(value) for key, value in members.items()}, options)
    return found


LITERALS = {
    "url": "https://example.my.salesforce.com",
    "username": "integration@example.com",
    "password": "var.crm_password",
    "role": "crm",
    "connection": "prod",
}


@pytest.fixture
def applied(product):
    """The document's resources, created in their order."""
    password = product.password()
    username = product.user(password=password)
    role = f"tf-{username.partition('@')[0]}"
    made = endpoints(
        password=json.dumps(password),
        role=role,
        connection=f"org-{role}",
        url=product.stack.orgsim.url,
        username=username,
    )
    return password, username, {name: (resource, resource.apply(product.vault)) for name, resource in made.items()}


def test_what_the_document_shows_is_applied_and_a_second_plan_shows_no_change(product, applied):
    _, username, resources = applied
    assert len(resources) == 3
    for name, (resource, _) in resources.items():
        assert resource.changes(product.vault) == set(), name
    *_, (rotation, answer) = resources.values()
    assert answer.data["version"] == 2
    assert rotation.options >= {"disable_read", "disable_delete"}
    role = rotation.path.rpartition("/")[2]
    assert product.vault.ask("GET", f"v1/sf/static-creds/{role}").data["username"] == username


def test_an_update_sends_the_first_password_again_for_ever_and_it_is_ignored_without_a_login(product, applied):
    password, username, resources = applied
    role = next(resource for resource, _ in resources.values() if "static-roles" in resource.path)
    logins = product.org.ask("GET", f"users/{username}").body["logins"]
    role.data["ttl"] = 300
    assert role.changes(product.vault) == {"ttl"}
    answer = role.apply(product.vault)
    assert "password" in " ".join(answer.body["warnings"])
    assert password not in str(answer.body)
    assert role.changes(product.vault) == set()
    assert product.org.ask("GET", f"users/{username}").body["logins"] == logins
    role.data["password"] = None
    assert role.changes(product.vault) == {"password"}
    role.apply(product.vault)
    assert password not in str(role.state)
    assert role.changes(product.vault) == set()
    role.data["password"] = product.password()
    refused = product.vault.send("PUT", f"v1/{role.path}", role.data)
    assert refused.status == 400
    assert "resync" in refused.sentences + str(refused.body.get("remedy"))


def rows_of_types():
    table = PAGE.partition("| | write | not |")[2]
    return re.findall(r"^\| (an? [\w ]+) \| `(.*)` \| `(.*)` \|$", table, re.MULTILINE)


FIELD_OF = {
    "a duration": "rotation_period",
    "a list": "allowed_roles",
    "a boolean": "disable_automated_rotation",
    "a time": "initial_rotation_at",
    "an API version": "api_version",
}


def test_each_value_is_read_back_as_the_table_tells_to_write_it(product, applied):
    _, _, resources = applied
    by_path = {resource.path.split("/")[1]: resource for resource, _ in resources.values()}
    rows = rows_of_types()
    assert [row[0] for row in rows] == list(FIELD_OF)
    for what, good, bad in rows:
        name = FIELD_OF[what]
        resource = by_path["config" if name in declared(Config) else "static-roles"]
        kept = dict(resource.data)
        resource.data = kept | {name: json.loads(good)}
        resource.apply(product.vault)
        assert resource.changes(product.vault) == set(), what
        resource.data = kept | {name: json.loads(bad)}
        answer = product.vault.send("PUT", f"v1/{resource.path}", resource.data)
        if answer.status < 400:
            resource.apply(product.vault)
            assert resource.changes(product.vault) == {name}, what
        resource.data = kept
        resource.apply(product.vault)


# A value, other than the default, for every field that is no secret.
ROLE = {
    "self_managed": True,
    "self_login": "password",
    "end_sessions": True,
    "rotation_period": 86_400,
    "initial_rotation_at": "2040-01-31T09:00:00Z",
    "disable_automated_rotation": True,
    "rotate_on_lease_end": "any",
    "lease_rotation_interval": 60,
    "security_token_from": "manual",
    "verify": "login",
    "password_policy": "strict",
    "ttl": 300,
    "max_ttl": 3600,
    "consumer_hints": "ttl",
}
SCHEDULED = {"rotation_schedule": "0 3 * * 6", "rotation_time_zone": "Europe/Berlin", "rotation_window": 7200}
CONNECTION = {
    "auth_method": "none",
    "username": "",
    "api_version": "63.0",
    "ca_cert": "",
    "allowed_hosts": ["b.example.com", "a.example.com:8443"],
    "allowed_roles": ["b-*", "a"],
    "admin_may_rotate": [],
    "mailbox": "",
    "sidecar_address": "trusted",
    "client_id": "3MVG9-consumer-key",
    "soap_endpoint": "enterprise",
    "password_login": "soap",
    "set_password_by": "soap",
    "organization_id": "",
    "mailbox_auth": "xoauth2",
    "mailbox_after": "keep",
    "client_cert": "",
}


def test_every_field_that_is_no_secret_is_read_back_as_it_was_written(product):
    rule = {"policy": 'length = 20 rule "charset" { charset = "abcdefghij" min-chars = 1 }'}
    product.vault.ask("PUT", f"v1/sys/policies/password/{ROLE['password_policy']}", rule)
    password = product.password()
    username = product.user(password=password)
    name = f"tf-{username.partition('@')[0]}"
    written = CONNECTION | {"login_url": product.stack.orgsim.url, "client_secret": secrets.token_urlsafe(24)}
    connection = Endpoint(f"sf/config/{name}", written, {"ignore_absent_fields"})
    connection.data["allowed_roles"].append(name)
    given = {"config": name, "username": username, "password": password}
    role = Endpoint(f"sf/static-roles/{name}", given | ROLE, {"ignore_absent_fields"})
    for record, written in ((Config, connection.data), (StaticRole, role.data | SCHEDULED)):
        fields = declared(record)
        missing = {field for field, item in fields.items() if item.kind is not SECRET} - written.keys()
        assert not missing, f"give {missing} a value here"
        assert all(isinstance(written[field], list) for field, item in fields.items() if item.kind is LIST)
    for resource in (connection, role):
        resource.apply(product.vault)
        assert resource.changes(product.vault) == set(), resource.path
    role.data = given | {name: value for name, value in ROLE.items() if name != "rotation_period"} | SCHEDULED
    role.apply(product.vault)
    assert role.changes(product.vault) == set()
