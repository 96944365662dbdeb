"""Somebody goes on logging in with the old password, ten times a second, and the org locks at five failures."""

import shlex

import pytest

pytestmark = pytest.mark.system


@pytest.fixture(params=["with a token", "from a trusted address"])
def account(request, product):
    """A user of a profile that locks at five, with a stale consumer that begins at the next change."""
    product.org.ask("PATCH", "org", {"profile_policies": {"Fragile": {"max_login_attempts": 5}}})
    product.connect()
    if request.param == "with a token":
        account = product.account_with_token()
    else:
        product.org.ask("PATCH", "org", {"trusted_ranges": ["127.0.0.1"]})
        password = product.password()
        account = product.role(product.user(password=password, login_ranges=[]), password=password)
    consumer = {"rate_per_second": 10, "start": "next_change"}
    product.org.ask("PATCH", f"users/{account.username}", {"profile": "Fragile", "stale_consumer": consumer})
    yield account
    product.org.ask("PATCH", "org", {"trusted_ranges": []})
    product.org.ask("PATCH", f"users/{account.username}", {"stale_consumer": None})


def test_the_new_credential_is_published_or_kept_until_the_next_step_publishes_it(product, account):
    """Which of the two depends on who is faster, the proof or the fifth failure."""
    if product.rotate(account).data["done"]:
        assert product.is_live(account)
        assert product.counted(account)["failed_logins"] == 0
        assert product.counted(account)["logins_after_lock"] == 0
    else:
        is_kept_and_mended(product, account)


def test_locked_before_the_proof_the_right_password_is_kept_and_the_next_step_publishes_it(product, account, hook):
    def is_locked():
        return product.counted(account)["locked"]

    hook.act = lambda _: product.until(is_locked, "the lock", within_seconds=4)
    product.misbehave(account, hook_after_url={"url": hook.url})
    product.rotate(account, wait=0)
    product.until(lambda: product.counted(account)["failed_logins"], "the login that finds the lock")
    is_kept_and_mended(product, account)


def is_kept_and_mended(product, account):
    status = product.until(lambda: (seen := product.status(account))["state"] != "rotating" and seen, "a state of rest")
    assert status["state"] in ("stuck", "awaiting")
    counted = product.counted(account)
    assert counted["failed_logins"] == counted["logins_after_lock"] == 1  # none after the one that found the lock
    assert counted["stale_lockouts"] == counted["lockouts"] == 1
    candidate = {"password": product.journal(account)["candidate_password"]}
    assert product.org.ask("POST", f"users/{account.username}/check", candidate).body["password"]

    product.org.ask("PATCH", f"users/{account.username}", {"locked": False, "stale_consumer": None})
    program, *arguments = shlex.split(status["next_step"])
    assert program in ("vault", "bao")  # one and the same to it
    done = product.bao(*arguments)
    assert done.returncode == 0, done.stderr
    product.until(lambda: product.version(account) == 2, "version 2")
    assert product.is_live(account)
    assert product.status(account)["state"] == "ok"
