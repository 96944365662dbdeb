"""Three nodes, each of which runs the plugin: right answers through every one, and each side effect once."""

import json
import re
from functools import partial
from pathlib import Path

import pytest

from vault_salesforce.dev.rest import Rest

pytestmark = pytest.mark.system

LAG_SECONDS = 5.0  # documented; less than a tenth of it is usual
REDIRECTED = 307
COMPLAINT = re.compile(r"\[(WARN|ERROR)\].*secrets-salesforce|read-?only", re.IGNORECASE)
READS = [
    "config/demo",
    "config?list=true",
    "history/{role}",
    "published/{role}",
    "published?list=true",
    "static-creds/{role}",
    "static-roles/{role}",
    "static-roles?list=true",
    "status/{role}",
    "status?list=true",
    "version/{role}",
]
PASSED_ON = [
    ("GET", "config/demo"),
    ("LIST", "config"),
    ("POST", "config/demo"),
    ("DELETE", "config/demo"),
    ("GET", "creds/{role}"),
    ("GET", "history/{role}"),
    ("POST", "published/{role}"),
    ("DELETE", "published/{role}"),
    ("POST", "resync/{role}"),
    ("POST", "rotate/{role}"),
    ("POST", "security-token/{role}"),
    ("POST", "sidecar/nobody"),
    ("DELETE", "sidecar/dev"),
    ("GET", "static-creds/nobody"),
    ("POST", "static-roles/{role}"),
    ("DELETE", "static-roles/{role}"),
    ("GET", "status/{role}"),
    ("LIST", "status"),
    ("GET", "version/{role}"),
    ("GET", "no/such/path"),
]
BODIES = {
    "published/{role}": {
        "version": 9,
        "rotation_id": "r",
        "username": "u",
        "password": "p",
        "login_url": "https://login.example.com",
        "last_vault_rotation": "2030-01-01T00:00:00Z",
    },
    "sidecar/nobody": {"url": "https://127.0.0.1:1", "certificate": "c", "version": "1", "contract": 1},
}


@pytest.fixture
def nodes(cluster):
    return cluster.cluster.nodes


@pytest.fixture
def standby(clustered, cluster):
    return cluster.cluster.standbys()[0]


@pytest.fixture
def alone(standby):
    """A standby's API that says so instead of passing a request on."""
    return Rest(standby.address, {"X-Vault-Token": standby.root_token, "X-Vault-No-Request-Forwarding": "true"})


def children(pid):
    """Processes whose parent is this one."""
    listed = Path(f"/proc/{pid}/task").glob("*/children")
    return {int(child) for children in listed for child in children.read_text().split()}


def seen_by_sidecars(cluster, text):
    """How many requests the sidecars answered whose log line holds this text."""
    lines = [line for sidecar in cluster.sidecars for line in sidecar.part.errors.read_text().splitlines()]
    lines += [line for sidecar in cluster.sidecars for line in sidecar.part.output.read_text().splitlines()]
    requests = [json.loads(line) for line in lines if line.startswith("{") and '"request"' in line]
    return sum(text in line["path"] for line in requests if line["event"] == "request")


def test_every_node_gives_the_same_answer(clustered, nodes):
    account = clustered.account()
    for path in READS:
        wanted = clustered.vault.ask("GET", f"v1/sf/{path.format(role=account.role)}").data
        for node in nodes:
            ask = partial(node.api(node.root_token).send, "GET", f"v1/sf/{path.format(role=account.role)}")
            clustered.until(lambda ask=ask, wanted=wanted: ask().data == wanted, path, LAG_SECONDS)


def test_a_standby_answers_the_reads_of_a_credential_by_itself(clustered, alone):
    account = clustered.account()
    static_creds = partial(alone.send, "GET", f"v1/sf/static-creds/{account.role}")
    clustered.until(lambda: static_creds().status == 200, "the copy at the standby", LAG_SECONDS)
    assert static_creds().data == clustered.static_creds(account)
    assert alone.ask("GET", "v1/sf/info").data["standby"] is True
    assert clustered.vault.ask("GET", "v1/sf/info").data["standby"] is False


