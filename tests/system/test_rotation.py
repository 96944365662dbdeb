"""Rotations through the real server: what is durable when, what two askers get, what runs beside what."""

import threading

import pytest

from vault_salesforce.dev import client

pytestmark = pytest.mark.system


def test_a_rotation_makes_a_new_version_everywhere_and_only_the_new_credential_logs_in(product):
    account = product.account_with_token()
    before = product.static_creds(account)
    answer = product.rotate(account)
    assert answer.status == 200
    assert answer.data["done"] is True
    assert answer.data["version"] == 2
    assert answer.data["kv_path"] == f"salesforce/creds/{account.role}"
    after = product.static_creds(account)
    assert after == {name: product.kv(account)[name] for name in after}
    assert after["password"] != before["password"]
    assert after["security_token"] != before["security_token"]
    assert after["password_token"] == after["password"] + after["security_token"]
    url = product.stack.orgsim.url
    assert client.log_in(url, account.username, before["password"], before["security_token"]) is None
    assert client.log_in(url, account.username, after["password"], after["security_token"]) == "Orgsim"


def test_the_entry_is_durable_before_the_first_byte_of_a_change_leaves(product, hook):
    account = product.account()
    hook.act = lambda _: product.journal(account)
    product.misbehave(account, hook_url={"url": hook.url})
    before = product.kv(account)
    assert product.rotate(account).data["done"] is True
    (entry,) = hook.seen
    assert entry["state"] == "applying"
    assert entry["current_password"] == before["password"]
    assert entry["candidate_password"] == product.kv(account)["password"]


def test_a_normal_rotation_takes_two_logins(product):
    account = product.account_with_token()
    before = product.counted(account)["logins"]
    assert product.rotate(account).data["done"] is True
    counted = product.counted(account)
    assert counted["logins"] - before <= 2
    assert counted["failed_logins"] == 0


def test_two_who_ask_at_once_get_one_rotation(product, hook):
    account = product.account()
    second = []
    # The first is held at its change until the second has been answered.
    hook.act = lambda _: second.append(product.rotate(account, wait=0))
    product.misbehave(account, hook_url={"url": hook.url})
    first = product.rotate(account)
    assert first.data["joined"] is False
    assert second[0].data["joined"] is True
    assert second[0].data["rotation_id"] == first.data["rotation_id"]
    assert product.counted(account)["password_changes"] == 1


def test_who_forces_gets_a_second_rotation_after_the_one_in_hand(product, hook):
    account = product.account()
    forced = []
    hook.act = lambda _: forced.append(product.rotate(account, wait=0, force=True))
    product.misbehave(account, hook_url={"url": hook.url, "times": 1})
    first = product.rotate(account)
    assert forced[0].data["rotation_id"] != first.data["rotation_id"]
    product.until(lambda: product.version(account) == 3, "version 3")
    assert product.counted(account)["password_changes"] == 2
    assert product.is_live(account)


def test_two_roles_rotate_side_by_side(product, hook):
    both = [product.account(), product.account()]
    meeting = threading.Barrier(2, timeout=4)
    hook.act = lambda _: meeting.wait()  # no change is made before the other one is about to be
    product.org.ask("PATCH", "misbehave", {"hook_url": {"url": hook.url}})
    asked = [product.rotate_meanwhile(account) for account in both]
    assert [answer.result().data["done"] for answer in asked] == [True, True]
    assert sorted(hook.seen) == [0, 1]


def test_a_stale_expected_version_is_refused_and_changes_nothing(product):
    account = product.account()
    product.rotate(account)
    before = product.kv(account), product.counted(account)
    answer = product.rotate(account, expected_version=7)
    assert answer.status == 409
    assert answer.body["code"] == "stale_version"
    assert (product.kv(account), product.counted(account)) == before


def test_the_expected_version_rotates_once_however_often_it_is_asked(product):
    account = product.account()
    first = product.rotate(account, expected_version=1)
    again = product.rotate(account, expected_version=1)
    assert first.data["version"] == again.data["version"] == 2
    assert first.data["rotation_id"] == again.data["rotation_id"]
    assert product.counted(account)["password_changes"] == 1


def test_an_administrator_sets_the_password_of_a_user_who_does_not(product):
    password = product.password()
    admin = product.user(password=password, manage_users=True)
    connection = f"c-{admin.partition('@')[0]}"
    product.vault.ask(
        "POST",
        f"v1/sf/config/{connection}",
        {
            "login_url": product.stack.orgsim.url,
            "auth_method": "password",
            "username": admin,
            "password": password,
            "allowed_roles": ["*"],
            "admin_may_rotate": ["*@example.com"],
        },
    )
    starting = product.password()
    username = product.user(password=starting)
    account = product.role(username, config=connection, self_managed=False, password=starting)
    assert product.rotate(account).data["done"] is True
    assert product.is_live(account)


def test_who_only_watches_a_rotation_starts_none(product):
    account = product.account()
    rotated = product.rotate(account)
    watched = product.rotate(account, rotation_id=rotated.data["rotation_id"])
    assert watched.data["done"] is True
    assert watched.data["version"] == 2
    assert product.counted(account)["password_changes"] == 1


def test_the_history_says_who_asked_and_how_it_ended(product):
    account = product.account()
    rotated = product.rotate(account)
    history = product.vault.ask("GET", f"v1/sf/history/{account.role}").data
    assert rotated.data["rotation_id"] in str(history)
    assert "root" in str(history)
