"""Records by check-and-set; deleting writes a tombstone, so that numbers go on."""

from dataclasses import dataclass

import pytest

from vault_plugin_sdk.framework.fields import INTEGER, field, from_stored, to_stored
from vault_salesforce_sidecar.store import Conflict, KvVersion, Store, Stored


class Kv:
    """A KV v2 mount in memory, as far as a store needs it."""

    def __init__(self):
        self.versions, self.asked = {}, []

    def read(self, path):
        held = self.versions.get(path)
        return KvVersion(held[-1], len(held), {}) if held else None

    def write(self, path, data, cas):
        held = self.versions.setdefault(path, [])
        if len(held) != cas:
            raise Conflict(path)
        held.append(data)
        self.asked.append(("write", path))
        return len(held)

    def set_metadata(self, path, *, max_versions=None, custom_metadata=None):
        self.asked.append(("metadata", path, max_versions))

    def list(self, prefix):
        return sorted(path.removeprefix(prefix) for path in self.versions if path.startswith(prefix))


@dataclass(frozen=True)
class Record:
    number: int = field(INTEGER, "A number.")


@pytest.fixture
def kv():
    return Kv()


@pytest.fixture
def store(kv):
    return Store(kv, "things", dump=to_stored, load=lambda data: from_stored(Record, data), max_versions=1)


def test_a_record_is_read_as_it_was_written(store):
    assert store.get("one") is None
    assert store.put("one", Record(1)) == Stored(Record(1), 1)
    assert store.get("one") == Stored(Record(1), 1)


def test_the_metadata_is_made_before_the_first_version(store, kv):
    store.put("one", Record(1))
    assert kv.asked == [("metadata", "things/one", 1), ("write", "things/one")]
    store.put("one", Record(2), 1)
    assert kv.asked[2:] == [("write", "things/one")]


def test_a_write_on_top_of_an_older_version_is_a_conflict(store):
    store.put("one", Record(1))
    store.put("one", Record(2), 1)
    with pytest.raises(Conflict):
        store.put("one", Record(3), 1)
    assert store.get("one").record == Record(2)


def test_what_is_there_is_not_created_again(store):
    store.put("one", Record(1))
    with pytest.raises(Conflict):
        store.put("one", Record(2))


def test_a_deleted_record_is_gone_and_its_numbers_go_on(store):
    store.put("one", Record(1))
    store.delete("one", 1)
    assert store.get("one") is None
    assert store.put("one", Record(2)) == Stored(Record(2), 3)
    with pytest.raises(Conflict):
        store.put("one", Record(9), 1)


def test_a_list_names_what_was_ever_written(store):
    store.put("one", Record(1))
    store.put("two", Record(2))
    store.delete("two", 1)
    assert store.list() == ["one", "two"]


def test_members_of_a_newer_release_are_written_back(kv):
    store = Store(
        kv, "things", dump=to_stored, load=lambda data: from_stored(Record, data), members=frozenset({"number"})
    )
    kv.versions["things/a"] = [{"number": 1, "newer": "kept"}]
    store.put("a", Record(2), store.get("a").version)
    assert kv.versions["things/a"][-1] == {"number": 2, "newer": "kept"}
