"""Schedules as sidecars keep them: through restarts, replicas, outages, new settings, and orgs that say no."""

import threading
from collections import deque
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from fake_org import INVALID_LOGIN, NEW_PASSWORD, fault
from fakes import CALLER, CRM, JOURNAL, START
from stage import Stage

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.rotation.handed_in import HandedIn
from vault_salesforce_sidecar.rotation.scheduling import BEGIN_AT_ONCE, LIMITED_SECONDS
from vault_salesforce_sidecar.rotation.slots import Slots
from vault_salesforce_sidecar.salesforce.interface import Verdict

HOUR, DAY = 3600, 86_400
REQUEST_LIMIT = fault("REQUEST_LIMIT_EXCEEDED", Verdict.BLOCKED)


def staged(**settings):
    """A deployment whose role has this schedule, and its sidecar."""
    stage = Stage()
    stage.role = replace(stage.role, **({"rotation_period": None} | settings))
    return stage, stage.enrolled()


def looked_at(stage):
    """The same, on a connection with an identity that may look."""
    stage.org.become_admin()
    config = replace(stage.config, auth_method="password", username="admin@acme.example")
    stage.connections.put("demo", config, 1)


def pass_time(stage, *sidecars, seconds, step=1):
    for _ in range(0, seconds, step):
        for rotations in sidecars:
            rotations.tick()
        stage.clock.seconds += step


def change(stage, rotations, **settings):
    known = stage.roles.get("crm")
    return HandedIn(rotations).update("crm", known, replace(known.record, **settings), None, None)


def to(stage, time):
    """Move the clock to a time of day."""
    stage.clock.seconds = (time - START).total_seconds()


def versions(stage):
    return stage.published["version"]


@pytest.mark.parametrize(
    "settings",
    [
        {"rotation_period": 30 * DAY},
        {"rotation_schedule": "0 3 * * 0"},
        {"rotation_schedule": "0 3 * * 0", "rotation_window": 2 * HOUR, "rotation_time_zone": "Asia/Kathmandu"},
        {"rotation_period": 30 * DAY, "initial_rotation_at": START + timedelta(days=9)},
        {},
    ],
)
def test_no_restart_and_no_other_replica_rotates_what_is_not_due(settings):
    stage, one = staged(**settings)
    due = datetime.fromisoformat(stage.entry["next_rotation"]) if settings else START + timedelta(days=20)
    for moment in (timedelta(0), (due - START) / 2, due - START - timedelta(seconds=30)):
        stage.clock.seconds = moment.total_seconds()
        replicas = [stage.sidecar(), stage.sidecar("two")]
        pass_time(stage, one, *replicas, seconds=20)
        assert versions(stage) == 1
        assert replicas[0].status("crm").next_rotation == (due if settings else None)
    if settings:
        to(stage, due)
        pass_time(stage, one, *replicas, seconds=40)
        assert (versions(stage), stage.person.changes) == (2, 1)


def test_an_upgrade_from_a_release_that_stored_no_next_time_rotates_nothing():
    stage, _ = staged(rotation_period=30 * DAY)
    known = dict(stage.entry)
    of_now = ("next_rotation", "planned_from", "planned_by")
    before = {name: value for name, value in known.items() if name not in of_now}
    stage.engine_kv.write(JOURNAL, before, len(stage.engine_kv.versions[JOURNAL]))
    stage.clock.seconds = 29 * DAY
    rotations = stage.sidecar()
    pass_time(stage, rotations, seconds=40)
    assert versions(stage) == 1
    assert rotations.status("crm").next_rotation == datetime.fromisoformat(known["next_rotation"])


@pytest.mark.parametrize("settings", [{"rotation_period": DAY}, {"rotation_schedule": "0 3 * * *"}])
def test_what_was_due_again_and_again_while_nothing_ran_is_made_up_for_once(settings):
    stage, _ = staged(**settings)
    stage.clock.seconds = 9 * DAY + HOUR
    one, two = stage.sidecar(), stage.sidecar("two")
    pass_time(stage, one, two, seconds=600)
    assert (versions(stage), stage.person.changes) == (2, 1)


def test_a_window_that_was_missed_waits_for_the_next_one():
    stage, _ = staged(rotation_schedule="0 3 * * *", rotation_window=2 * HOUR)
    stage.clock.seconds = DAY + 5 * HOUR
    rotations = stage.sidecar()
    pass_time(stage, rotations, seconds=60)
    assert versions(stage) == 1
    due = rotations.status("crm").next_rotation
    assert START + timedelta(days=2, hours=3) <= due <= START + timedelta(days=2, hours=4)
    to(stage, due)
    pass_time(stage, rotations, seconds=60)
    assert versions(stage) == 2


