"""The index: a hint for other sidecars, mended by whoever knows better."""

import json
from dataclasses import replace

import pytest
from fakes import CALLER, CRM, JOURNAL, Accidents, ManualClock, MemoryKv
from stage import Stage

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.records.index_page import Line, page_of
from vault_salesforce_sidecar.rotation.handed_in import HandedIn
from vault_salesforce_sidecar.rotation.index import PAGES_AT_ONCE, READ_SECONDS, WRITE_SECONDS, Index
from vault_salesforce_sidecar.store import KvUnavailable

ANN = "ann@acme.example"
PAGE = f"index/{page_of(CRM)}"


def memory():
    return MemoryKv("engine", Accidents(), ManualClock())


def read_all(index):
    found = index.read(1)
    while index.unread:
        found.update(index.read(1))
    return found


def pass_time(stage, *sidecars, seconds):
    for _ in range(seconds):
        stage.clock.seconds += 1
        for rotations in sidecars:
            rotations.tick()


def test_what_one_writes_another_reads():
    kv = memory()
    one, two = Index(kv), Index(kv)
    users = [f"user{number}@acme.example" for number in range(200)]
    for number, user in enumerate(users):
        one.owe(user, Line("role", number + 1))
    one.write()
    assert not one.owes
    assert read_all(two) == {user: Line("role", number + 1) for number, user in enumerate(users)}


def test_what_the_page_says_already_is_not_written_again():
    kv = memory()
    one, two = Index(kv), Index(kv)
    one.owe(ANN, Line("crm", 5))
    one.write()
    read_all(two)
    for index in (one, two):
        index.owe(ANN, Line("crm", 5))
        index.owe(ANN, Line("crm", 4))
        assert not index.owes


def test_two_that_write_one_page_lose_no_line():
    kv = memory()
    one, two = Index(kv), Index(kv)
    one.owe(ANN, Line("crm", 5))
    other = next(name for n in range(10_000) if page_of(name := f"u{n}@x.example") == page_of(ANN))
    two.owe(other, Line("erp", 1))
    read = kv.read

    def read_and_be_overtaken(path):
        found, kv.read = read(path), read
        two.write()
        return found

    kv.read = read_and_be_overtaken
    one.write()
    assert read_all(Index(kv)) == {ANN: Line("crm", 5), other: Line("erp", 1)}


def test_what_could_not_be_written_stays_owed():
    kv = memory()
    index = Index(kv)
    index.owe(ANN, Line("crm", 5))
    kv.sealed = True
    with pytest.raises(KvUnavailable):
        index.write()
    assert index.owes
    kv.sealed = False
    index.write()
    assert read_all(Index(kv)) == {ANN: Line("crm", 5)}


def test_a_page_of_a_newer_release_is_left_alone():
    kv = memory()
    path = f"index/{page_of(ANN)}"
    kv.write(path, {"schema": 9, "lines": []}, 0)
    index = Index(kv)
    index.owe(ANN, Line("crm", 5))
    index.write()
    assert kv.newest(path) == {"schema": 9, "lines": []}
    assert read_all(index) == {}


def test_a_page_that_somebody_deleted_or_spoilt_is_filled_again():
    stage = Stage()
    rotations = stage.enrolled()
    pass_time(stage, rotations, seconds=int(2 * WRITE_SECONDS + 1))
    for spoilt in ({"deleted": True}, {"accounts": "?"}, None):
        stage.engine_kv.versions[PAGE].append(spoilt)
        rotations.rotate("crm", CALLER)
        pass_time(stage, rotations, seconds=int(2 * WRITE_SECONDS + 1))
        role, version = stage.engine_kv.newest(PAGE)["accounts"][CRM]
        assert (role, version) == ("crm", len(stage.engine_kv.versions[JOURNAL]))


def test_the_index_holds_no_secret():
    stage = Stage()
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER)
    pass_time(stage, rotations, seconds=5)
    text = json.dumps(stage.engine_kv.newest(PAGE))
    assert stage.person.password not in text
    assert "Old-password-1" not in text


def test_among_many_roles_another_sidecar_hears_of_a_rotation_within_seconds():
    stage = Stage()
    one, two = stage.sidecar(), stage.sidecar("two")
    for number in range(200):
        username = f"user{number}@acme.example"
        person = stage.org.add(username, f"Old-password-{number}", untrusted=False)
        role = replace(stage.role, username=username, rotation_period=None)
        HandedIn(one).enrol(f"role{number}", role, SecretStr(person.password), None, CALLER)
    pass_time(stage, one, two, seconds=60)
    assert len(two.statuses()) == 200
    for rotations in (one, two):  # the sweep over all of them has just passed the last one
        rotations._watching._sweep = []
        rotations._watching._swept_at = stage.clock.seconds
    one.rotate("role199", CALLER)
    pass_time(stage, one, two, seconds=int(WRITE_SECONDS + READ_SECONDS + 64 / PAGES_AT_ONCE) + 1)
    assert two.statuses()["role199"].version == 2
