"""The last release of the server that sends no `resolve-path`: the main job there, and that it is another one."""

import hashlib
import secrets
import sys

import pytest
from product import Product

pytestmark = pytest.mark.system

RECORDER = f"""#!{sys.executable}
import vault_plugin_sdk.wire.process as process
from vault_plugin_sdk.wire.backend_service import BackendService


class Recorder(BackendService):
    async def handle_request(self, args, metadata):
        with open({{log!r}}, "a") as log:
            log.write(args.request.operation + " " + args.request.path + "\\n")
        return await super().handle_request(args, metadata)


process.BackendService = Recorder
from vault_salesforce_plugin.__main__ import main
main()
"""


@pytest.fixture
def older(older_stack):
    made = Product(older_stack)
    yield made
    made.org.ask("DELETE", "misbehave")
    made.close()


def test_it_is_another_release(older, product):
    def release(of):
        return of.vault.ask("GET", "v1/sys/health").body["version"]

    assert release(older).startswith("2.6.")
    assert release(product) > release(older)


def test_a_rotation_with_a_mailed_token_is_proven_and_published(older):
    account = older.account_with_token()
    before = older.static_creds(account)
    answer = older.rotate(account)
    assert (answer.status, answer.data["done"], answer.data["version"]) == (200, True, 2)
    after = older.static_creds(account)
    assert after == {name: older.kv(account)[name] for name in after}
    assert after["password_token"] != before["password_token"]
    assert older.is_live(account)
    assert older.counted(account)["failed_logins"] == 0


def test_the_end_of_the_last_lease_rotates_and_a_renewal_is_bounded(older):
    account = older.account(lease_rotation_interval=0)
    one, other = (older.vault.ask("GET", f"v1/sf/creds/{account.role}").body["lease_id"] for _ in range(2))
    renewed = older.vault.ask("PUT", "v1/sys/leases/renew", {"lease_id": other, "increment": 86_400})
    assert 500 < renewed.body["lease_duration"] <= 601  # of the day that was asked for; the server rounds up
    older.vault.ask("PUT", "v1/sys/leases/revoke", {"lease_id": one, "sync": True})
    assert older.version(account) == 1
    older.vault.ask("PUT", "v1/sys/leases/revoke", {"lease_id": other, "sync": True})
    older.until(lambda: older.version(account) == 2, "the rotation after the last lease")
    assert older.counted(account)["password_changes"] == 1


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (("GET", "static-creds/nobody", None), 404),
        (("GET", "creds/nobody", None), 404),
        (("GET", "no/such/path", None), 404),
        (("POST", "rotate/nobody", {}), 404),
        (("POST", "static-roles/a", {"config": "demo", "usrname": "u"}), 400),
        (("POST", "static-roles/a", {"config": "demo", "username": "u", "ttl": "soon"}), 400),
        (("POST", "published/a", {"version": 1}), 400),
    ],
)
def test_wrong_input_is_answered_as_on_the_newest(older, product, asked, status):
    method, path, body = asked
    answers = [each.vault.send(method, f"v1/sf/{path}", body) for each in (older, product)]
    assert [answer.status for answer in answers] == [status, status], answers
    assert answers[0].body.get("errors") == answers[1].body.get("errors")


@pytest.fixture
def operations():
    """What the plugin of a product's server is asked when somebody reads a path of a mount of the test's own."""
    clean = []

    def asked(product, path):
        mount, plugins = f"m{secrets.token_hex(4)}", product.stack.vault.plugins
        log, launcher = product.stack.directory / f"{mount}.log", plugins / mount
        launcher.write_text(RECORDER.format(log=str(log)))
        launcher.chmod(0o755)
        digest = hashlib.sha256(launcher.read_bytes()).hexdigest()
        vault = product.vault
        vault.ask("PUT", f"v1/sys/plugins/catalog/secret/{mount}", {"command": mount, "sha256": digest})
        vault.ask("POST", f"v1/sys/mounts/{mount}", {"type": mount})
        clean.append((vault, mount))
        before = len(log.read_text()) if log.exists() else 0
        vault.send("GET", f"v1/{mount}/{path}")
        # Each minute a server asks every mount for a rollback, too.
        return [line for line in log.read_text()[before:].splitlines() if not line.startswith("rollback")]

    yield asked
    for vault, mount in clean:
        vault.ask("DELETE", f"v1/sys/mounts/{mount}")
        vault.ask("DELETE", f"v1/sys/plugins/catalog/secret/{mount}")


def test_it_asks_for_no_path_to_be_resolved_and_the_newest_does(older, product, operations):
    assert operations(older, "static-creds/a") == ["read static-creds/a"]
    assert operations(product, "static-creds/a") == ["resolve-path static-creds/a", "read static-creds/a"]