def test_a_window_that_ends_while_vault_is_away_is_not_overrun():
    stage, rotations = staged(rotation_schedule="0 3 * * *", rotation_window=HOUR)
    stage.clock.seconds = 3 * HOUR
    stage.engine_kv.sealed = True
    pass_time(stage, rotations, seconds=HOUR + 60, step=20)
    stage.engine_kv.sealed = False
    pass_time(stage, rotations, seconds=HOUR, step=20)
    assert versions(stage) == 1
    stage.clock.seconds = DAY + 3 * HOUR + 1800
    pass_time(stage, rotations, seconds=700)
    assert versions(stage) == 2


def test_hundreds_of_roles_that_are_overdue_begin_some_at_a_time():
    stage, one = staged(rotation_period=HOUR)
    count = 60
    for number in range(count):
        username = f"user{number}@acme.example"
        stage.org.add(username, f"Old-password-{number}", untrusted=False)
        role = replace(stage.role, username=username)
        HandedIn(one).enrol(f"role{number}", role, SecretStr(f"Old-password-{number}"), None, CALLER)
    stage.clock.seconds = 9 * DAY
    rotations = stage.sidecar()

    def changes():
        return sum(person.changes for person in stage.org.people.values())

    for tick in range(1, 13):
        rotations.tick()
        assert changes() == tick * BEGIN_AT_ONCE
        stage.clock.seconds += 1
    rotations.tick()
    assert changes() == count + 1


def test_a_change_of_schedule_is_told_and_rotates_nothing_on_any_replica():
    stage, one = staged(rotation_period=30 * DAY)
    two = stage.sidecar("two")
    stage.clock.seconds = 20 * DAY
    (warning,) = change(stage, one, rotation_period=7 * DAY)
    assert warning.startswith("the schedule changed, and nothing was rotated: the next rotation is due at 2030-01-22T")
    pass_time(stage, one, two, seconds=60)
    assert versions(stage) == 1
    for rotations in (one, two, stage.sidecar("three")):
        due = rotations.status("crm").next_rotation
        assert timedelta(days=21) <= due - START <= timedelta(days=21, hours=1)
    to(stage, due)
    pass_time(stage, one, two, seconds=60)
    assert (versions(stage), stage.person.changes) == (2, 1)


def test_a_change_that_was_stored_without_its_next_time_is_completed_by_a_tick():
    stage, _ = staged(rotation_period=30 * DAY)
    stage.clock.seconds = 20 * DAY
    stage.roles.put("crm", replace(stage.role, rotation_period=7 * DAY), 1)  # and the sidecar died
    rotations = stage.sidecar()
    pass_time(stage, rotations, seconds=10)
    assert versions(stage) == 1
    assert stage.entry["planned_by"] == f"every {7 * DAY}"
    assert stage.entry["next_rotation"].startswith("2030-01-22T")


def test_a_sidecar_that_does_not_know_the_new_schedule_yet_keeps_to_it_all_the_same():
    stage, one = staged(rotation_period=DAY)
    two = stage.sidecar("two")
    change(stage, one, rotation_period=30 * DAY)
    to(stage, datetime.fromisoformat("2030-01-03T00:00:00+00:00"))
    two.tick()
    assert versions(stage) == 1


def test_a_change_of_other_settings_says_nothing_of_the_schedule():
    stage, rotations = staged(rotation_period=DAY)
    assert change(stage, rotations, ttl=60) == ()


def test_automation_that_was_switched_off_and_on_again_makes_nothing_due():
    stage, rotations = staged(rotation_period=DAY)
    (warning,) = change(stage, rotations, disable_automated_rotation=True)
    assert warning.endswith("the next rotation is for somebody to ask for")
    stage.clock.seconds = 9 * DAY
    pass_time(stage, rotations, seconds=60)
    (warning,) = change(stage, rotations, disable_automated_rotation=False)
    assert "due at 2030-01-11T" in warning
    pass_time(stage, rotations, seconds=60)
    assert versions(stage) == 1


def test_a_rotation_by_hand_counts_as_the_scheduled_one():
    stage, rotations = staged(rotation_schedule="0 3 * * *", rotation_window=4 * HOUR)
    stage.clock.seconds = 3 * HOUR + 60
    assert rotations.rotate("crm", CALLER).done
    pass_time(stage, rotations, seconds=4 * HOUR, step=60)
    assert versions(stage) == 2
    assert rotations.status("crm").next_rotation > START + timedelta(days=1)


