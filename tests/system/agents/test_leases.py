"""What a real agent does with a lease whose version is due, or has been replaced."""

import pytest

pytestmark = pytest.mark.system

TTL_SECONDS = 5


def end_a_lease(product, account):
    lease_id = product.vault.ask("GET", f"v1/sf/creds/{account.role}").body["lease_id"]
    product.vault.ask("PUT", "v1/sys/leases/revoke", {"lease_id": lease_id, "sync": True})


def test_an_agent_waits_for_a_due_version_with_a_renewal_now_and_then_and_no_further_read(product, app_of):
    account = product.account(ttl=TTL_SECONDS)
    end_a_lease(product, account)
    product.until(lambda: product.version(account) == 2, "the first rotation by a lease")
    end_a_lease(product, account)  # due, and it stays so for the interval
    app = app_of(account)
    agent, renders = app.agent("creds")
    agent.start(lambda: renders["creds"].versions() == [2])
    reads = app.audit.reads(app.paths["creds"])
    renewals = app.audit.answers(app.paths["creds"]) - reads
    assert reads == 1
    product.until(lambda: app.audit.answers(app.paths["creds"]) >= reads + renewals + 3, "three looks by the agent")
    assert app.audit.reads(app.paths["creds"]) == 1

    assert product.rotate(account).data["done"] is True
    product.until(lambda: renders["creds"].versions() == [2, 3], "version 3 in the file", 6 * TTL_SECONDS)
    assert app.audit.reads(app.paths["creds"]) == 2
