"""The write-ahead log."""

import asyncio

import pytest

from vault_plugin_sdk.framework.wal import WriteAheadLog
from vault_plugin_sdk.logical.storage import MemoryStorage, ReadOnlyStorageError


class Story:
    """A log with a clock of its own, and what was undone."""

    def __init__(self):
        self.storage = MemoryStorage()
        self.now = 1000.0
        self.log = WriteAheadLog(self.storage, clock=lambda: self.now)
        self.undone = []

    async def unmake(self, data):
        if data.get("stuck"):
            raise ValueError("hunter2")
        self.undone.append(data["name"])

    async def undo(self, **how):
        await self.log.undo({"made": self.unmake}, **how)


@pytest.fixture
def story():
    return Story()


def test_what_was_finished_is_not_undone(story):
    async def scenario():
        await story.log.clear(await story.log.write("made", {"name": "a"}))
        await story.undo(min_age_seconds=0)

    asyncio.run(scenario())
    assert story.undone == []
    assert story.storage.entries == {}


def test_what_was_not_finished_is_undone_once_it_is_old_enough_to_belong_to_nobody(story):
    async def scenario():
        await story.log.write("made", {"name": "a"})
        story.now += 599
        await story.undo()
        young = list(story.undone)
        story.now += 1
        await story.undo()
        await story.undo()
        return young

    assert asyncio.run(scenario()) == []
    assert story.undone == ["a"]
    assert story.storage.entries == {}


def test_what_cannot_be_undone_now_is_kept_and_holds_up_nothing(story, caplog):
    async def scenario():
        await story.log.write("made", {"name": "a", "stuck": True})
        await story.log.write("unheard of", {})
        await story.log.write("made", {"name": "b"})
        await story.undo(min_age_seconds=0)

    asyncio.run(scenario())
    assert story.undone == ["b"]
    assert len(story.storage.entries) == 2
    assert sorted(record.kind for record in caplog.records) == ["made", "unheard of"]


def test_an_entry_that_somebody_cleared_meanwhile_is_left_alone(story):
    class Slow(MemoryStorage):
        async def list(self, prefix):
            return ["gone"]

    asyncio.run(WriteAheadLog(Slow()).undo({}))


def test_a_standby_writes_none(story):
    story.storage.read_only = True
    with pytest.raises(ReadOnlyStorageError):
        asyncio.run(story.log.write("made", {}))
