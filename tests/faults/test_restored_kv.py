"""KV alone goes back, or is gone, under a mount that lives on and serves what it has."""

import pytest
from desk import Desk
from snapshots import AGO, RESTORE_SECONDS, KvCopy, held, make, no_harm, rotate

pytestmark = pytest.mark.system

KV = ("salesforce", "salesforce-engine")


@pytest.mark.parametrize("ago", AGO)
def test_what_a_running_sidecar_remembers_outlives_a_kv_that_went_back(restorable, tmp_path, ago):
    product, desk = restorable, Desk(restorable, tmp_path)
    account = product.account()
    copies = [KvCopy(mount).take(product) for mount in KV]
    for _ in range(ago):
        rotate(product, account)
    logins = product.counted(account)["logins"]
    for copy in copies:
        copy.put_back(product)
    assert held(product)["cause"] == "restored"
    status = product.until(lambda: desk.status_in(account, "stuck"), "it", RESTORE_SECONDS)
    assert product.counted(account)["logins"] == logins
    assert product.static_creds(account)["version"] == 1 + ago
    desk.take(status)
    no_harm(product, account)
    assert product.version(account) == 1 + ago + 1
    desk.take(desk.status(account))
    desk.is_well(account, 1 + ago + 1)
    rotate(product, account)


@pytest.mark.parametrize("ago", AGO)
def test_a_sidecar_started_over_a_kv_that_went_back_has_the_mounts_copy_proven(restorable, tmp_path, ago):
    product, desk = restorable, Desk(restorable, tmp_path)
    account = product.account()
    copies = [KvCopy(mount).take(product) for mount in KV]
    for _ in range(ago):
        rotate(product, account)
    logins = product.counted(account)["logins"]
    product.stack.sidecar.stop()
    for copy in copies:
        copy.put_back(product)
    product.stack.sidecar.restart()
    told = held(product)
    assert (told["cause"], "and KV knows of" in told["reason"]) == ("restored", True)
    status = product.until(lambda: desk.status_in(account, "stuck"), "it", RESTORE_SECONDS)
    assert status["next_step"].endswith("try=served")
    assert product.counted(account)["logins"] == logins
    desk.take(status)
    no_harm(product, account)
    assert product.version(account) == 1 + ago + 1
    desk.take(desk.status(account))
    desk.is_well(account, 1 + ago + 1)
    rotate(product, account)


def test_the_mount_serves_on_while_kv_is_gone_and_kv_is_filled_again(restorable, tmp_path):
    product, desk = restorable, Desk(restorable, tmp_path)
    account = product.account()
    rotate(product, account)
    before = product.static_creds(account)
    product.vault.ask("DELETE", "v1/sys/mounts/salesforce")
    refused = product.rotate(account)
    assert refused.status == 503
    assert product.static_creds(account) == before
    assert product.counted(account)["password_changes"] == 1
    make(product, "salesforce")
    desk.take(product.until(lambda: desk.status_in(account, "stuck"), "stuck"))
    no_harm(product, account)
    desk.is_well(account, 3)
    rotate(product, account)
