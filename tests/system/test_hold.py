"""The brake on the whole product, and another org behind a connection. On an org and a connection of their own."""

import secrets
from types import SimpleNamespace

import pytest
from desk import Desk
from product import Account, Product

from vault_salesforce.dev.orgsim import OrgSim

pytestmark = pytest.mark.system

SETTLES_SECONDS = 3.0


@pytest.fixture(scope="module")
def second(stack, tmp_path_factory):
    """A second org, which a test may turn into another one."""
    orgsim = OrgSim(tmp_path_factory.mktemp("org"), {"PATH": "/usr/bin:/bin"}, lambda _: None, list)
    orgsim.start([])
    yield orgsim
    orgsim.stop()


@pytest.fixture
def held(stack, second):
    """The product, with a connection of the test's own to the second org, whose identity may look."""
    product = Product(SimpleNamespace(vault=stack.vault, orgsim=second, sidecar=stack.sidecar))
    product.org.ask("POST", "reset")
    password = product.password()
    product.connection = f"c{secrets.token_hex(4)}"
    settings = {"login_url": second.url, "allowed_roles": ["*"], "auth_method": "password"}
    settings |= {"username": product.user(password=password, manage_users=True), "password": password}
    product.vault.ask("POST", f"v1/sf/config/{product.connection}", settings)
    yield product
    product.close()


def made(product, **fields):
    """A user and a role on that connection."""
    return product.account(**fields)


def desk(product, directory):
    return Desk(product, directory)


def lease(product, account):
    return product.vault.ask("GET", f"v1/sf/creds/{account.role}").body["lease_id"]


def changes(product, account):
    return product.counted(account)["password_changes"]


def test_a_held_connection_rotates_nothing_and_rotates_once_when_it_is_released(held, tmp_path):
    account = made(held, lease_rotation_interval=0)
    terminal = desk(held, tmp_path)
    done = terminal.type(f"vault write sf/hold/{held.connection} reason='release weekend' until=4h")
    assert done.returncode == 0, done.stderr
    refused = held.rotate(account)
    assert (refused.status, refused.body["code"]) == (409, "held")
    assert "release weekend" in refused.sentences
    status = terminal.status(account)
    assert (status["state"], status["next_step"]) == ("held", f"vault delete sf/hold/{held.connection}")
    # A lease ends: the version is due, and waits.
    held.vault.ask("PUT", "v1/sys/leases/revoke", {"lease_id": lease(held, account)})
    logins = held.counted(account)["logins"]
    held.until(lambda: account.role in str(held.vault.ask("GET", "v1/sf/info").data.get("due")), "the due mark")
    with pytest.raises(TimeoutError):
        held.until(lambda: changes(held, account), "a change under a hold", within_seconds=SETTLES_SECONDS)
    assert held.counted(account)["logins"] == logins
    assert held.static_creds(account)["version"] == 1
    terminal.take(status)
    held.until(lambda: held.version(account) == 2, "version 2 after the hold")
    terminal.is_well(account, 2)
    assert changes(held, account) == 1


def test_the_brake_for_all_connections_holds_this_one(held, tmp_path):
    account = made(held)
    terminal = desk(held, tmp_path)
    assert terminal.type("vault write sf/hold reason=maintenance").returncode == 0
    try:
        assert held.rotate(account).status == 409
        assert "(all)" in terminal.type("vault list sf/hold").stdout
    finally:
        assert terminal.type("vault delete sf/hold").returncode == 0
    assert held.rotate(account).data["done"] is True


def test_a_rotation_that_has_left_is_finished_under_a_hold(held, hook):
    account = made(held)
    hook.act = lambda _: held.vault.ask("POST", f"v1/sf/hold/{held.connection}", {"reason": "now"}).status
    held.misbehave(account, hook_url={"url": hook.url, "times": 1})
    assert held.rotate(account).data["done"] is True
    assert hook.seen == [204]
    assert held.status(account)["state"] == "held"
    assert held.is_live(account)


