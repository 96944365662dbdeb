"""The runbooks: what docs/runbooks.md tells people to type is typed, in that order, and helps."""

import pytest
from snapshots import RESTORE_SECONDS, failed_logins, no_harm, restore_while_stopped, rotate, save, start_held
from typed import Terminal, commands, section

from vault_salesforce.dev.setup import POLICY

pytestmark = pytest.mark.system

PAGE = "runbooks.md"


@pytest.fixture
def terminal(restorable, tmp_path):
    """A terminal in which the role, user, org and AppRole of the page are those of the test."""
    product = restorable

    def opened(account, **names):
        vault = product.stack.vault
        here = {"role/salesforce-sidecar": f"role/{POLICY}", "/crm": f"/{account.role}"} | names
        return Terminal(vault.environment_of_cli(vault.root_token), tmp_path, here)

    return opened


def test_vault_was_restored(restorable, terminal, tmp_path):
    product, account = restorable, restorable.account()
    file = save(product)
    rotate(product, account, 3)
    (tmp_path / "password.txt").write_text(product.kv(account)["password"])
    restore_while_stopped(product, file)
    start_held(product)
    look, say, release = commands(section(PAGE, "Vault was restored"))
    told = terminal(account)
    assert f"vault write sf/resync/{account.role} try=current" in told.type(look)
    told.type(say)
    told.type(release)
    no_harm(product, account)
    rotate(product, account)
    no_harm(product, account)


def test_kv_was_lost(restorable, terminal):
    product, accounts = restorable, [restorable.account(), restorable.account()]
    for account in accounts:
        rotate(product, account)
    product.vault.ask("DELETE", "v1/sys/mounts/salesforce")
    for command in commands(section(PAGE, "KV was lost")):
        terminal(accounts[0]).type(command)
    for account in accounts:
        no_harm(product, account)
        assert product.version(account) == 3
        rotate(product, account)


def test_an_account_is_locked(restorable, terminal):
    product, account = restorable, restorable.account()
    product.org.ask("PATCH", f"users/{account.username}", {"locked": True})
    product.rotate(account)
    product.org.ask("PATCH", f"users/{account.username}", {"locked": False})  # by hand, in Setup
    for command in commands(section(PAGE, "An account is locked")):
        terminal(account).type(command)
    product.until(lambda: product.status(account)["state"] == "ok", "a role that is well")
    assert product.is_live(account)


def test_the_secret_id_has_expired(restorable, terminal):
    product, account = restorable, restorable.account()
    sidecar = product.stack.sidecar
    accessors = product.vault.ask("LIST", f"v1/auth/approle/role/{POLICY}/secret-id").data["keys"]
    for accessor in accessors:
        ended = {"secret_id_accessor": accessor}
        product.vault.ask("POST", f"v1/auth/approle/role/{POLICY}/secret-id-accessor/destroy", ended)
    sidecar.stop()
    sidecar.restart(ready=lambda: bool(sidecar.part.pid))
    with pytest.raises(TimeoutError):
        product.until(lambda: product.rotate(account).status == 200, "a rotation without a login", 3)
    assert product.static_creds(account)["version"] == 1
    (command,) = commands(section(PAGE, "The SecretID has expired"))
    terminal(account, **{"> secret-id": f"> {sidecar.secret_id_file}"}).type(command)
    product.until(lambda: product.rotate(account).status == 200, "a rotation", RESTORE_SECONDS)
    assert product.is_live(account)


def test_both_kv_mounts_were_lost(restorable, terminal):
    """The last of them: it leaves nothing of the roles of the others."""
    product, account = restorable, restorable.account()
    rotate(product, account, 4)
    url = product.stack.orgsim.url
    sidecar = product.stack.sidecar
    again = commands(section(PAGE, "Both KV mounts were lost"))
    names = {"https://example.my.salesforce.com": url, "integration@example.com": account.username}
    told = terminal(account, **names, **{"/prod": "/demo", "config=prod": "config=demo"})
    sidecar.stop()
    for mount in ("salesforce", "salesforce-engine"):
        product.vault.ask("DELETE", f"v1/sys/mounts/{mount}")
    for command in again[:4]:
        told.type(command)
    sidecar.restart()
    for command in again[4:]:
        told.type(command)
    product.until(lambda: product.version(account) == 6, "a version above the one that was served")
    no_harm(product, account)
    assert failed_logins(product, account) == 0
    told.type(again[-1])
    product.until(lambda: product.rotate(account).status == 200, "a rotation")
    no_harm(product, account)
