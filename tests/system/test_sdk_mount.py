"""The SDK under real servers: a tiny engine, registered, mounted and driven through the HTTP API."""

import http.client
import json
import os
import signal
import urllib.parse
from collections.abc import Iterator

import pytest
from dev_server import DevServer, dev_server
from servers import BOTH, NEWEST
from wire_host import EXAMPLE

NAME = "vault-plugin-secrets-example"
VERSION = "v0.3.1"

pytestmark = pytest.mark.system


def registered(server: DevServer) -> DevServer:
    """The server with the example in its catalog."""
    answer = server.register(NAME, EXAMPLE, VERSION)
    assert answer.status == 204, answer.body
    return server


@pytest.fixture(scope="module", params=BOTH)
def bao(request: pytest.FixtureRequest) -> Iterator[DevServer]:
    """A server with the example mounted at `ex`, for tests that leave it as it was."""
    with dev_server(BOTH[request.param]) as server:
        through = {"passthrough_request_headers": ["X-Mine"], "allowed_response_headers": ["X-Engine"]}
        registered(server).mount("ex", NAME, **through)
        yield server


@pytest.fixture
def own() -> Iterator[DevServer]:
    """A server for a test that breaks things."""
    with dev_server(NEWEST) as server:
        yield registered(server)


def test_an_engine_serves_storage_leases_errors_and_help(bao):
    assert bao.call("POST", "ex/kv/one/a", {"colour": "blue"}).status == 204
    assert bao.call("GET", "ex/kv/one/a").data == {"colour": "blue"}
    assert bao.call("LIST", "ex/kv/one/").data == {"keys": ["a"]}
    assert bao.call("GET", "ex/kv/one/none").status == 404

    lease = bao.call("GET", "ex/leased").body
    assert lease["renewable"]
    assert lease["lease_duration"] == 60
    for increment in (30, 20):
        renewed = bao.call("PUT", "sys/leases/renew", {"lease_id": lease["lease_id"], "increment": increment})
        assert renewed.body["lease_duration"] == increment, renewed
    assert bao.call("PUT", "sys/leases/revoke", {"lease_id": lease["lease_id"], "sync": True}).status == 204
    assert "revoked 7" in bao.call("GET", "ex/seen").data["seen"]

    refused = bao.call("GET", "ex/caller-error")
    assert refused.status == 404
    assert refused.body == {"errors": ["no such role; create it"], "code": "role_unknown", "remedy": "create it"}
    assert bao.call("GET", "ex/transient-error").body["retry_after_seconds"] == 3
    broken = bao.call("GET", "ex/bug")
    assert (broken.status, list(broken.body)) == (500, ["errors"])
    incident = broken.body["errors"][0].split()[2].rstrip(":")
    assert bao.eventually(lambda: f"incident={incident}" in bao.log.read_text())
    (line,) = [line for line in bao.log.read_text().splitlines() if f"incident={incident}" in line]
    assert "[ERROR]" in line
    accepted = bao.call("GET", "ex/accepted")
    assert (accepted.status, accepted.body) == (202, {"state": "rotating"})
    assert bao.call("POST", "ex/kv/one/a", {"x": "y" * 2_000_000}).status == 400
    assert bao.call("POST", "ex/echo", {}).body["warnings"] == ["mind the gap"]
    assert bao.call("PUT", "ex/echo").data["data"] == {}
    assert len(bao.call("GET", "ex/big/5000000").data["text"]) == 5_000_000
    assert "hunter2" not in bao.log.read_text()


