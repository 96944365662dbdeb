"""Vault is restored from a raft snapshot of some rotations ago: under a sidecar that runs, and before one starts.

On a server of its own: everything in it goes back, the roles of other tests too.
"""

import pytest
from desk import Desk
from snapshots import AGO, RESTORE_SECONDS, bao, failed_logins, held, restore, rotate, save

pytestmark = pytest.mark.system


@pytest.mark.parametrize("ago", AGO)
def test_a_restore_under_a_running_sidecar_loses_nothing(restorable, tmp_path, ago):
    product, desk = restorable, Desk(restorable, tmp_path)
    account, other = product.account(), product.account()
    file = save(product)
    for _ in range(ago):
        rotate(product, account)
    logins = product.counted(account)["logins"]
    restore(product, file)
    assert held(product)["cause"] == "restored"
    product.until(lambda: desk.status_in(account, "stuck"), "what was remembered", RESTORE_SECONDS)
    assert product.journal(account)["current_password"]
    assert product.counted(account)["logins"] == logins
    assert desk.status(other)["state"] == "held"
    desk.take(desk.status(account))
    assert product.is_live(account)
    assert product.static_creds(account)["version"] == product.kv(account)["kv_version"] == 1 + ago + 1
    status = desk.status(account)
    assert (status["state"], status["next_step"]) == ("held", "vault delete sf/hold")
    desk.take(status)
    product.until(lambda: product.rotate(account).status == 200, "a rotation after the hold")
    desk.is_well(account, 1 + ago + 2)
    rotate(product, other)
    assert (product.counted(account)["lockouts"], failed_logins(product, account)) == (0, 0)


def test_a_sidecar_started_held_after_a_restore_does_nothing_and_is_told_what_is_live(restorable, tmp_path):
    product, desk = restorable, Desk(restorable, tmp_path)
    account = product.account()
    file = save(product)
    for _ in range(5):
        rotate(product, account)
    live, logins = product.kv(account)["password"], product.counted(account)["logins"]
    sidecar = product.stack.sidecar
    sidecar.stop()
    bao(product, "operator", "raft", "snapshot", "restore", str(file))
    product.until(product.stack.vault.active, "the server", RESTORE_SECONDS)
    sidecar.restart(settings={"START_HELD": "true"})
    sidecar.set({"START_HELD": ""})  # for the next start
    assert held(product)["cause"] == "start_held"
    refused = product.rotate(account)
    assert (refused.status, refused.body["code"]) == (409, "held")
    assert product.counted(account)["logins"] == logins
    # A person knows the password; the engine holds nothing that logs in.
    done = desk.type(f"vault write sf/resync/{account.role} password=-", f"{live}\n")
    assert done.returncode == 0, done.stderr
    assert product.is_live(account)
    desk.take(desk.status(account))
    product.until(lambda: product.rotate(account).status == 200, "a rotation after the hold")
    assert product.is_live(account)
    assert (product.counted(account)["lockouts"], failed_logins(product, account)) == (0, 0)


def test_a_sidecar_started_after_a_restore_spends_one_login_and_leads_on(restorable, tmp_path):
    """Nobody said that Vault was restored, and nothing in it tells."""
    product, desk = restorable, Desk(restorable, tmp_path)
    account = product.account()
    file = save(product)
    for _ in range(5):
        rotate(product, account)
    live, sidecar = product.kv(account)["password"], product.stack.sidecar
    sidecar.stop()
    bao(product, "operator", "raft", "snapshot", "restore", str(file))
    product.until(product.stack.vault.active, "the server", RESTORE_SECONDS)
    sidecar.restart()
    product.rotate(account)
    status = product.until(lambda: desk.status_in(account, "stuck"), "stuck", RESTORE_SECONDS)
    assert failed_logins(product, account) <= 2
    assert f"resync/{account.role} password=-" in status["reason"]
    done = desk.type(f"vault write sf/resync/{account.role} password=-", f"{live}\n")
    assert done.returncode == 0, done.stderr
    assert product.is_live(account)
    assert product.counted(account)["lockouts"] == 0
