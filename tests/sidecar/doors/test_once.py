"""One request is one job."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from vault_plugin_sdk.logical.errors import CallerError, TransientError
from vault_salesforce_contract.forwarding import LIFETIME_SECONDS
from vault_salesforce_sidecar.clock import SystemClock
from vault_salesforce_sidecar.doors import once as module
from vault_salesforce_sidecar.doors.once import KEPT_SECONDS, Once
from vault_salesforce_sidecar.doors.signed import LEEWAY_SECONDS


class ManualClock(SystemClock):
    """A clock that the test moves."""

    def __init__(self):
        self.moved = 0.0
        self.waiting = threading.Event()

    def monotonic(self):
        return self.moved

    def wait(self, event, seconds):
        self.waiting.set()
        return super().wait(event, seconds)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def once(clock):
    return Once(clock)


def test_the_same_request_is_done_once_and_answered_twice(once):
    done = []

    def work():
        done.append(1)
        return len(done)

    assert [once.run("id", "print", work) for _ in range(2)] == [1, 1]


def test_another_request_with_the_same_id_is_refused(once):
    once.run("id", "print", lambda: 1)
    with pytest.raises(CallerError) as caught:
        once.run("id", "other", lambda: 2)
    assert (caught.value.status, caught.value.code) == (409, "replayed")


def test_one_that_comes_meanwhile_waits_for_the_answer(once):
    begun, may_end = threading.Event(), threading.Event()

    def work():
        begun.set()
        may_end.wait(10)
        return "answer"

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(once.run, "id", "print", work)
        assert begun.wait(10)
        second = pool.submit(once.run, "id", "print", lambda: "never")
        may_end.set()
        assert (first.result(10), second.result(10)) == ("answer", "answer")


def test_without_an_id_nothing_is_joined(once):
    assert [once.run("", "print", lambda number=number: number) for number in (1, 2)] == [1, 2]


def test_after_a_minute_it_is_forgotten(once, clock):
    assert once.run("id", "print", lambda: 1) == 1
    clock.moved += KEPT_SECONDS
    assert once.run("id", "print", lambda: 2) == 2


def test_it_does_not_grow_without_end_and_forgets_nothing_before_its_time(once, clock, monkeypatch):
    monkeypatch.setattr(module, "KEPT_AT_MOST", 10)
    for number in range(10):
        once.run(f"id-{number}", "print", lambda: 1)
    with pytest.raises(TransientError, match="nothing was begun"):
        once.run("one more", "print", lambda: pytest.fail("it was begun"))
    assert once.run("id-0", "print", lambda: 2) == 1
    clock.moved += KEPT_SECONDS
    assert once.run("one more", "print", lambda: 3) == 3


def test_what_only_looks_is_joined_meanwhile_and_done_again_afterwards(once, clock):
    begun, may_end = threading.Event(), threading.Event()

    def work():
        begun.set()
        may_end.wait(10)
        return "large answer"

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(once.run, "id", "print", work, looks=True)
        assert begun.wait(10)
        second = pool.submit(once.run, "id", "print", lambda: "never", looks=True)
        assert clock.waiting.wait(10)
        may_end.set()
        assert (first.result(10), second.result(10)) == ("large answer", "large answer")
    assert once._jobs == {}
    assert once.run("id", "print", lambda: "again", looks=True) == "again"


def test_a_signature_is_remembered_for_as_long_as_it_is_taken():
    assert LIFETIME_SECONDS + 2 * LEEWAY_SECONDS <= KEPT_SECONDS
