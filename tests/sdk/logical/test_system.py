"""The server's view in memory."""

import asyncio

from vault_plugin_sdk.logical.system import PERFORMANCE_STANDBY, MemorySystemView


def test_a_standby_shows_in_the_replication_state():
    assert asyncio.run(MemorySystemView(standby=True).replication_state()) & PERFORMANCE_STANDBY
    assert not asyncio.run(MemorySystemView().replication_state()) & PERFORMANCE_STANDBY


def test_what_is_seen_of_real_servers_is_told_apart():
    assert not any(state & PERFORMANCE_STANDBY for state in (12288, 8224))
    assert 24576 & PERFORMANCE_STANDBY
