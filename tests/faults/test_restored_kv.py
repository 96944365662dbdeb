"""KV alone goes back, or is gone, under a mount that lives on and serves what it has."""

import pytest
from desk import Desk
from snapshots import AGO, Past, held, make, no_harm, restore_kv, rotate, save_kv

pytestmark = pytest.mark.system


def is_mended(past, status, version):
    """The two next steps lead back to a role that rotates, at the version above the one that was served."""
    product, desk, account = past.product, past.desk, past.account
    desk.take(status)
    no_harm(product, account)
    assert product.version(account) == version
    desk.take(desk.status(account))
    desk.is_well(account, version)
    rotate(product, account)


@pytest.mark.parametrize("ago", AGO)
def test_what_a_running_sidecar_remembers_outlives_a_kv_that_went_back(restorable, tmp_path, ago):
    past = Past.taken(restorable, tmp_path, save_kv, ago)
    restore_kv(restorable, past.copy)
    assert held(restorable)["cause"] == "restored"
    status = past.stuck()
    past.spent_no_login()
    assert restorable.static_creds(past.account)["version"] == 1 + ago
    is_mended(past, status, 1 + ago + 1)


@pytest.mark.parametrize("ago", AGO)
def test_a_sidecar_started_over_a_kv_that_went_back_has_the_mounts_copy_proven(restorable, tmp_path, ago):
    past = Past.taken(restorable, tmp_path, save_kv, ago)
    sidecar = restorable.stack.sidecar
    sidecar.stop()
    restore_kv(restorable, past.copy)
    sidecar.restart()
    told = held(restorable)
    assert (told["cause"], "and KV knows of" in told["reason"]) == ("restored", True)
    status = past.stuck()
    assert status["next_step"].endswith("try=served")
    past.spent_no_login()
    is_mended(past, status, 1 + ago + 1)


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
