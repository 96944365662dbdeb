"""Records in a mount's storage."""

import asyncio
from dataclasses import dataclass

import pytest

from vault_plugin_sdk.framework.fields import DURATION, SECRET, field
from vault_plugin_sdk.framework.records import Records
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.storage import MemoryStorage


@dataclass(frozen=True)
class Role:
    """A role."""

    ttl: int = field(DURATION, "How long.")
    password: SecretStr = field(SECRET, "Its password.", default=SecretStr(""))


@pytest.fixture
def storage():
    return MemoryStorage({"other/x": b"not ours"})


def test_a_record_is_there_until_it_is_deleted(storage):
    async def scenario():
        roles = Records(storage, "roles/", Role)
        assert await roles.get("a") is None
        await roles.put("a", Role(60, SecretStr("pa55")))
        found = await roles.get("a")
        await roles.delete("a")
        await roles.delete("a")
        return found, await roles.get("a")

    assert asyncio.run(scenario()) == (Role(60, SecretStr("pa55")), None)
    assert storage.entries == {"other/x": b"not ours"}


def test_names_and_records_come_whole_or_in_pages(storage):
    async def scenario():
        roles = Records(storage, "roles/", Role)
        for number, name in enumerate("cab"):
            await roles.put(name, Role(number))
        return await roles.names(), await roles.names(after="a", limit=1), await roles.all(), await roles.all(after="b")

    names, page, records, rest = asyncio.run(scenario())
    assert (names, page) == (["a", "b", "c"], ["b"])
    assert records == {"a": Role(1), "b": Role(2), "c": Role(0)}
    assert rest == {"c": Role(0)}


def test_a_record_of_a_later_release_is_read_as_far_as_it_is_known(storage):
    storage.entries["roles/a"] = b'{"ttl": 5, "colour": "red"}'
    assert asyncio.run(Records(storage, "roles/", Role).get("a")) == Role(5)


def test_a_record_that_was_deleted_meanwhile_is_left_out(storage):
    class Slow(MemoryStorage):
        async def get(self, key):
            self.entries.pop("roles/b", None)
            return await super().get(key)

    slow = Slow({"roles/a": b'{"ttl": 1}', "roles/b": b'{"ttl": 2}'})
    assert asyncio.run(Records(slow, "roles/", Role).all()) == {"a": Role(1)}
