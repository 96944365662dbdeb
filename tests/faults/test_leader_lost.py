"""The active one of three nodes steps down, is killed or sleeps; what was begun there ends well, once."""

import signal
import threading

import pytest

pytestmark = pytest.mark.system

OTHER_SECONDS = 30.0
CALLER_SECONDS = 20.0
REDIRECTED = 307


@pytest.fixture
def leader(clustered):
    return clustered.stack.cluster.leader()


@pytest.fixture
def account(clustered):
    return clustered.account(lease_rotation_interval=0)


def lease(product, account):
    return product.vault.ask("GET", f"v1/sf/creds/{account.role}").body


def renew(product, leased):
    renewed = product.vault.ask("PUT", "v1/sys/leases/renew", {"lease_id": leased["lease_id"], "increment": 600})
    return renewed.body["lease_duration"]


def after(clustered, leader):
    """The product, asked through the node that became active after this one."""
    others = [node for node in clustered.stack.cluster.nodes if node is not leader]
    active = clustered.until(
        lambda: next((node for node in others if node.active()), None), "another active node", OTHER_SECONDS
    )
    return clustered.through(active)


def ends_well_once(product, account):
    product.until(lambda: product.version(account) == 2, "version 2", within_seconds=60)
    product.until(lambda: product.status(account)["state"] == "ok", "rest")
    counted = product.counted(account)
    assert counted["password_changes"] == 1
    assert counted["failed_logins"] == counted["lockouts"] == 0
    assert product.is_live(account)
    assert product.static_creds(account)["password"] == product.kv(account)["password"]


def is_joined_at_once(product, account):
    """The new active node's plugin has a key that no sidecar knew, and they learn it with its first request."""
    answer = product.rotate(account, expected_version=1)
    assert answer.status == 200, answer
    assert answer.data["state"] in ("ok", "rotating")


def rotates_again(product, account):
    assert product.rotate(account).data["done"] is True
    assert product.counted(account)["password_changes"] == 2


@pytest.fixture(params=["hook_url", "hook_after_url"], ids=["before the change", "after the change"])
def moment(request, clustered, account, hook):
    """The org calls the test in the midst of the account's change."""
    clustered.misbehave(account, **{request.param: {"url": hook.url, "times": 1}})
    return hook


def test_a_leader_that_steps_down_with_a_rotation_in_flight(clustered, leader, account, moment):
    stepped_down = threading.Event()

    def step_down():
        clustered.vault.send("PUT", "v1/sys/step-down")
        stepped_down.set()

    # The change is answered when the server has begun to wait for its requests, this one among them, to end.
    moment.act = lambda _: (threading.Thread(target=step_down).start(), stepped_down.wait(4))
    answer = clustered.rotate_meanwhile(account, wait=2).result(CALLER_SECONDS)
    assert moment.called.wait(CALLER_SECONDS)
    # Not done, as a rule: while the server waits for this very request, it takes no write of the sidecar's.
    assert answer.status == 200
    assert (answer.data["done"], answer.data["version"]) in [(False, 1), (True, 2)]
    product = after(clustered, leader)
    is_joined_at_once(product, account)
    ends_well_once(product, account)
    rotates_again(product, account)


@pytest.mark.parametrize("through", ["the leader", "a standby"])
def test_a_leader_that_is_killed_with_a_rotation_in_flight(clustered, leader, account, moment, through):
    leased = lease(clustered, account)
    moment.act = lambda _: leader.part.signal(signal.SIGKILL)
    if through == "the leader":
        asked = clustered.rotate_meanwhile(account)
        assert isinstance(asked.exception(CALLER_SECONDS), OSError)
    else:
        asked = clustered.through(clustered.stack.cluster.standbys()[0]).rotate_meanwhile(account)
        # No 5xx, which promises that nothing was begun, but the way to a node that is no longer there.
        assert asked.result(CALLER_SECONDS).status == REDIRECTED
    assert moment.called.wait(CALLER_SECONDS)
    product = after(clustered, leader)
    is_joined_at_once(product, account)
    ends_well_once(product, account)
    assert renew(product, leased) <= 2  # there is something newer to read
    rotates_again(product, account)


def test_a_lease_survives_the_leader_and_one_that_ends_meanwhile_rotates_once(clustered, leader):
    lasting, ending = clustered.account(), clustered.account(lease_rotation_interval=0, ttl=5, max_ttl=5)
    leased = lease(clustered, lasting)
    lease(clustered, ending)
    leader.part.signal(signal.SIGKILL)
    product = after(clustered, leader)
    assert renew(product, leased) > 500
    product.until(lambda: product.version(ending) == 2, "the rotation after its last lease")
    product.until(lambda: product.status(ending)["state"] == "ok", "rest")
    assert product.counted(ending)["password_changes"] == 1
    assert product.is_live(ending)
    assert product.version(lasting) == 1


def test_a_leader_that_slept_does_nothing_with_what_it_was_asked_before(clustered, leader, account):
    leader.part.signal(signal.SIGSTOP)
    try:
        asked = clustered.rotate_meanwhile(account)
        product = after(clustered, leader)
        # The sidecars' calls to the sleeper end by their time limit; until then they do not know the new key.
        again = product.until(lambda: product.rotate(account, expected_version=1).data, "a rotation")
        product.until(lambda: product.version(account) == 2, f"version 2 of {again}")
    finally:
        leader.part.signal(signal.SIGCONT)
    answer = asked.result(CALLER_SECONDS)
    product.until(lambda: product.status(account)["state"] == "ok", "rest")
    changes = product.counted(account)["password_changes"]
    # It was passed on to the new leader, which is one rotation more, or it was not begun; or nobody knows.
    possible = {2} if answer.data.get("done") else {1, 2} if answer.status == 200 else {1}
    assert changes in possible, answer
    product.until(lambda: product.version(account) == changes + 1, "its version")
    assert product.is_live(account)
