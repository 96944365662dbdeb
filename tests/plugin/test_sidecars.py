"""Registered sidecars."""

import asyncio

import pytest

from vault_plugin_sdk.logical.errors import CallerError
from vault_plugin_sdk.logical.request import Caller
from vault_plugin_sdk.logical.storage import MemoryStorage
from vault_salesforce_contract.registration import CONTRACT, Registration
from vault_salesforce_plugin.clock import Clock
from vault_salesforce_plugin.sidecars import Sidecars, owner_of

ALICE = Caller(entity_id="e-alice", display_name="approle", accessor="a1")


class CountingStorage(MemoryStorage):
    """Storage that counts its writes."""

    def __init__(self):
        super().__init__()
        self.puts = 0

    async def put(self, key, value):
        self.puts += 1
        await super().put(key, value)


def said(**fields):
    return Registration(
        **{"url": "https://127.0.0.1:1", "certificate": "pem", "version": "1", "contract": CONTRACT} | fields
    )


@pytest.fixture
def storage():
    return CountingStorage()


@pytest.fixture
def sidecars(storage, clock):
    return Sidecars(storage, Clock(clock.now, clock.monotonic))


async def test_a_heartbeat_that_says_nothing_new_writes_nothing(storage, sidecars):
    await sidecars.register("one", said(), ALICE)
    passing = said(published=("another digest",), changing=("crm",), lacking=3, reason="starting")
    await sidecars.register("one", passing, ALICE)
    assert storage.puts == 1
    await sidecars.register("one", said(url="https://127.0.0.1:2"), ALICE)
    assert storage.puts == 2


async def test_the_first_writers_entity_owns_the_name_whatever_token_it_comes_with(sidecars):
    await sidecars.register("one", said(), ALICE)
    await sidecars.register("one", said(), Caller(entity_id="e-alice", display_name="other", accessor="a2"))
    with pytest.raises(CallerError) as refused:
        await sidecars.register("one", said(), Caller(entity_id="e-mallory", display_name="approle"))
    assert (refused.value.status, refused.value.code) == (409, "instance_taken")


def test_a_token_without_an_entity_is_known_by_its_display_name_and_never_taken_for_an_entity():
    assert owner_of(Caller(display_name="root", accessor="a1")) == owner_of(Caller(display_name="root", accessor="a2"))
    assert owner_of(Caller(display_name="e-alice")) != owner_of(ALICE)


async def test_a_sidecar_is_used_for_a_minute_after_it_was_heard_and_removed_after_a_day(storage, sidecars, clock):
    await sidecars.register("one", said(), ALICE)
    clock.advance(59)
    assert [one.instance for one in await sidecars.in_order("crm")] == ["one"]
    clock.advance(1)
    assert await sidecars.in_order("crm") == []
    await sidecars.forget_silent()
    assert [one.instance for one in await sidecars.all()] == ["one"]
    clock.advance(86_400)
    await sidecars.forget_silent()
    assert await sidecars.all() == []
    assert storage.entries == {}


async def test_a_new_process_gives_the_sidecars_it_finds_a_minute_and_keeps_their_owners(storage, sidecars, clock):
    await sidecars.register("one", said(), ALICE)
    clock.advance(3600)
    anew = Sidecars(storage, Clock(clock.now, clock.monotonic))
    assert [one.registration.url for one in await anew.in_order("crm")] == ["https://127.0.0.1:1"]
    with pytest.raises(CallerError):
        await anew.register("one", said(), Caller(entity_id="e-mallory"))


async def test_one_subject_keeps_its_sidecar_and_subjects_spread_over_all(sidecars):
    for instance in ("one", "two", "three"):
        await sidecars.register(instance, said(), ALICE)
    first = {subject: (await sidecars.in_order(subject))[0].instance for subject in map(str, range(60))}
    assert first == {subject: (await sidecars.in_order(subject))[0].instance for subject in first}
    assert set(first.values()) == {"one", "two", "three"}


async def test_one_that_could_not_be_reached_comes_last_until_it_is_heard_again(sidecars):
    for instance in ("one", "two"):
        await sidecars.register(instance, said(), ALICE)
    favourite, other = await sidecars.in_order("crm")
    favourite.reachable = False
    assert await sidecars.in_order("crm") == [other, favourite]
    await sidecars.register(favourite.instance, said(), ALICE)
    assert await sidecars.in_order("crm") == [favourite, other]


async def test_a_role_is_changing_while_a_sidecar_that_is_heard_says_so_or_until_it_is_published(sidecars, clock):
    await sidecars.register("one", said(changing=("crm",)), ALICE)
    assert sidecars.is_changing("crm")
    assert not sidecars.is_changing("erp")
    sidecars.has_published("crm")
    assert not sidecars.is_changing("crm")
    await sidecars.register("one", said(changing=("crm",)), ALICE)
    clock.advance(60)
    assert not sidecars.is_changing("crm")


async def test_waiting_for_a_heartbeat_ends_with_it_or_with_the_limit(sidecars):
    sidecar = await sidecars.register("one", said(), ALICE)
    assert not await sidecars.heard_again(sidecar, sidecar.beats, 0.01)
    waiting = asyncio.create_task(sidecars.heard_again(sidecar, sidecar.beats, 5.0))
    await asyncio.sleep(0)
    await sidecars.register("other", said(), ALICE)
    await asyncio.sleep(0)
    assert not waiting.done()
    await sidecars.register("one", said(), ALICE)
    assert await waiting


async def test_a_registration_of_another_release_is_as_if_it_were_not_there(storage, sidecars):
    storage.entries["sidecars/old"] = b'{"owner": "entity:x", "registration": {"address": "somewhere"}}'
    assert await sidecars.all() == []
    await sidecars.register("old", said(), ALICE)


async def test_memory_says_whether_a_name_is_known_once_it_was_loaded(sidecars):
    assert sidecars.knows("one") is None
    await sidecars.register("one", said(), ALICE)
    assert sidecars.knows("one") is True
    assert sidecars.knows("two") is False
    sidecars.invalidate()
    assert sidecars.knows("one") is None


async def test_what_another_node_writes_while_the_registrations_are_read_is_read_anew(storage, sidecars, clock):
    listing = storage.list

    async def written_meanwhile(prefix):
        storage.list = listing
        found = await listing(prefix)
        await Sidecars(storage, Clock(clock.now, clock.monotonic)).register("one", said(), Caller(entity_id="e"))
        sidecars.invalidate()
        return found

    storage.list = written_meanwhile
    assert await sidecars.all() == []
    assert [one.instance for one in await sidecars.all()] == ["one"]
