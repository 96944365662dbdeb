"""Logins of a connection's own user are counted before they are made, and the count outlives whoever made them."""

import pytest

from vault_salesforce_sidecar.salesforce.attempts import KeptAttempts, NoAttempts
from vault_salesforce_sidecar.store import Conflict, KvUnavailable

ADMIN = "Admin@acme.example"
PATH = "attempts/admin%40acme.example"


@pytest.fixture
def counted(kv):
    return KeptAttempts(kv)


def test_two_may_fail_and_a_third_is_not_made(counted, kv):
    counted.charge(ADMIN)
    counted.failed(ADMIN)
    counted.charge(ADMIN.lower())
    with pytest.raises(NoAttempts):
        counted.charge(ADMIN)
    assert kv.newest(PATH) == {"schema": 1, "charges": 2, "forgiven": 0}


def test_the_count_is_durable_before_the_login(kv):
    KeptAttempts(kv).charge(ADMIN)
    KeptAttempts(kv).charge(ADMIN)
    with pytest.raises(NoAttempts):
        KeptAttempts(kv).charge(ADMIN)


@pytest.mark.parametrize(("end", "left"), [("succeeded", 0), ("take_back", 1), ("failed", 2)])
def test_what_becomes_of_a_charge(counted, kv, end, left):
    counted.charge(ADMIN)
    counted.charge(ADMIN)
    getattr(counted, end)(ADMIN)
    assert kv.newest(PATH)["charges"] == left


def test_a_failure_counts_although_another_ones_success_cleared_its_charge(counted, kv):
    counted.charge(ADMIN)
    counted.charge(ADMIN)
    counted.succeeded(ADMIN)
    counted.failed(ADMIN)
    assert kv.newest(PATH)["charges"] == 1


def test_who_vouches_for_the_user_is_heard_by_all(counted, kv):
    assert counted.forgiven(ADMIN) == 0
    counted.forgive(ADMIN)
    assert PATH not in kv.versions  # nothing was ever charged
    counted.charge(ADMIN)
    counted.forgive(ADMIN)
    assert kv.newest(PATH) == {"schema": 1, "charges": 0, "forgiven": 1}
    assert KeptAttempts(kv).forgiven(ADMIN) == 1


def test_two_that_count_at_once_lose_no_charge(counted, kv, monkeypatch):
    write, other = kv.write, KeptAttempts(kv)

    def write_second(path, data, cas):
        monkeypatch.setattr(kv, "write", write)
        other.charge(ADMIN)
        return write(path, data, cas)

    monkeypatch.setattr(kv, "write", write_second)
    assert counted.charge(ADMIN).charges == 2


def test_a_charge_that_cannot_be_written_is_an_error_and_its_end_is_not(counted, kv):
    counted.charge(ADMIN)
    kv.sealed = True
    with pytest.raises(KvUnavailable):
        counted.charge(ADMIN)
    with pytest.raises(KvUnavailable):
        counted.forgive(ADMIN)
    counted.succeeded(ADMIN)
    assert counted.forgiven(ADMIN) is None


def test_who_never_gets_to_write_gives_up(counted, kv, monkeypatch):
    def refuse(path, data, cas):
        raise Conflict(path)

    monkeypatch.setattr(kv, "write", refuse)
    with pytest.raises(KvUnavailable, match="at once"):
        counted.charge(ADMIN)


def test_a_count_of_a_newer_release_is_left_alone(counted, kv):
    kv.write(PATH, {"schema": 2, "charges": 0}, 0)
    with pytest.raises(KvUnavailable, match="newer release"):
        counted.charge(ADMIN)
    assert kv.newest(PATH)["schema"] == 2
