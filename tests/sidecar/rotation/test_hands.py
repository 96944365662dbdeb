"""Many reads, several at a time."""

import threading

import pytest

from vault_salesforce_sidecar.rotation.hands import FEW, HANDS, each


def test_each_item_comes_once():
    for count in (0, 1, FEW, FEW + 1, 10 * HANDS + 3):
        done, lock = [], threading.Lock()

        def work(item, done=done, lock=lock):
            with lock:
                done.append(item)

        each(work, list(range(count)))
        assert sorted(done) == list(range(count))


def test_several_are_under_way_at_once():
    together = threading.Barrier(HANDS)
    each(lambda _: together.wait(10), list(range(2 * HANDS)))


def test_what_fails_ends_the_rest_soon():
    done = []

    def work(item):
        if item == 3:
            raise KeyError(item)
        done.append(item)

    with pytest.raises(KeyError):
        each(work, list(range(100_000)))
    assert len(done) < 100_000 - 1
