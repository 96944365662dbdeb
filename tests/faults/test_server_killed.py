"""The Vault server is killed while a password changes; it comes back, and so does the rotation."""

import signal

import pytest

pytestmark = pytest.mark.system


@pytest.mark.parametrize("moment", ["hook_url", "hook_after_url"])
def test_the_live_password_is_in_vault_after_the_server_is_back(product, stack, hook, moment):
    account = product.account()
    before = product.counted(account)["logins"]
    hook.act = lambda _: stack.vault.part.signal(signal.SIGKILL, group=True)
    product.misbehave(account, **{moment: {"url": hook.url, "times": 1}})
    asked = product.rotate_meanwhile(account)
    assert hook.called.wait(20)
    assert isinstance(asked.exception(), OSError)  # the server that would have answered is gone
    product.until(stack.vault.active, "the server")
    product.until(lambda: product.version(account) == 2, "version 2", within_seconds=60)
    assert product.is_live(account)
    counted = product.counted(account)
    assert counted["logins"] - before <= 3
    assert counted["lockouts"] == 0
    assert product.status(account)["state"] == "ok"
