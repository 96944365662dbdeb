"""When a plugin process leaves by itself."""

import pytest

from vault_plugin_sdk.wire.ownership import LOST_SECONDS, UNCLAIMED_SECONDS, Ownership


@pytest.fixture
def ownership():
    return Ownership(parent=7, last_seen=0.0)


def test_a_connected_host_with_a_mount_is_an_owner(ownership):
    assert ownership.reason_to_leave(10_000.0, 7, connected=True, mounted=True) is None


@pytest.mark.parametrize("used", [False, True])
def test_another_parent_means_that_whoever_started_it_is_gone(ownership, used):
    assert ownership.reason_to_leave(1.0, 7, connected=used, mounted=used) is None
    assert "gone" in ownership.reason_to_leave(1.0, 1, connected=used, mounted=used)


@pytest.mark.parametrize("connected", [False, True])
def test_no_mount_for_long_means_that_the_server_gave_up_whether_it_keeps_the_connection_or_not(ownership, connected):
    assert ownership.reason_to_leave(UNCLAIMED_SECONDS, 7, connected=connected, mounted=False) is None
    assert "no server" in ownership.reason_to_leave(UNCLAIMED_SECONDS + 0.1, 7, connected=connected, mounted=False)


def test_a_host_whose_last_mount_has_ended_has_as_long_for_the_next(ownership):
    ownership.reason_to_leave(50.0, 7, connected=True, mounted=True)

    assert ownership.reason_to_leave(50.0 + UNCLAIMED_SECONDS, 7, connected=True, mounted=False) is None
    assert ownership.reason_to_leave(50.1 + UNCLAIMED_SECONDS, 7, connected=True, mounted=False)


def test_a_host_that_is_lost_with_its_mounts_does_not_come_back(ownership):
    ownership.reason_to_leave(50.0, 7, connected=True, mounted=True)

    assert ownership.reason_to_leave(50.0 + LOST_SECONDS, 7, connected=False, mounted=True) is None
    assert "no server" in ownership.reason_to_leave(50.1 + LOST_SECONDS, 7, connected=False, mounted=True)