def test_the_orgs_expiry_is_a_deadline_that_comes_before_the_schedule():
    stage, rotations = staged(rotation_period=365 * DAY)
    looked_at(stage)
    stage.person.expires = "2030-04-01T00:00:00.000+0000"
    pass_time(stage, rotations, seconds=30)
    due = rotations.status("crm").next_rotation
    assert datetime.fromisoformat("2030-03-28T00:00Z") <= due <= datetime.fromisoformat("2030-03-29T00:00Z")
    to(stage, due - timedelta(minutes=1))
    one = stage.sidecar()
    pass_time(stage, one, seconds=50)
    assert versions(stage) == 1
    stage.org.script["change"] = deque([lambda: setattr(stage.person, "expires", "2030-06-27T00:00:00.000+0000")])
    pass_time(stage, one, seconds=60)
    assert versions(stage) == 2
    pass_time(stage, one, seconds=400)
    assert versions(stage) == 2
    assert stage.entry["password_expires"].startswith("2030-06-27")


def test_the_orgs_expiry_rotates_no_role_that_only_people_rotate():
    stage, rotations = staged(disable_automated_rotation=True)
    looked_at(stage)
    stage.person.expires = "2030-02-01T00:00:00.000+0000"
    pass_time(stage, rotations, seconds=30)
    assert stage.entry["password_expires"].startswith("2030-02-01")
    stage.clock.seconds = 31 * DAY
    pass_time(stage, rotations, seconds=60)
    assert versions(stage) == 1


def test_after_eight_rotations_that_came_to_nothing_only_a_person_begins_another():
    stage, rotations = staged(rotation_period=HOUR)
    stage.org.script["change"] = deque([NEW_PASSWORD] * 1000)
    before = len(stage.org.script["change"])
    pass_time(stage, rotations, seconds=9 * DAY, step=900)
    assert before - len(stage.org.script["change"]) == 8
    status = rotations.status("crm")
    assert (status.state, status.next_rotation, status.next_step) == ("parked", None, "vault write -f sf/rotate/crm")
    stage.org.script.clear()
    assert not rotations.request("crm", "lease", 1)
    assert rotations.rotate("crm", CALLER).done
    assert rotations.status("crm").next_rotation is not None


def test_an_org_that_is_away_for_days_parks_nothing():
    stage, rotations = staged(rotation_period=HOUR)
    stage.org.script["log_in"] = deque(["not sent"] * 100_000)
    pass_time(stage, rotations, seconds=5 * DAY, step=900)
    assert versions(stage) == 1
    stage.org.script.clear()
    pass_time(stage, rotations, seconds=2 * HOUR, step=60)
    assert versions(stage) >= 2


def test_where_a_limit_of_the_org_is_used_up_its_other_roles_wait_and_nothing_is_lost():
    stage, one = staged(rotation_period=HOUR)
    for number in range(20):
        username = f"user{number}@acme.example"
        stage.org.add(username, f"Old-password-{number}", untrusted=False)
        HandedIn(one).enrol(
            f"role{number}", replace(stage.role, username=username), SecretStr(f"Old-password-{number}"), None, CALLER
        )
    logins = sum(person.logins for person in stage.org.people.values())
    stage.clock.seconds = 2 * HOUR
    rotations = stage.sidecar()
    stage.org.script["log_in"] = deque([REQUEST_LIMIT] * 1000)
    pass_time(stage, rotations, seconds=int(LIMITED_SECONDS), step=1)
    refused = 1000 - len(stage.org.script["log_in"])
    assert refused <= BEGIN_AT_ONCE
    assert sum(person.logins for person in stage.org.people.values()) == logins
    stage.org.script.clear()
    pass_time(stage, rotations, seconds=3 * HOUR, step=60)
    assert all(person.changes >= 1 for person in stage.org.people.values())


def test_a_refused_password_is_no_limit_of_the_org():
    stage, rotations = staged(rotation_period=HOUR)
    stage.clock.seconds = 2 * HOUR
    stage.org.script["log_in"] = deque([INVALID_LOGIN])
    pass_time(stage, rotations, seconds=5)
    assert rotations._watching.scheduling._limited_until == {}


def test_a_tick_returns_while_salesforce_is_silent():
    stage, first = staged(rotation_period=HOUR)
    first.stop(0)
    looked_at(stage)
    silent, asked = threading.Event(), threading.Semaphore(0)

    def hang():
        asked.release()
        assert silent.wait(30)

    for operation in ("log_in", "query", "find_user", "admin_session"):
        stage.org.script[operation] = deque([hang] * 9)
    rotations = stage.sidecar("two", pool=Slots(4))
    stage.clock.seconds = 2 * HOUR
    try:
        for _ in range(30):
            rotations.tick()
            stage.clock.seconds += 1
        assert asked.acquire(timeout=10)
        rotations.tick()
        assert not silent.is_set()
    finally:
        stage.org.script.clear()
        silent.set()
        rotations.stop(10)
    assert stage.role.username == CRM
