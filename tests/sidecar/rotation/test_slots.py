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


def test_whoever_asks_for_a_lot_does_not_stand_before_all_others():
    slots, go_on, done = Slots(1), threading.Event(), threading.Semaphore(0)
    order = []

    def work(name):
        go_on.wait(PATIENCE_SECONDS)
        order.append(name)
        done.release()

    for whose, name in [("many", "m"), *[("many", "m")] * 4, ("", "t"), ("few", "f"), ("", "t"), ("few", "f")]:
        slots.submit(lambda name=name: work(name), whose)
    go_on.set()
    assert all(done.acquire(timeout=PATIENCE_SECONDS) for _ in range(9))
    slots.stop(PATIENCE_SECONDS)
    assert order[0] == "m"
    assert sorted(order[1:4]) == sorted(order[4:7]) == ["f", "m", "t"]
    assert order[7:] == ["m", "m"]


def test_a_slot_is_kept_for_the_next_caller_while_one_holds_all_that_it_gets():
    slots, go_on, done = Slots(8), threading.Event(), threading.Event()
    begun = threading.Semaphore(0)

    def work():
        begun.release()
        go_on.wait(PATIENCE_SECONDS)

    for _ in range(20):
        slots.submit(work, "many")
    assert all(begun.acquire(timeout=PATIENCE_SECONDS) for _ in range(7))
    slots.submit(done.set, "few")
    assert done.wait(PATIENCE_SECONDS)
    assert not begun.acquire(blocking=False)
    go_on.set()
    slots.stop(PATIENCE_SECONDS)
