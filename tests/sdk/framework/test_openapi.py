"""The OpenAPI document."""

import json
import re
from datetime import UTC, datetime

import pytest

from vault_plugin_sdk.framework.coerce import Kind
from vault_plugin_sdk.framework.fields import ABSENT, Field
from vault_plugin_sdk.framework.openapi import Documented, document
from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.request import Operation

EVERYTHING = frozenset(Operation)
METHODS = {"get", "post", "patch", "delete"}
ROLE = Description(
    "roles/{name}",
    help="A role,\n  in two lines.",
    fields={
        "username": Field(Kind.TEXT, "Whose.", choices=("a", "b")),
        "ttl": Field(Kind.DURATION, "How long.", default=ABSENT, initial=600, minimum=1),
        "rank": Field(Kind.INTEGER, "Rank.", default=3, minimum=1, maximum=9),
        "password": Field(Kind.SECRET, "Password.", default=SecretStr("hunter2")),
    },
    query={"brief": Field(Kind.BOOLEAN, "Say less.", default=False)},
)
MEMBER = Description("sets/{set}/members/{member}", help="A member.")
INFO = Description("info", help="Info.")


def made(*documented, **more):
    paths = [Documented(description, operations) for description, operations in documented]
    return json.loads(json.dumps(document(paths, title="An engine.", **more)))


def operations_of(openapi):
    return [
        (path, method, item[method]) for path, item in openapi["paths"].items() for method in METHODS if method in item
    ]


def follows_openapi(openapi):
    """The rules of OpenAPI 3.0 that generators of clients trip over."""
    assert openapi["openapi"].startswith("3.0.")
    assert all(isinstance(openapi["info"][name], str) for name in ("title", "version"))
    ids = [operation["operationId"] for _, _, operation in operations_of(openapi)]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z0-9_-]+", one) for one in ids)
    for path, item in openapi["paths"].items():
        assert path.startswith("/")
        named = {parameter["name"] for parameter in item.get("parameters", [])}
        assert named == set(re.findall(r"{(\w+)}", path))
        assert all(parameter["required"] and parameter["in"] == "path" for parameter in item.get("parameters", []))
    for _, method, operation in operations_of(openapi):
        assert operation["responses"]
        assert all(answer["description"] for answer in operation["responses"].values())
        assert method in ("post", "patch") or "requestBody" not in operation
        for parameter in operation.get("parameters", []):
            assert parameter["in"] == "query"
            assert parameter["schema"]["type"]
        for media in operation.get("requestBody", {}).get("content", {}).values():
            schema = media["schema"]
            assert set(schema.get("required", ["x"])) - set(schema["properties"]) <= {"x"}
            assert schema.get("required") != []
            assert all(one["type"] and one["description"] for one in schema["properties"].values())
            assert all("items" in one for one in schema["properties"].values() if one["type"] == "array")
    assert "$ref" not in json.dumps(openapi)


def test_a_path_has_its_methods_its_names_and_its_fields():
    openapi = made((ROLE, EVERYTHING), prefix="Example engine")
    follows_openapi(openapi)

    item = openapi["paths"]["/roles/{name}"]
    assert item["description"] == "A role, in two lines."
    assert set(item) & METHODS == METHODS
    assert item["x-vault-createSupported"] is True
    (name,) = item["parameters"]
    assert re.fullmatch(name["schema"]["pattern"], "crm-1")
    body = item["post"]["requestBody"]
    assert body["required"]
    assert body["content"]["application/json"]["schema"]["required"] == ["username"]
    assert item["patch"]["requestBody"]["required"] is False
    assert "required" not in item["patch"]["requestBody"]["content"]["application/merge-patch+json"]["schema"]
    assert [parameter["name"] for parameter in item["get"]["parameters"]] == ["brief"]
    assert item["get"]["operationId"] == "example-engine-read-roles-name"
    assert item["post"]["operationId"] == "example-engine-write-roles-name"
    assert set(item["delete"]["responses"]) == {"204"}
    assert item["get"]["tags"] == ["secrets"]