def test_the_engine_holds_a_connection_three_of_whose_accounts_are_refused_for_one_reason(held):
    accounts = [made(held) for _ in range(4)]
    for account in accounts[:3]:
        held.org.ask("PATCH", f"users/{account.username}", {"api_enabled": False})
        held.rotate(account)
    logins = held.counted(accounts[3])["logins"]
    refused = held.rotate(accounts[3])
    assert (refused.status, refused.body["code"]) == (409, "held")
    assert all(account.role in refused.sentences for account in accounts[:3])
    assert held.counted(accounts[3])["logins"] == logins
    record = held.vault.ask("GET", f"v1/sf/hold/{held.connection}").data
    assert (record["held_by"], record["cause"]) == ("the engine", "same_fault")


def test_a_refreshed_sandbox_parks_its_roles_until_somebody_accepts_it(held, tmp_path):
    accounts = [made(held), made(held, self_managed=True)]
    terminal = desk(held, tmp_path)
    held.org.ask("PATCH", "org", {"is_sandbox": True, "organization_number": 7})
    assert held.rotate(accounts[0]).status == 424
    for account in accounts:
        status = terminal.status(account)
        assert status["state"] == "held"
        assert changes(held, account) == 0
    found = held.vault.ask("GET", f"v1/sf/hold/{held.connection}").data
    assert (found["cause"], found["is_sandbox"]) == ("another_org", True)
    # Without accepting it, it is held again before anything is changed.
    held.vault.ask("DELETE", f"v1/sf/hold/{held.connection}")
    assert held.rotate(accounts[1]).status == 424
    status = terminal.status(accounts[1])
    assert status["next_step"].endswith(f"organization_id={found['organization_id']}")
    terminal.take(status)
    for account in accounts:
        assert held.rotate(account).data["done"] is True
        assert held.is_live(account)
    assert held.static_creds(accounts[0])["organization_id"] == found["organization_id"]


def test_a_connection_that_is_led_elsewhere_changes_nothing_there(held, stack):
    password = held.password()
    username = held.user(password=password)
    connection = f"c{secrets.token_hex(4)}"
    held.vault.ask("POST", f"v1/sf/config/{connection}", {"login_url": held.stack.orgsim.url, "allowed_roles": ["*"]})
    account = held.role(username, config=connection, password=password)
    held.org.ask("PATCH", "org", {"organization_number": 9})
    assert held.rotate(account).body["code"] == "another_org"
    assert changes(held, account) == 0
    assert held.status(account)["state"] == "held"


def test_a_renamed_user_is_recognised_and_the_role_follows(held, tmp_path):
    account = made(held)
    terminal = desk(held, tmp_path)
    renamed = Account(account.role, f"n{secrets.token_hex(4)}@example.com")
    logins = held.counted(account)["logins"]
    held.org.ask("POST", f"users/{account.username}/rename", {"username": renamed.username})
    assert held.rotate(account).body["code"] == "user_renamed"
    assert held.counted(renamed)["logins"] == logins
    status = terminal.status(renamed)
    assert (status["state"], status["next_step"]) == (
        "parked",
        f"vault write sf/resync/{account.role} username={renamed.username}",
    )
    terminal.take(status)
    terminal.is_well(renamed, 2)
    assert held.kv(renamed)["username"] == held.static_creds(renamed)["username"] == renamed.username
    assert held.rotate(renamed).data["done"] is True
    assert held.journal(account)["kept"] == []
    assert held.journal(account)["current_password"] == ""
    # The old name is free for whoever gets it.
    password = held.password()
    held.org.ask("POST", "users", {"username": account.username, "password": password, "login_ranges": ["127.0.0.1"]})
    again = held.role(account.username, config=held.connection, password=password)
    assert held.rotate(again).data["done"] is True


def test_a_role_that_was_deleted_by_mistake_is_made_again_without_its_password(held):
    account = made(held)
    held.rotate(account)
    held.vault.ask("DELETE", f"v1/sf/static-roles/{account.role}")
    shown = held.vault.ask("GET", f"v1/sf/reveal/{account.role}").data
    assert shown["state"] == "deleted"
    logins = held.counted(account)["logins"]
    body = {"config": held.connection, "username": account.username}
    answer = held.vault.ask("POST", f"v1/sf/static-roles/{account.role}", body)
    assert "was kept since the role was deleted" in str(answer.body["warnings"])
    assert held.counted(account)["logins"] == logins + 1
    assert held.version(account) == 4
    assert held.is_live(account)
