"""Who goes on logging in with the password of before is seen, told once, and forgotten when it stops."""

import pytest
from fakes import CALLER, CRM
from stage import Stage
from structlog.testing import capture_logs

from vault_salesforce_sidecar.rotation.stale_consumers import APART_SECONDS, QUIET, ROLE_SECONDS, WATCHED

SOURCE, NIGHTLY = "203.0.113.9", "nightly"


@pytest.fixture
def stage():
    """A role whose password an administrator sets, rotated two minutes ago."""
    return Stage(self_managed=False)


@pytest.fixture
def rotations(stage):
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER)
    stage.clock.seconds += 120
    return rotations


def fail(stage, times=1, application=NIGHTLY):
    for _ in range(times):
        stage.clock.seconds += 1
        stage.org.note_login(stage.person, "Invalid Password", SOURCE, application)


def look(stage, rotations, after=ROLE_SECONDS):
    stage.clock.seconds += after
    with capture_logs() as logs:
        rotations.tick()
    return [one for one in logs if one["event"] == "a stale consumer fails to log in"]


def found(rotations):
    return rotations.status("crm").stale_consumers


def test_a_consumer_is_named_by_address_and_application_with_one_line_in_the_log(stage, rotations):
    fail(stage, 3)
    (line,) = look(stage, rotations)
    (told,) = found(rotations)

    assert (line["role"], line["username"]) == ("crm", CRM)
    for one in (line, told):
        assert (one["source_address"], one["application"], one["failed_logins"]) == (SOURCE, NIGHTLY, 3)

    fail(stage)
    assert look(stage, rotations) == []  # told already
    assert found(rotations)[0]["failed_logins"] == 4


def test_nobody_fails_is_told_as_such(stage, rotations):
    assert found(rotations) is None  # nobody has looked yet
    look(stage, rotations)
    assert found(rotations) == ()


def test_who_stops_is_forgotten_and_told_again_if_it_comes_back(stage, rotations):
    fail(stage)
    look(stage, rotations)
    look(stage, rotations, QUIET.total_seconds())
    assert found(rotations) == ()
    fail(stage)
    assert len(look(stage, rotations)) == 1


def test_the_next_rotation_begins_anew(stage, rotations):
    fail(stage)
    look(stage, rotations)
    rotations.rotate("crm", CALLER)
    assert found(rotations) is None
    stage.clock.seconds += 120
    look(stage, rotations)
    assert found(rotations) == ()


def test_what_was_before_the_rotation_is_nobodys_fault(stage):
    rotations = stage.enrolled()
    fail(stage)
    stage.clock.seconds += 1
    rotations.rotate("crm", CALLER)
    stage.clock.seconds += 120
    look(stage, rotations)
    assert found(rotations) == ()


def test_looks_are_few_and_end_after_a_day(stage, rotations):
    def looks():
        return sum(name == "org: login_history" for name in stage.accidents.names)

    for _ in range(40):
        look(stage, rotations, APART_SECONDS)
    assert looks() == 2  # one at once, and one after five minutes
    look(stage, rotations, WATCHED.total_seconds())
    assert looks() == 2
    assert found(rotations) is None


def test_an_identity_that_may_not_look_says_nothing(stage, rotations):
    stage.org.shows_history = False
    fail(stage)
    look(stage, rotations)
    assert found(rotations) is None


def test_a_connection_without_an_identity_is_not_asked():
    stage = Stage()
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER)
    stage.clock.seconds += 120
    look(stage, rotations)
    assert found(rotations) is None
    assert "org: login_history" not in stage.accidents.names


def test_an_org_that_does_not_answer_is_asked_again_later(stage, rotations):
    fail(stage)
    from collections import deque

    stage.org.script["login_history"] = deque(["lost"])
    assert look(stage, rotations) == []
    assert len(look(stage, rotations)) == 1
