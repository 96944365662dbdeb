"""Things that happen in a while."""

from threading import Event

from salesforce_orgsim.later import Later


def test_an_action_runs_after_its_delay():
    done = Event()
    Later().run_after(0.01, done.set)
    assert done.wait(5)


def test_a_cancelled_action_does_not_run_and_others_can_follow():
    later, first, second = Later(), Event(), Event()
    later.run_after(60, first.set)
    later.cancel()
    later.run_after(0, second.set)
    assert second.wait(5)
    assert not first.is_set()


def test_cancelling_waits_for_what_has_begun():
    later, begun, go_on, done = Later(), Event(), Event(), Event()

    def action():
        begun.set()
        go_on.wait(5)
        done.set()

    later.run_after(0, action)
    assert begun.wait(5)
    go_on.set()
    later.cancel()
    assert done.is_set()
