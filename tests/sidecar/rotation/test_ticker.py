"""The thread that ticks."""

import threading

from vault_salesforce_sidecar.rotation.ticker import TICK_SECONDS, Ticker

PATIENCE_SECONDS = 10


class Turns:
    """A clock whose waits end when the test gives a turn."""

    def __init__(self):
        self.turns = threading.Semaphore(0)
        self.asked = []

    def wait(self, event, seconds):
        self.asked.append(seconds)
        self.turns.acquire(timeout=PATIENCE_SECONDS)
        return event.is_set()


class Ticking:
    def __init__(self):
        self.ticks, self.ticked = 0, threading.Semaphore(0)

    def tick(self):
        self.ticks += 1
        self.ticked.release()
        if self.ticks == 1:
            raise ValueError("the first tick fails")


def test_it_ticks_every_second_also_after_a_tick_that_failed_until_it_is_stopped():
    clock, ticking = Turns(), Ticking()
    ticker = Ticker(ticking, clock)
    ticker.start()
    for _ in range(3):
        clock.turns.release()
        assert ticking.ticked.acquire(timeout=PATIENCE_SECONDS)
    ticker._stopping.set()
    clock.turns.release()
    ticker.stop()
    assert ticking.ticks == 3
    assert set(clock.asked) == {TICK_SECONDS}