@pytest.mark.parametrize(("method", "path"), PASSED_ON)
def test_a_standby_passes_everything_else_on_before_any_side_effect(clustered, cluster, alone, method, path):
    account = clustered.account()
    before = clustered.vault.ask("GET", "v1/sf/info").data["published"], clustered.counted(account)
    answer = alone.send(method, f"v1/sf/{path.format(role=account.role)}", BODIES.get(path, {}))
    assert answer.status == REDIRECTED
    info = clustered.vault.ask("GET", "v1/sf/info").data
    assert (info["published"], clustered.counted(account)) == before
    assert set(info["sidecars"]) == {"dev", "dev-2"}
    assert seen_by_sidecars(cluster, account.role) == 1  # its creation


def test_a_new_version_reaches_the_standbys_within_the_lag_and_no_older_one_follows(clustered, cluster):
    account = clustered.account()
    standbys = [clustered.through(node) for node in cluster.cluster.standbys()]
    for version in range(2, 6):
        assert clustered.rotate(account).data["version"] == version
        for standby in standbys:
            read = partial(standby.static_creds, account)
            clustered.until(lambda read=read, version=version: read()["version"] == version, "it", LAG_SECONDS)
            assert {read()["version"] for _ in range(20)} == {version}


def test_a_life_through_a_standby_does_each_thing_once(clustered, cluster, standby):
    through = clustered.through(standby)
    account = through.account(lease_rotation_interval=0)
    assert through.rotate(account).data["done"] is True
    leased = through.vault.ask("GET", f"v1/sf/creds/{account.role}").body
    assert leased["data"]["version"] == 2
    renewed = through.vault.ask("PUT", "v1/sys/leases/renew", {"lease_id": leased["lease_id"]}).body
    assert renewed["lease_duration"] > 500
    through.vault.ask("PUT", "v1/sys/leases/revoke", {"lease_id": leased["lease_id"], "sync": True})
    clustered.until(lambda: clustered.version(account) == 3, "the rotation after the last lease")
    assert clustered.counted(account)["password_changes"] == 2
    assert clustered.is_live(account)
    assert seen_by_sidecars(cluster, f"rotate/{account.role}") == 1
    # A standby that lags may have the first attempt answered with "delete the role again".
    clustered.until(
        lambda: through.vault.send("DELETE", f"v1/sf/static-roles/{account.role}").status == 204, "a delete"
    )
    clustered.until(lambda: through.vault.send("GET", f"v1/sf/static-creds/{account.role}").status == 404, "its end")


@pytest.fixture
def behind_a_standby(cluster, standby):
    """One sidecar alone, and all it knows of Vault is a standby."""
    one, other = cluster.sidecars
    one.stop()
    other.stop()
    other.restart(vault_addresses=[standby.address])
    yield
    one.restart()
    other.stop()
    other.restart(vault_addresses=cluster.cluster.addresses)


def test_a_sidecar_behind_a_standby_does_all_it_should(clustered, behind_a_standby):
    for _ in range(3):
        account = clustered.account_with_token(lease_rotation_interval=0)
        rotated = clustered.rotate(account)
        assert rotated.data["done"] is True
        assert clustered.status(account)["state"] == "ok"
        again = clustered.rotate(account, expected_version=2)
        assert again.data["done"] is True
        assert clustered.counted(account)["password_changes"] == 2
        assert clustered.is_live(account)
        assert clustered.counted(account)["failed_logins"] == 0


@pytest.fixture
def not_read_from(standby):
    """A standby whose server is told not to answer reads."""
    usual = standby.configuration.read_text()
    standby.configuration.write_text(f"disable_standby_reads = true\n{usual}")
    standby.stop()
    standby.rejoin()
    yield standby
    standby.configuration.write_text(usual)
    standby.stop()
    standby.rejoin()


def test_a_standby_that_is_not_read_from_runs_no_plugin_and_passes_everything_on(clustered, cluster, not_read_from):
    cluster.cluster.wait()
    through = clustered.through(not_read_from)
    account = through.account()
    assert through.rotate(account).data["done"] is True
    assert through.static_creds(account)["version"] == 2
    assert through.vault.ask("GET", f"v1/sf/creds/{account.role}").body["lease_id"]
    assert through.vault.ask("GET", "v1/sf/info").data["standby"] is False
    assert clustered.counted(account)["password_changes"] == 1
    assert children(not_read_from.part.pid) == set()


def test_no_node_complains_of_what_the_plugin_does_there(clustered, cluster):
    """Above all not of writes at a standby: at its start, at each minute's tick, or for a lease."""
    said = [line for node in cluster.cluster.nodes for line in node.part.errors.read_text().splitlines()]
    assert any("entering read-enabled standby mode" in line for line in said)
    assert [line for line in said if COMPLAINT.search(line)] == []
