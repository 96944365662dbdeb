"""The sidecar is killed at the worst moments, and the live password ends up in Vault without human help."""

import signal

import pytest

pytestmark = pytest.mark.system


@pytest.fixture(params=["hook_url", "hook_after_url"], ids=["before the change", "after the change, before the answer"])
def moment(request):
    return request.param


@pytest.fixture(params=[True, False], ids=["its group", "its master alone"])
def whole_group(request):
    return request.param


def test_the_live_password_is_in_vault_after_the_restart(product, stack, hook, moment, whole_group):
    account = product.account_with_token()
    before = product.counted(account)["logins"]
    hook.act = lambda _: stack.sidecar.part.signal(signal.SIGKILL, group=whole_group)
    product.misbehave(account, **{moment: {"url": hook.url, "times": 1}})
    asked = product.rotate_meanwhile(account)
    assert hook.called.wait(20)
    product.until(lambda: product.version(account) == 2, "version 2, from the sidecar that was started again")
    assert asked.result().status >= 200  # whatever it says, it says it in time
    assert product.is_live(account)
    counted = product.counted(account)
    assert counted["logins"] - before <= 3
    assert counted["lockouts"] == 0
    assert product.status(account)["state"] == "ok"


def test_a_stopped_sidecar_leaves_a_rotation_that_its_successor_ends(product, stack, hook):
    account = product.account()
    hook.act = lambda _: stack.sidecar.part.signal(signal.SIGTERM)
    product.misbehave(account, hook_url={"url": hook.url, "times": 1})
    asked = product.rotate_meanwhile(account)
    product.until(lambda: product.version(account) == 2, "version 2")
    asked.result()
    assert product.is_live(account)
    assert product.counted(account)["lockouts"] == 0
