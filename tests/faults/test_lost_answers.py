"""The org changes a password and does not say so, or says something else; what is live ends up in Vault."""

import pytest

pytestmark = pytest.mark.system

KNOBS = {
    "changed, then 500": {"change_then_500": {"times": 1}},
    "changed, then a broken connection": {"close_connection": {"when": "after", "operation": "changeOwnPassword"}},
    "not changed, and a broken connection": {"close_connection": {"operation": "changeOwnPassword", "times": 1}},
    "changed late": {"change_late_seconds": {"seconds": 2.0, "times": 1}},
    "changed and never answered": {"change_and_never_answer": {"times": 1}},
    "the mail comes late": {"mail_delay_seconds": {"seconds": 2.0}},
}


@pytest.mark.parametrize("knobs", KNOBS.values(), ids=KNOBS)
def test_what_is_live_is_published(product, knobs):
    account = product.account_with_token()
    before = product.counted(account)["logins"]
    product.misbehave(account, **knobs)
    assert product.rotate(account).status == 200
    product.until(lambda: product.version(account) == 2, "version 2", within_seconds=60)
    assert product.is_live(account)
    counted = product.counted(account)
    assert counted["logins"] - before <= 3
    assert counted["lockouts"] == 0
