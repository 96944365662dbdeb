"""A password does not outlive the leases that knew it; and no reader is left with an old one."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from product import Product

from vault_salesforce.dev.rest import Refused

pytestmark = pytest.mark.system

READERS = 16


@pytest.fixture(params=["stack", "older_stack"])
def either(request):
    """The product on each release of the server."""
    made = Product(request.getfixturevalue(request.param))
    yield made
    made.close()


def lease(product, account):
    return product.vault.ask("GET", f"v1/sf/creds/{account.role}").body


def leases(product, account, count):
    with ThreadPoolExecutor(READERS) as readers:
        return list(readers.map(lambda _: lease(product, account), range(count)))


def revoke(product, leased):
    product.vault.ask("PUT", "v1/sys/leases/revoke", {"lease_id": leased["lease_id"], "sync": True})


def renew(product, leased, increment=600):
    return product.vault.ask(
        "PUT", "v1/sys/leases/renew", {"lease_id": leased["lease_id"], "increment": increment}
    ).body


def living(product, account):
    answer = product.vault.send("LIST", f"v1/sys/leases/lookup/sf/creds/{account.role}/")
    return len(answer.data.get("keys", ()))


def due(product, account):
    return [
        mark["version"] for mark in product.vault.ask("GET", "v1/sf/info").data["due"] if mark["role"] == account.role
    ]


def irrevocable(product):
    return product.vault.ask("GET", "v1/sys/leases?type=irrevocable").data.get("lease_count", 0)


def judged(product):
    """Every mark that there is has come before a sidecar: it takes them in the order in which they were made."""
    later = product.account(lease_rotation_interval=0)
    revoke(product, lease(product, later))
    product.until(lambda: product.version(later) == 2, "the rotation of a version that became due later")


def made_due(product, **fields):
    """An account whose version is due and stays so: leases have rotated it a moment ago."""
    account = product.account(**fields)
    revoke(product, lease(product, account))
    product.until(lambda: product.version(account) == 2, "the first rotation by a lease, which is immediate")
    revoke(product, lease(product, account))
    return account


def test_the_end_of_the_last_lease_rotates_and_the_end_of_another_does_not(product):
    account = product.account(lease_rotation_interval=0)
    one, other = lease(product, account), lease(product, account)
    assert one["data"]["version"] == other["data"]["version"] == 1
    revoke(product, one)
    judged(product)
    assert product.version(account) == 1
    revoke(product, other)
    product.until(lambda: product.version(account) == 2, "the rotation after the last lease")
    assert product.counted(account)["password_changes"] == 1
    assert product.is_live(account)


def test_the_end_of_any_lease_rotates_where_the_role_says_so(product):
    account = product.account(rotate_on_lease_end="any", lease_rotation_interval=0)
    _, other = lease(product, account), lease(product, account)
    revoke(product, other)
    product.until(lambda: product.version(account) == 2, "the rotation after one of two leases")


def test_a_role_that_never_rotates_by_lease_does_not(product):
    account = product.account(rotate_on_lease_end="never", lease_rotation_interval=0)
    revoke(product, lease(product, account))
    judged(product)
    assert (product.version(account), due(product, account)) == (1, [])


def test_a_role_that_rotates_only_when_somebody_asks_is_never_due_by_a_lease(product):
    account = product.account(disable_automated_rotation=True, lease_rotation_interval=0)
    revoke(product, lease(product, account))
    assert due(product, account) == []
    assert lease(product, account)["lease_duration"] == 600


def test_a_lease_is_renewed_in_full_while_its_version_is_current_whatever_the_client_wishes_for(either):
    account = either.account(ttl=60, max_ttl=300)
    leased = lease(either, account)
    assert (leased["lease_duration"], leased["renewable"]) == (60, True)
    # The bound on how long a reader holds an old version is the role's, not the reader's.
    for increment, granted in ((0, 60), (20, 20), (60, 60), (86_400, 61)):
        renewed = renew(either, leased, increment)
        assert granted - 3 < renewed["lease_duration"] <= granted
        assert renewed["renewable"] is True


def test_a_mount_that_allows_less_caps_the_lease_and_says_so(product):
    account = product.account()
    product.vault.ask("POST", "v1/sys/mounts/sf/tune", {"max_lease_ttl": "120s"})
    try:
        leased = lease(product, account)
    finally:
        product.vault.ask("POST", "v1/sys/mounts/sf/tune", {"max_lease_ttl": "768h"})
    assert leased["lease_duration"] == 120
    assert "capped" in leased["warnings"][0]


def test_a_lease_is_not_shortened_while_there_is_nothing_newer_to_read(product, hook):
    account = product.account()
    leased = lease(product, account)
    # Read by somebody else in the middle of the change: brief, with a warning that says where to ask.
    hook.act = lambda _: (renew(product, leased), product.until(lambda: unrest(product, account), "the warning"))
    product.misbehave(account, hook_url={"url": hook.url})
    assert product.rotate(account).data["done"] is True
    (renewed, brief) = hook.seen[0]
    assert renewed["lease_duration"] == 600
    assert brief["lease_duration"] <= 10
    assert brief["data"] == leased["data"]
    assert f"sf/version/{account.role}" in brief["warnings"][0]
    assert renew(product, leased)["lease_duration"] <= 2


def unrest(product, account):
    leased = lease(product, account)
    return leased if leased["warnings"] else None


def test_who_keeps_renewing_a_lease_on_an_old_version_loses_it_within_seconds(either):
    account = either.account()
    leased = lease(either, account)
    assert either.rotate(account).data["done"] is True
    told = renew(either, leased)
    assert (told["lease_duration"] in (1, 2), told["renewable"]) == (True, True)

    def refused():
        try:
            assert renew(either, leased)["lease_duration"] <= 2
        except Refused as refusal:
            return refusal
        return None

    either.until(refused, "the end of a lease that is renewed again and again", 15)
    assert lease(either, account)["data"]["version"] == 2
    assert either.counted(account)["password_changes"] == 1


def test_a_version_that_is_due_is_lent_briefly_in_steps_and_such_leases_trigger_nothing(product):
    account = made_due(product)
    brief = lease(product, account)
    assert (brief["lease_duration"], brief["data"]["version"]) == (9, 2)
    assert "due for rotation" in brief["warnings"][0]
    # Who asks for what it had gets it, and so need not read again; who asks for more gets ten seconds.
    assert renew(product, brief, 9)["lease_duration"] == 9
    assert 5 < renew(product, brief, 86_400)["lease_duration"] <= 10
    revoke(product, brief)
    judged(product)
    assert (product.version(account), product.counted(account)["password_changes"]) == (2, 1)
    assert product.rotate(account).data["done"] is True
    assert due(product, account) == []
    assert lease(product, account)["lease_duration"] == 600


def test_a_reader_who_ends_its_leases_in_a_loop_rotates_once_in_an_interval(product):
    account = made_due(product)
    for _ in range(5):
        revoke(product, lease(product, account))
    judged(product)
    assert (product.version(account), due(product, account)) == (2, [2])
    product.vault.ask("POST", f"v1/sf/static-roles/{account.role}", {"lease_rotation_interval": 0})
    judged(product)
    product.until(lambda: product.version(account) == 3, "the one that waited for the interval")
    assert product.counted(account)["password_changes"] == 2


def test_a_token_that_expires_with_its_leases_is_one_rotation(either):
    account = either.account(lease_rotation_interval=0)
    reader = f'path "sf/creds/{account.role}" {{ capabilities = ["read"] }}'
    either.vault.ask("PUT", f"v1/sys/policies/acl/{account.role}", {"policy": reader})
    wanted = {"policies": [account.role], "ttl": "5s", "no_parent": True}
    token = either.vault.ask("POST", "v1/auth/token/create", wanted).body["auth"]["client_token"]
    app = either.stack.vault.api(token)
    with ThreadPoolExecutor(5) as readers:  # at once, for the token is short-lived
        lent = list(readers.map(lambda _: app.ask("GET", f"v1/sf/creds/{account.role}").body, range(5)))
    assert {one["data"]["version"] for one in lent} == {1}
    either.until(lambda: either.version(account) == 2, "the rotation after the token's end")
    either.until(lambda: living(either, account) == 0, "the end of all its leases")
    judged(either)
    assert (either.version(account), either.counted(account)["password_changes"]) == (2, 1)


def test_five_hundred_leases_that_end_at_once_are_one_rotation(product):
    account = product.account(lease_rotation_interval=0)
    assert {one["data"]["version"] for one in leases(product, account, 500)} == {1}
    assert living(product, account) == 500
    product.vault.ask("PUT", f"v1/sys/leases/revoke-prefix/sf/creds/{account.role}", {"sync": False})
    product.until(lambda: living(product, account) == 0, "the end of all leases")
    product.until(lambda: product.version(account) == 2, "the rotation after the last lease")
    judged(product)
    assert (product.version(account), product.counted(account)["password_changes"]) == (2, 1)
    assert irrevocable(product) == 0


@pytest.mark.parametrize("how", ["revoke-prefix", "revoke-force"])
def test_an_operator_who_ends_all_leases_of_a_role_gets_one_rotation(product, how):
    account = product.account(lease_rotation_interval=0)
    leases(product, account, 100)
    product.vault.ask("PUT", f"v1/sys/leases/{how}/sf/creds/{account.role}", {"sync": True})
    assert living(product, account) == 0
    product.until(lambda: product.version(account) == 2, "the rotation after the last lease")
    judged(product)
    assert (product.version(account), product.counted(account)["password_changes"]) == (2, 1)


def test_revoking_never_fails_because_the_sidecar_is_away(product, stack):
    account = product.account(lease_rotation_interval=0)
    lent = leases(product, account, 10)
    stack.sidecar.stop()
    try:
        for leased in lent:
            revoke(product, leased)
        assert due(product, account) == [1]
        assert lease(product, account)["lease_duration"] == 9
        assert irrevocable(product) == 0
    finally:
        stack.sidecar.restart()
    product.until(lambda: product.version(account) == 2, "the rotation, once the sidecar is back")
    judged(product)
    assert (product.version(account), product.counted(account)["password_changes"]) == (2, 1)


def test_a_seal_ends_no_lease_and_the_last_end_after_it_is_one_rotation(product, stack):
    account = product.account(lease_rotation_interval=0)
    lent = leases(product, account, 10)
    product.vault.ask("PUT", "v1/sys/seal")
    stack.vault.stop()
    stack.vault.restart()  # it unseals itself
    assert min(renew(product, leased)["lease_duration"] for leased in lent) > 500
    for leased in lent[1:]:
        revoke(product, leased)
    judged(product)
    assert (product.version(account), due(product, account)) == (1, [])
    revoke(product, lent[0])
    product.until(lambda: product.version(account) == 2, "the rotation after the last lease")
    assert product.counted(account)["password_changes"] == 1


def test_leases_that_end_while_the_server_is_down_are_one_rotation_after_it_is_back(product, stack):
    account = product.account(ttl=5, lease_rotation_interval=0)
    leases(product, account, 10)
    ends = time.monotonic() + 5
    stack.vault.stop()
    try:
        product.until(lambda: time.monotonic() > ends, "the end of the leases")
    finally:
        stack.vault.restart()
    product.until(lambda: product.version(account) == 2, "the rotation after the last lease")
    product.until(lambda: living(product, account) == 0, "the end of all leases")
    judged(product)
    assert (product.version(account), product.counted(account)["password_changes"]) == (2, 1)
    assert irrevocable(product) == 0
