"""A password does not outlive the leases that knew it."""

import pytest

pytestmark = pytest.mark.system


def lease(product, account):
    return product.vault.ask("GET", f"v1/sf/creds/{account.role}").body


def revoke(product, leased):
    product.vault.ask("PUT", "v1/sys/leases/revoke", {"lease_id": leased["lease_id"], "sync": True})


def test_the_end_of_the_last_lease_rotates_and_the_end_of_another_does_not(product):
    account = product.account(lease_rotation_interval=0)
    one, other = lease(product, account), lease(product, account)
    assert one["data"]["version"] == other["data"]["version"] == 1
    revoke(product, one)
    # Its end was served before the second one's: the marks come in order, and only one rotation follows.
    assert product.version(account) == 1
    revoke(product, other)
    product.until(lambda: product.version(account) == 2, "the rotation after the last lease")
    assert product.counted(account)["password_changes"] == 1
    assert product.is_live(account)


def test_a_lease_is_renewed_while_its_version_is_current_and_ends_soon_after(product):
    account = product.account()
    leased = lease(product, account)
    assert 590 <= leased["lease_duration"] <= 600
    renew = {"lease_id": leased["lease_id"], "increment": 600}
    assert product.vault.ask("PUT", "v1/sys/leases/renew", renew).body["lease_duration"] > 500
    assert product.rotate(account).data["done"] is True
    assert product.vault.ask("PUT", "v1/sys/leases/renew", renew).body["lease_duration"] <= 2


def test_revoking_never_fails_because_the_sidecar_is_away(product, stack):
    account = product.account(lease_rotation_interval=0)
    leased = lease(product, account)
    stack.sidecar.stop()
    try:
        revoke(product, leased)
    finally:
        stack.sidecar.restart()
    product.until(lambda: product.version(account) == 2, "the rotation, once the sidecar is back")


def test_a_role_that_never_rotates_by_lease_does_not(product):
    account = product.account(rotate_on_lease_end="never", lease_rotation_interval=0)
    revoke(product, lease(product, account))
    assert product.vault.ask("GET", "v1/sf/info").data.get("due") in (0, [], None, {})