def test_operations_and_parameters_arrive_as_they_were_meant(bao):
    colour = {"colour": "red"}
    assert bao.call("POST", "ex/items/new", colour).data["operation"] == "create"
    assert bao.call("POST", "ex/items/old", colour).data["operation"] == "update"
    assert bao.call("POST", "ex/items/unknown", colour).data["operation"] == "update"
    written = bao.call("POST", "ex/items/old", colour | {"period": "24h", "tags": "a, b", "pin": 7}).data
    assert (written["period"], written["tags"], written["pin"]) == (86_400, ["a", "b"], True)

    merge = {"Content-Type": "application/merge-patch+json"}
    patched = bao.call("PATCH", "ex/items/old", {"period": None, "tags": ["c"]}, headers=merge).data
    assert patched == {"operation": "patch", "name": "old", "period": 60, "tags": ["c"]}

    assert bao.call("GET", "ex/items/old?tags=a&tags=b").data["tags"] == ["a", "b"]
    assert bao.call("GET", "ex/items/old?tags=a,b").data["tags"] == ["a", "b"]
    listed = bao.call("GET", "ex/items?list=true&tags=x").data
    assert listed == {"keys": ["a", "b"], "key_info": {"a": {"tags": ["x"]}}}
    assert bao.call("GET", "ex/items?list=true&after=a&limit=5").data == {"keys": ["b"]}
    assert bao.call("GET", "ex/items?list=true&after=b").status == 404
    assert bao.call("GET", "ex/items/old?oddity=1").body["warnings"] == ["unknown field 'oddity'"]

    faults = bao.call("POST", "ex/items/old", {"colour": "green", "period": "-1h"})
    assert faults.status == 400
    assert "colour must be one of red, blue" in faults.body["errors"][0]
    assert "period must be a duration" in faults.body["errors"][0]

    for path, method in (("items/", "SCAN"), ("items/old", "HEAD"), ("kv/a", "HEAD"), ("kv/", "SCAN")):
        assert bao.call(method, f"ex/{path}").status == 405
    assert bao.call("GET", "ex/kv/a").status == 404


