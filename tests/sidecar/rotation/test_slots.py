"""A bounded pool of daemon threads."""

import threading

from vault_salesforce_sidecar.rotation.slots import Slots

PATIENCE_SECONDS = 10


def test_work_is_done_by_at_most_so_many_threads():
    slots, both, done = Slots(2), threading.Barrier(2, timeout=PATIENCE_SECONDS), threading.Semaphore(0)
    names = set()

    def work():
        names.add(threading.current_thread().name)
        both.wait()
        done.release()

    for _ in range(6):
        slots.submit(work)
    assert all(done.acquire(timeout=PATIENCE_SECONDS) for _ in range(6))
    slots.stop(PATIENCE_SECONDS)
    assert len(names) == 2


def test_work_that_fails_takes_no_slot_with_it():
    slots, done = Slots(1), threading.Event()
    slots.submit(lambda: 1 / 0)
    slots.submit(done.set)
    assert done.wait(PATIENCE_SECONDS)
    slots.stop(PATIENCE_SECONDS)


def test_after_a_stop_nothing_more_is_begun():
    slots, begun, go_on = Slots(1), threading.Event(), threading.Event()
    done = []

    def first():
        begun.set()
        go_on.wait(PATIENCE_SECONDS)
        done.append("first")

    slots.submit(first)
    slots.submit(lambda: done.append("second"))
    assert begun.wait(PATIENCE_SECONDS)
    stopping = threading.Thread(target=slots.stop, args=(PATIENCE_SECONDS,))
    stopping.start()
    go_on.set()
    stopping.join(PATIENCE_SECONDS)
    slots.submit(lambda: done.append("third"))
    assert done[0] == "first"
    assert "third" not in done
