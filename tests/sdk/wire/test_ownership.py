"""When a plugin process leaves by itself."""

from vault_plugin_sdk.wire.ownership import UNCLAIMED_SECONDS, Ownership


def test_a_connected_host_is_an_owner_whatever_the_parent():
    ownership = Ownership(parent=7, last_seen=0.0)

    assert ownership.reason_to_leave(10_000.0, 1, connected=True) is None


def test_a_lost_connection_and_another_parent_mean_that_the_server_is_gone():
    ownership = Ownership(parent=7, last_seen=0.0)

    assert ownership.reason_to_leave(1.0, 7, connected=False) is None
    assert "gone" in ownership.reason_to_leave(1.0, 1, connected=False)


def test_nobody_connected_for_long_means_that_the_server_gave_up():
    ownership = Ownership(parent=7, last_seen=0.0)
    ownership.reason_to_leave(50.0, 7, connected=True)

    assert ownership.reason_to_leave(50.0 + UNCLAIMED_SECONDS, 7, connected=False) is None
    assert "no server" in ownership.reason_to_leave(50.1 + UNCLAIMED_SECONDS, 7, connected=False)
