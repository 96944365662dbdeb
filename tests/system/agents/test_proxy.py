"""What `bao proxy` hands out, with the configuration of `docs/consumers.md`."""

import pytest

from vault_salesforce.dev.ports import free_ports
from vault_salesforce.dev.rest import Rest

pytestmark = pytest.mark.system


@pytest.fixture
def through(app_of):
    """Makes a proxy of an account's app; what is read at a path through it."""

    def make(account, **given):
        address = f"127.0.0.1:{free_ports(1)}"
        proxy, rest = app_of(account).proxy(address, **given), Rest(f"http://{address}")

        def logged_in():
            try:
                return rest.send("GET", "v1/auth/token/lookup-self").status == 200
            except OSError:
                return False

        proxy.start(logged_in)
        return lambda path: rest.ask("GET", f"v1/sf/{path}/{account.role}").body

    return make


def test_what_has_no_lease_is_read_anew_through_the_cache(product, through):
    account = product.account()
    read = through(account)
    assert read("static-creds")["data"]["version"] == 1
    product.rotate(account)
    assert read("static-creds")["data"]["version"] == 2


def test_the_cache_hands_out_a_lease_that_was_revoked_until_it_would_renew_it(product, through):
    account = product.account(ttl=5)
    read = through(account)
    leased = read("creds")
    product.rotate(account)
    product.vault.ask("PUT", "v1/sys/leases/revoke", {"lease_id": leased["lease_id"], "sync": True})
    dead = read("creds")
    assert (dead["lease_id"], dead["data"]) == (leased["lease_id"], leased["data"])
    product.until(lambda: read("creds")["data"]["version"] == 2, "version 2 through the cache")


def test_without_the_cache_each_read_is_a_lease_on_the_newest_version(product, through):
    account = product.account()
    read = through(account, cache=False)
    assert read("creds")["data"]["version"] == 1
    product.rotate(account)
    assert read("creds")["data"]["version"] == 2
