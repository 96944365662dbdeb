"""Vault is restored from a raft snapshot of some rotations ago: under a sidecar that runs, and before one starts.

On a server of its own: everything in it goes back, the roles of other tests too.
"""

import pytest
from snapshots import (
    AGO,
    Past,
    failed_logins,
    held,
    no_lockout,
    restore,
    restore_while_stopped,
    rotate,
    rotates_again,
    save,
    start_held,
)

pytestmark = pytest.mark.system


@pytest.mark.parametrize("ago", AGO)
def test_a_restore_under_a_running_sidecar_loses_nothing(restorable, tmp_path, ago):
    product, other = restorable, restorable.account()
    past = Past.taken(product, tmp_path, save, ago)
    account, desk = past.account, past.desk
    restore(product, past.copy)
    assert held(product)["cause"] == "restored"
    status = past.stuck()
    assert product.journal(account)["current_password"]
    past.spent_no_login()
    assert desk.status(other)["state"] == "held"
    desk.take(status)
    assert product.is_live(account)
    assert product.static_creds(account)["version"] == product.kv(account)["kv_version"] == 1 + ago + 1
    status = desk.status(account)
    assert (status["state"], status["next_step"]) == ("held", "vault delete sf/hold")
    desk.take(status)
    rotates_again(product, account)
    desk.is_well(account, 1 + ago + 2)
    rotate(product, other)
    no_lockout(product, account)


def test_a_sidecar_started_held_after_a_restore_does_nothing_and_is_told_what_is_live(restorable, tmp_path):
    product = restorable
    past = Past.taken(product, tmp_path, save, 5)
    account, desk = past.account, past.desk
    restore_while_stopped(product, past.copy)
    assert start_held(product)["cause"] == "start_held"
    refused = product.rotate(account)
    assert (refused.status, refused.body["code"]) == (409, "held")
    past.spent_no_login()
    past.hand_in()
    desk.take(desk.status(account))
    rotates_again(product, account)
    assert product.is_live(account)
    no_lockout(product, account)


def test_a_sidecar_started_after_a_restore_spends_one_login_and_leads_on(restorable, tmp_path):
    """Nobody said that Vault was restored, and nothing in it tells."""
    product = restorable
    past = Past.taken(product, tmp_path, save, 5)
    restore_while_stopped(product, past.copy)
    product.stack.sidecar.restart()
    product.rotate(past.account)
    status = past.stuck()
    assert failed_logins(product, past.account) <= 2
    assert f"resync/{past.account.role} password=-" in status["reason"]
    past.hand_in()
    assert product.counted(past.account)["lockouts"] == 0
