"""The server's view in memory."""

import asyncio

import pytest

from vault_plugin_sdk.logical.storage import StorageError
from vault_plugin_sdk.logical.system import PERFORMANCE_STANDBY, Entity, Group, MemorySystemView, NotOfferedError


def test_a_standby_shows_in_the_replication_state():
    assert asyncio.run(MemorySystemView(standby=True).replication_state()) & PERFORMANCE_STANDBY
    assert not asyncio.run(MemorySystemView().replication_state()) & PERFORMANCE_STANDBY


def test_what_is_seen_of_real_servers_is_told_apart():
    assert not any(state & PERFORMANCE_STANDBY for state in (12288, 8224))
    assert 24576 & PERFORMANCE_STANDBY


def test_what_it_answers_is_the_tests_choice():
    async def scenario():
        system = MemorySystemView(default_ttl=60, max_ttl=600)
        system.is_tainted, system.policies["strict"] = True, "pa55"
        system.entities["e1"], system.groups["e1"] = Entity("e1", "alice"), (Group("g1", "admins"),)
        return [
            await system.default_lease_ttl_seconds(),
            await system.max_lease_ttl_seconds(),
            await system.tainted(),
            await system.generate_password("strict"),
            await system.entity("e1"),
            await system.entity("e2"),
            await system.groups_of_entity("e1"),
        ]

    assert asyncio.run(scenario()) == [60, 600, True, "pa55", Entity("e1", "alice"), None, (Group("g1", "admins"),)]


def test_it_refuses_as_a_server_does():
    with pytest.raises(StorageError, match="failed to generate password"):
        asyncio.run(MemorySystemView().generate_password("missing"))
    with pytest.raises(NotOfferedError):
        asyncio.run(MemorySystemView().identity_token("someone", 60))


def test_what_was_wrapped_can_be_looked_at():
    system = MemorySystemView()
    wrapped = asyncio.run(system.wrap({"a": 1}, 60))
    assert system.wrapped[wrapped.token] == {"a": 1}
    assert wrapped.ttl_seconds == 60
