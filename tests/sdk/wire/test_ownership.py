"""When a plugin process leaves by itself."""

import pytest

from vault_plugin_sdk.wire.ownership import UNCLAIMED_SECONDS, Ownership


def test_a_connected_host_is_an_owner():
    ownership = Ownership(parent=7, last_seen=0.0)

    assert ownership.reason_to_leave(10_000.0, 7, connected=True) is None


@pytest.mark.parametrize("connected", [False, True])
def test_another_parent_means_that_whoever_started_it_is_gone(connected):
    ownership = Ownership(parent=7, last_seen=0.0)

    assert ownership.reason_to_leave(1.0, 7, connected=connected) is None
    assert "gone" in ownership.reason_to_leave(1.0, 1, connected=connected)


def test_nobody_connected_for_long_means_that_the_server_gave_up():
    ownership = Ownership(parent=7, last_seen=0.0)
    ownership.reason_to_leave(50.0, 7, connected=True)

    assert ownership.reason_to_leave(50.0 + UNCLAIMED_SECONDS, 7, connected=False) is None
    assert "no server" in ownership.reason_to_leave(50.1 + UNCLAIMED_SECONDS, 7, connected=False)