def test_the_document_is_merged_under_the_path_of_the_mount(bao):
    merged = bao.call("GET", "sys/internal/specs/openapi").body
    paths = {path: item for path, item in merged["paths"].items() if path.startswith("/ex/")}
    assert set(paths) == {"/ex/items/{name}", "/ex/items/"}

    item = paths["/ex/items/{name}"]
    assert item["x-vault-createSupported"] is True
    assert [parameter["name"] for parameter in item["parameters"]] == ["name"]
    body = item["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["colour"]
    assert body["properties"]["colour"]["enum"] == ["red", "blue"]
    assert body["properties"]["period"] == {
        "type": "string",
        "format": "duration",
        "default": "60s",
        "description": "How often.",
    }
    assert body["properties"]["tags"]["items"] == {"type": "string"}
    assert body["properties"]["pin"]["x-vault-displayAttrs"] == {"sensitive": True}
    assert item["get"]["operationId"] == f"{NAME}-read-items-name"
    listed = paths["/ex/items/"]["get"]
    assert ("list", True) in {(parameter["name"], parameter.get("required")) for parameter in listed["parameters"]}

    everything = [op for paths in merged["paths"].values() for op in paths.values() if isinstance(op, dict)]
    ids = [operation["operationId"] for operation in everything if operation.get("operationId", "").startswith(NAME)]
    assert len(ids) == len(set(ids)) == 4

    help_of_mount, help_of_path = bao.call("GET", "ex?help=1").body, bao.call("GET", "ex/items/x?help=1").body
    assert "An example." in help_of_mount["help"]
    assert "colour (string, red | blue, required)" in help_of_path["help"]
    assert set(help_of_path["openapi"]["paths"]) == {"/items/{name}", "/items/"}


def test_answers_are_wrapped_for_who_asks_and_where_the_engine_wants_it(bao):
    asked = bao.call("GET", "ex/kv/none", headers={"X-Vault-Wrap-TTL": "60s"})
    assert asked.status == 404
    bao.call("POST", "ex/kv/wrap", {"a": 1})
    asked = bao.call("GET", "ex/kv/wrap", headers={"X-Vault-Wrap-TTL": "60s"}).body
    assert (asked["data"], asked["wrap_info"]["ttl"]) == (None, 60)
    assert bao.call("POST", "sys/wrapping/unwrap", token=asked["wrap_info"]["token"]).data == {"a": 1}

    wanted = bao.call("GET", "ex/wrapped").body
    assert (wanted["data"], wanted["wrap_info"]["ttl"]) == (None, 90)
    token = wanted["wrap_info"]["token"]
    assert bao.call("POST", "sys/wrapping/unwrap", token=token).data == {"password": "pa55"}
    assert bao.call("POST", "sys/wrapping/unwrap", token=token).status == 400


def test_headers_pass_in_both_directions_as_far_as_the_mount_lets_them(bao):
    answer = bao.call("GET", "ex/headers", headers={"X-Mine": "1", "X-Other": "2"})
    assert answer.data == {"headers": {"X-Mine": ["1"]}, "wrap": 0}
    assert answer.headers.get_all("X-Engine") == ["a", "b"]


def test_special_paths_are_the_servers_business(bao):
    policy = 'path "ex/*" { capabilities = ["read"] }'
    bao.call("PUT", "sys/policies/acl/reader", {"policy": policy})
    bao.call("PUT", "sys/policies/acl/guard", {"policy": policy.replace('["read"]', '["read", "sudo"]')})
    reader, guard = (
        bao.call("POST", "auth/token/create", {"policies": [name]}).body["auth"]["client_token"]
        for name in ("reader", "guard")
    )

    assert bao.call("GET", "ex/guarded/a", token=reader).status == 403
    assert bao.call("GET", "ex/guarded/a", token=guard).data == {"reached": "guarded/a"}
    assert bao.call("GET", "ex/open", token="").data == {"reached": "open"}
    assert bao.call("GET", "ex/echo", token="").status == 403


def test_another_name_of_a_path_is_resolved_before_the_policy_is_asked(bao):
    """A server of 2.6 does not ask; the engine gets the name as it was given."""
    bao.call("POST", "ex/kv/known", {"a": 1})
    policy = 'path "ex/kv/known" { capabilities = ["read"] }'
    bao.call("PUT", "sys/policies/acl/known", {"policy": policy})
    token = bao.call("POST", "auth/token/create", {"policies": ["known"]}).body["auth"]["client_token"]

    answer = bao.call("GET", "ex/alias/KNOWN", token=token)
    broken = bao.call("GET", "ex/boom")

    asks = bao.binary == NEWEST
    assert answer.status == (200 if asks else 403)
    assert not asks or answer.data == {"a": 1}
    assert broken.status == 404


def test_the_server_answers_what_an_engine_asks(bao):
    seen = bao.call("GET", "ex/system/all").data
    assert seen["state"] == [12288, False, False]
    assert seen["ttls"] == [2_764_800, 2_764_800]
    assert seen["version"].startswith("2.")
    assert len(seen["where"][2]) == 36

    absent = bao.call("GET", "ex/system/absent").data["said"]
    assert absent == ["the server has no /pb.SystemView/GenerateIdentityToken"] * 2
    bao.call("PUT", "sys/policies/password/p", {"policy": 'length = 9 rule "charset" { charset = "ab" }'})
    assert set(bao.call("GET", "ex/policy/p").data["password"]) <= {"a", "b"}
    assert bao.call("GET", "ex/policy/missing").status == 500


def test_the_entity_behind_a_caller_is_told(bao):
    bao.call("PUT", "sys/policies/acl/entity", {"policy": 'path "ex/system/*" { capabilities = ["read"] }'})
    bao.call("POST", "sys/auth/userpass", {"type": "userpass"})
    bao.call("POST", "auth/userpass/users/alice", {"password": "alice-1", "token_policies": "entity"})
    login = bao.call("POST", "auth/userpass/login/alice", {"password": "alice-1"}, token="").body["auth"]
    bao.call("POST", "identity/group", {"name": "crm", "member_entity_ids": [login["entity_id"]]})

    told = bao.call("GET", "ex/system/entity", token=login["client_token"]).data

    assert told["aliases"] == ["alice"]
    assert told["name"].startswith("entity_")
    assert told["groups"] == ["crm"]
    assert bao.call("GET", "ex/system/entity").data == {"name": None, "aliases": [], "groups": []}


def test_transactions_are_whole_and_lists_come_in_pages(bao):
    for key in ("kv/p1", "kv/p2", "kv/p3"):
        bao.call("POST", f"ex/{key}", {})
    assert bao.call("LIST", "ex/page?after=p0").data == {"keys": ["p1", "p2"]}
    assert bao.call("LIST", "ex/page?after=p2").data["keys"][0] == "p3"

    ends = {}
    for end in ("commit", "error", "conflict"):
        bao.call("DELETE", "ex/kv/in")
        ends[end] = bao.call("GET", f"ex/transaction/{end}").data
    assert all(one["is"] and one["inside"] and not one["outside"] for one in ends.values())
    assert (ends["commit"]["said"], ends["commit"]["after"]) == ("", True)
    assert (ends["error"]["said"], ends["error"]["after"]) == ("rolled back", False)
    assert ends["conflict"]["said"] == "transaction commit failed"


def test_a_handler_is_cancelled_when_its_client_goes_away(bao):
    where = urllib.parse.urlsplit(bao.address)
    client = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
    client.request("GET", "/v1/ex/sleep/30", headers={"X-Vault-Token": "root"})
    assert bao.eventually(lambda: "asleep" in bao.call("GET", "ex/seen").data["seen"])
    assert "cancelled" not in bao.call("GET", "ex/seen").data["seen"]

    client.close()

    assert bao.eventually(lambda: "cancelled" in bao.call("GET", "ex/seen").data["seen"])


def test_a_registration_that_names_another_version_is_refused(bao):
    refused = bao.register(NAME, EXAMPLE, "v9.9.9")
    assert refused.status == 400
    catalog = bao.call("GET", "sys/plugins/catalog/secret?list=true").data
    versions = [one["version"] for one in catalog.get("detailed", []) if one["name"] == NAME]
    assert set(versions) <= {VERSION}
    mounted = bao.call("GET", "sys/mounts").data["ex/"]
    assert mounted["running_plugin_version"] == VERSION


FAILING = f"""
import runpy

import vault_plugin_sdk.wire.ownership as ownership
import vault_plugin_sdk.wire.process as process
from vault_plugin_sdk.wire.methods import RpcError, Status, Unary
from vault_plugin_sdk.wire.proto import go_plugin_pb2 as go_plugin

ownership.UNCLAIMED_SECONDS = 1.0
methods = process._methods


async def fail(*_):
    raise RpcError(Status.INTERNAL, "a fault of this plugin")


def failing(*given):
    row = Unary(fail, go_plugin.Nothing, go_plugin.MultiplexingSupportResponse)
    return methods(*given) | {{"/pluginutil.multiplexing.PluginMultiplexing/MultiplexingSupport": row}}


process._methods = failing
runpy.run_path({str(EXAMPLE)!r}, run_name="__main__")
"""


def test_a_first_attempt_that_fails_is_what_the_operator_reads_and_its_process_ends(bao, tmp_path):
    """The server keeps the connection to that process, and tries again with the protocol of long ago."""
    program, others = tmp_path / "failing.py", bao.plugin_pids()
    program.write_text(FAILING)
    assert bao.register("failing", program, "").status == 204  # a file that fails is registered all the same

    refused = bao.call("POST", "sys/mounts/failing", {"type": "failing"})

    assert refused.status == 400
    first, second, _ = refused.body["errors"][0].partition("Unrecognized remote plugin message")
    assert "a fault of this plugin" in first
    assert second
    assert "if an attempt with 5 came before this one, its error is the one to mend" in bao.log.read_text()
    assert bao.eventually(lambda: bao.plugin_pids() == others)


def test_nothing_that_is_printed_or_logged_brings_the_server_down(own):
    own.mount("ex", NAME)
    fatal = json.dumps({"@message": 5, "@level": {}, "@timestamp": []})

    for way in ("print", "descriptor", "log"):
        assert own.call("POST", "ex/print", {"way": way, "text": fatal}).status == 204
    assert own.call("POST", "ex/print", {"way": "log", "text": "a\nlong\n" + "é" * 200_000}).status == 204

    assert own.eventually(lambda: own.log.read_text().count(fatal) == 3)
    assert own.call("GET", "sys/health").status == 200


def test_two_mounts_share_a_process_that_comes_back_after_a_crash(own):
    own.mount("one", NAME)
    own.mount("two", NAME)
    own.call("POST", "one/kv/a", {"n": 1})
    own.call("POST", "two/kv/a", {"n": 2})
    (pid,) = own.plugin_pids()

    os.kill(pid, signal.SIGKILL)
    assert own.eventually(lambda: own.call("GET", "one/kv/a").status == 200)
    assert own.eventually(lambda: own.call("GET", "two/kv/a").status == 200)
    assert own.call("GET", "one/kv/a").data == {"n": 1}
    assert own.call("GET", "two/kv/a").data == {"n": 2}

    assert own.call("PUT", "sys/plugins/reload/backend", {"mounts": ["one"]}).status in {200, 204}
    assert own.call("GET", "one/kv/a").status == 200
    assert own.eventually(lambda: own.call("GET", "two/kv/a").status == 200)
    (after,) = own.plugin_pids()
    assert after != pid


def test_a_killed_server_leaves_no_plugin_behind(own):
    own.mount("ex", NAME)
    assert own.plugin_pids()

    own.process.kill()
    own.process.wait()

    assert own.eventually(lambda: not own.plugin_pids())
    assert not list(own.directory.glob("vault-plugin-*"))
