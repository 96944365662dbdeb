"""Copies of published credentials."""

import asyncio
import datetime as dt
from dataclasses import replace

import pytest

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError
from vault_plugin_sdk.logical.storage import MemoryStorage
from vault_salesforce_contract.published import PublishedCredential
from vault_salesforce_contract.registration import PARTS, Held, digests, in_parts, part_of
from vault_salesforce_plugin.credentials import Credentials, hinted

NOON = dt.datetime(2030, 1, 1, 12, tzinfo=dt.UTC)
THIRD = PublishedCredential(
    username="app@example.com",
    password=SecretStr("secret"),
    security_token=SecretStr("token"),
    version=3,
    rotation_id="third",
    last_vault_rotation=NOON,
    login_url="https://login.example.com",
)


class SlowStorage(MemoryStorage):
    """Storage in which others get their turn during each call, and that counts what is asked."""

    def __init__(self):
        super().__init__()
        self.gets = self.puts = 0

    async def get(self, key):
        self.gets += 1
        found = await super().get(key)
        await asyncio.sleep(0)
        return found

    async def put(self, key, value):
        self.puts += 1
        await asyncio.sleep(0)
        await super().put(key, value)


async def test_what_was_put_is_there_for_the_next_process_secrets_included():
    storage = MemoryStorage()
    await Credentials(storage).put("crm", THIRD)
    assert await Credentials(storage).get("crm") == THIRD


async def test_reads_come_from_memory():
    storage = SlowStorage()
    credentials = Credentials(storage)
    await credentials.put("crm", THIRD)
    asked = storage.gets
    for _ in range(3):
        assert await credentials.get("crm") == THIRD
    assert storage.gets == asked


@pytest.mark.parametrize(
    "follower",
    [
        replace(THIRD, version=4, rotation_id="fourth"),
        replace(THIRD, ttl=60),
        replace(THIRD, version=9, rotation_id="ninth", deleted=True, password=SecretStr("")),
    ],
)
async def test_a_higher_version_or_the_same_one_of_the_same_rotation_is_taken_over(follower):
    credentials = Credentials(MemoryStorage())
    await credentials.put("crm", THIRD)
    await credentials.put("crm", follower)
    assert await credentials.get("crm") == follower


@pytest.mark.parametrize("follower", [replace(THIRD, version=2), replace(THIRD, rotation_id="other")])
async def test_a_lower_version_or_the_same_one_of_another_rotation_is_refused(follower):
    storage = MemoryStorage()
    credentials = Credentials(storage)
    await credentials.put("crm", THIRD)
    with pytest.raises(CallerError) as refused:
        await credentials.put("crm", follower)
    assert refused.value.status == 409
    assert "secret" not in str(refused.value)
    assert await Credentials(storage).get("crm") == THIRD


async def test_a_slow_write_of_an_older_version_does_not_land_after_a_newer_one():
    storage = SlowStorage()
    credentials = Credentials(storage)
    fourth = replace(THIRD, version=4, rotation_id="fourth")
    await asyncio.gather(credentials.put("crm", fourth), credentials.put("crm", THIRD), return_exceptions=True)
    assert (await Credentials(storage).get("crm")).version == 4


async def test_the_same_again_is_not_written_again():
    storage = SlowStorage()
    credentials = Credentials(storage)
    await credentials.put("crm", THIRD)
    await credentials.put("crm", replace(THIRD))
    assert storage.puts == 1


async def test_what_is_held_names_every_role_and_its_digest_is_the_contracts():
    storage = MemoryStorage()
    first = Credentials(storage)
    for number in range(100):
        await first.put(f"role-{number}", THIRD)
    anew = Credentials(storage)
    assert anew.differing(anew.digests()) is None
    await anew.load()
    held = {f"role-{number}": Held(3, "third") for number in range(100)}
    parts = in_parts(held)
    assert anew.held(range(PARTS)) == dict(enumerate(parts))
    assert anew.differing(digests(parts)) == ()
    await anew.put("role-7", replace(THIRD, version=4))
    assert anew.differing(digests(parts)) == (part_of("role-7"),)
    assert anew.differing(digests(in_parts(held | {"role-7": Held(4, "third")}))) == ()
    await anew.remove("role-7")
    del held["role-7"]
    assert anew.differing(digests(in_parts(held))) == ()


