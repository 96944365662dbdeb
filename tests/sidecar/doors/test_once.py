"""One request is one job."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_sidecar.clock import SystemClock
from vault_salesforce_sidecar.doors.once import KEPT_AT_MOST, KEPT_SECONDS, Once


class ManualClock(SystemClock):
    """A clock that the test moves."""

    moved = 0.0

    def monotonic(self):
        return self.moved


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


def test_it_does_not_grow_without_end(once):
    for number in range(KEPT_AT_MOST + 10):
        once.run(f"id-{number}", "print", lambda: 1)
    assert len(once._jobs) <= KEPT_AT_MOST
