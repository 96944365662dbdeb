"""One job per account at a time, and a way to wait for its end."""

from vault_salesforce_sidecar.rotation.jobs import Jobs


class LatePool:
    """Does work when the test says so."""

    def __init__(self):
        self.work = []

    def submit(self, work, whose=""):
        self.work.append(work)

    def stop(self, timeout_seconds):
        """Nothing runs by itself."""

    def run(self):
        self.work.pop(0)()


def test_an_account_that_has_a_job_is_offered_no_second_one():
    pool, done = LatePool(), []
    jobs = Jobs(pool)
    assert jobs.offer("a", lambda: done.append(1))
    assert not jobs.offer("a", lambda: done.append(2))
    assert jobs.offer("b", lambda: done.append(3))
    pool.run()
    pool.run()
    assert done == [1, 3]
    assert jobs.offer("a", lambda: None)


def test_what_follows_is_done_after_the_present_job():
    pool, done = LatePool(), []
    jobs = Jobs(pool)
    jobs.offer("a", lambda: done.append("present"))
    jobs.follow("a", lambda: done.append("following"))
    pool.run()
    assert jobs.concerns("a")
    pool.run()
    assert done == ["present", "following"]
    assert not jobs.concerns("a")


def test_who_waits_is_woken_by_the_end_or_earlier_by_its_announcement():
    pool = LatePool()
    jobs = Jobs(pool)
    ended = jobs.next_end("a")
    jobs.offer("a", lambda: None)
    pool.run()
    assert ended.is_set()
    announced = jobs.next_end("a")

    def work():
        jobs.announce("a")
        assert announced.is_set()
        assert not jobs.concerns("a")
        assert not jobs.offer("a", lambda: None)

    jobs.offer("a", work)
    pool.run()


def test_a_job_that_dies_frees_its_account():
    pool = LatePool()
    jobs = Jobs(pool)
    ended = jobs.next_end("a")
    jobs.offer("a", lambda: 1 / 0)
    try:
        pool.run()
    except ZeroDivisionError:
        assert ended.is_set()
    assert jobs.offer("a", lambda: None)


def test_at_the_end_all_who_wait_are_woken():
    jobs = Jobs(LatePool())
    ended = jobs.next_end("a")
    jobs.offer("a", lambda: None)
    jobs.end()
    assert ended.is_set()
    assert not jobs.concerns("a")