async def test_writes_during_the_load_neither_prolong_it_nor_are_lost():
    storage = SlowStorage()
    first = Credentials(storage)
    for number in range(100):
        await first.put(f"role-{number}", THIRD)
    anew = Credentials(storage)
    loading = asyncio.create_task(anew.load())
    version = 3
    while not loading.done():
        version += 1
        await anew.put("role-50", replace(THIRD, version=version))
        await asyncio.sleep(0)
    assert (await anew.get("role-50")).version == version
    asked = storage.gets
    assert await anew.get("nobody") is None
    assert storage.gets == asked
    assert len(await anew.roles()) == 100


async def test_what_was_read_before_a_change_is_not_known_after_it():
    class Gate(MemoryStorage):
        def __init__(self):
            super().__init__()
            self.reading, self.go_on = asyncio.Event(), asyncio.Event()

        async def get(self, key):
            found = await super().get(key)
            self.reading.set()
            await self.go_on.wait()
            return found

    storage = Gate()
    storage.entries = await stored(crm=THIRD)
    standby = Credentials(storage)
    reading = asyncio.create_task(standby.get("crm"))
    await storage.reading.wait()
    storage.entries = await stored(crm=replace(THIRD, version=4))
    standby.invalidate("crm")
    storage.go_on.set()
    assert (await reading).version == 3
    assert (await standby.get("crm")).version == 4


async def stored(**credentials):
    """What storage holds after these were put."""
    storage = MemoryStorage()
    for role, credential in credentials.items():
        await Credentials(storage).put(role, credential)
    return storage.entries


async def test_an_invalidated_copy_is_read_anew_even_where_the_read_was_under_way():
    storage = SlowStorage()
    standby = Credentials(storage)
    await Credentials(storage).put("crm", THIRD)
    reading = asyncio.create_task(standby.get("crm"))
    await asyncio.sleep(0)
    await Credentials(storage).put("crm", replace(THIRD, version=4))
    standby.invalidate("crm")
    assert (await reading).version == 3
    assert (await standby.get("crm")).version == 4


async def test_a_removed_role_counts_anew():
    storage = MemoryStorage()
    credentials = Credentials(storage)
    await credentials.put("crm", THIRD)
    await credentials.remove("crm")
    assert storage.entries == {}
    await credentials.put("crm", replace(THIRD, version=1))


async def test_a_record_that_cannot_be_read_is_as_if_it_were_not_there(caplog):
    storage = MemoryStorage()
    storage.entries["credentials/crm"] = b'{"password": "very secret", "version": "none"}'
    credentials = Credentials(storage)
    assert await credentials.get("crm") is None
    await credentials.load()
    assert await credentials.roles() == []
    assert "very secret" not in caplog.text
    await credentials.put("crm", THIRD)
    assert await credentials.roles() == ["crm"]


def test_readers_get_the_token_alone_and_joined_and_nothing_that_changes():
    data = hinted(THIRD, NOON)
    assert data == hinted(THIRD, NOON + dt.timedelta(days=1))
    assert (data["password"], data["security_token"], data["password_token"]) == ("secret", "token", "secrettoken")
    assert "ttl" not in data


@pytest.mark.parametrize(("passed", "ttl"), [(0, 3600), (3000, 600), (3600, 10), (9999, 10)])
def test_a_role_with_hints_tells_how_long_to_sleep_and_never_zero(passed, ttl):
    told = replace(THIRD, rotation_period=3600, next_rotation=NOON + dt.timedelta(seconds=3600))
    data = hinted(told, NOON + dt.timedelta(seconds=passed))
    assert (data["rotation_period"], data["ttl"]) == (3600, ttl)