def test_a_list_is_a_get_of_the_collection_with_its_slash():
    openapi = made((ROLE, {Operation.LIST, Operation.READ}), (MEMBER, {Operation.LIST}))
    follows_openapi(openapi)

    assert set(openapi["paths"]) == {"/roles/", "/roles/{name}", "/sets/{set}/members/"}
    listed = openapi["paths"]["/roles/"]["get"]
    taken = [(one["name"], one["required"]) for one in listed["parameters"]]
    assert taken == [("list", True), ("after", False), ("brief", False), ("limit", False)]
    assert listed["parameters"][0]["schema"]["enum"] == ["true"]
    assert "keys" in listed["responses"]["200"]["content"]["application/json"]["schema"]["properties"]
    assert listed["operationId"] == "list-roles"
    assert [one["name"] for one in openapi["paths"]["/sets/{set}/members/"]["parameters"]] == ["set"]


def test_fields_tell_kind_choices_bounds_and_default_and_no_secret():
    openapi = made((ROLE, EVERYTHING))
    fields = openapi["paths"]["/roles/{name}"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    properties = fields["properties"]
    assert properties["username"] == {"type": "string", "enum": ["a", "b"], "description": "Whose."}
    assert properties["ttl"] == {
        "type": "string",
        "format": "duration",
        "default": "600s",
        "description": "How long.",
    }
    assert (properties["rank"]["minimum"], properties["rank"]["maximum"], properties["rank"]["default"]) == (1, 9, 3)
    assert properties["password"]["x-vault-displayAttrs"] == {"sensitive": True}
    assert "hunter2" not in json.dumps(openapi)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_schema(kind):
    description = Description("x", help="X.", fields={"it": Field(kind, "It.", default=None)})
    follows_openapi(made((description, {Operation.UPDATE})))


@pytest.mark.parametrize(
    ("kind", "default", "shown"),
    [
        (Kind.LIST, ("a",), ["a"]),
        (Kind.BOOLEAN, False, False),
        (Kind.MAP, {"a": 1}, {"a": 1}),
        (Kind.TIME, datetime(2030, 1, 1, tzinfo=UTC), "2030-01-01T00:00:00Z"),
    ],
)
def test_a_default_is_what_a_client_would_write(kind, default, shown):
    description = Description("x", help="X.", query={"it": Field(kind, "It.", default=default)})
    (parameter,) = made((description, {Operation.READ}))["paths"]["/x"]["get"]["parameters"]
    assert parameter["schema"]["default"] == shown


def test_special_paths_are_marked():
    documented = [(ROLE, {Operation.READ, Operation.LIST}), (MEMBER, {Operation.READ}), (INFO, {Operation.READ})]
    openapi = made(*documented, root=("roles/*", "sets/+/members/*"), unauthenticated=("info",))
    marked = {path for path, item in openapi["paths"].items() if item.get("x-vault-sudo")}
    assert marked == {"/roles/", "/roles/{name}", "/sets/{set}/members/{member}"}
    assert openapi["paths"]["/info"]["x-vault-unauthenticated"] is True
    assert "x-vault-unauthenticated" not in openapi["paths"]["/roles/"]
    assert "x-vault-sudo" not in made((ROLE, {Operation.READ}), root=("rol", "roles"))["paths"]["/roles/{name}"]


def test_a_path_of_which_nothing_is_known_is_still_told():
    assert made((INFO, ()))["paths"] == {"/info": {"description": "Info."}}


def test_a_create_alone_is_a_post_of_its_own_and_an_update_alone_supports_none():
    created = made((INFO, {Operation.CREATE}))["paths"]["/info"]
    assert (created["post"]["operationId"], created["x-vault-createSupported"]) == ("create-info", True)
    assert "x-vault-createSupported" not in made((INFO, {Operation.UPDATE}))["paths"]["/info"]


def test_of_two_with_one_path_the_first_counts():
    again = Description("info", help="Another.")
    assert made((INFO, ()), (again, ()))["paths"]["/info"]["description"] == "Info."
