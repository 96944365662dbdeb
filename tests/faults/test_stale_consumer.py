"""Somebody goes on logging in with the old password, ten times a second, and the org locks at five failures."""

import shlex

import pytest

pytestmark = pytest.mark.system


@pytest.fixture
def account(product):
    """A user of a profile that locks at five, with a stale consumer that begins at the next change."""
    product.org.ask("PATCH", "org", {"profile_policies": {"Fragile": {"max_login_attempts": 5}}})
    account = product.account()
    consumer = {"rate_per_second": 10, "start": "next_change"}
    product.org.ask("PATCH", f"users/{account.username}", {"profile": "Fragile", "stale_consumer": consumer})
    return account


def test_the_proof_comes_before_the_lock(product, account):
    answer = product.rotate(account)
    assert answer.data["done"] is True
    assert product.is_live(account)
    counted = product.counted(account)
    assert counted["logins_after_lock"] == 0
    assert counted["failed_logins"] == 0


def test_locked_before_the_proof_the_role_is_stuck_and_its_next_step_mends_it(product, account, hook):
    locked = lambda: product.counted(account)["locked"]  # noqa: E731
    hook.act = lambda _: product.until(locked, "the lock", within_seconds=4)
    product.misbehave(account, hook_after_url={"url": hook.url})
    product.rotate(account)
    status = product.until(lambda: (seen := product.status(account))["state"] == "stuck" and seen, "stuck")
    counted = product.counted(account)
    assert counted["logins_after_lock"] <= 1  # the one that found the lock, and none after it
    assert counted["stale_lockouts"] == counted["lockouts"] == 1
    held = product.journal(account)["candidate_password"]
    assert product.org.ask("POST", f"users/{account.username}/check", {"password": held}).body["password"]

    product.org.ask("PATCH", f"users/{account.username}", {"locked": False, "stale_consumer": None})
    program, *arguments = shlex.split(status["next_step"])
    assert program in ("vault", "bao")  # one and the same to it
    done = product.bao(*arguments)
    assert done.returncode == 0, done.stderr
    product.until(lambda: product.version(account) == 2, "version 2")
    assert product.is_live(account)
    assert product.status(account)["state"] == "ok"
