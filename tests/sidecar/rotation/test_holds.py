"""The brake, by hand: what begins, what goes on, and what waits."""

from collections import deque
from datetime import timedelta

import pytest
from fake_org import INVALID_LOGIN
from fakes import CALLER, START, ManualClock
from stage import Stage

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_sidecar.records.hold import ANOTHER_ORG, PERSON, SAME_FAULT, Hold
from vault_salesforce_sidecar.rotation.handed_in import HandedIn
from vault_salesforce_sidecar.rotation.holds import ALL, LONGEST_SPREAD_SECONDS, Holds, turn


def held(holds, config="demo", reason="release weekend", until=None):
    holds.write(config, CALLER, reason, until, keep_end=until is None)


@pytest.mark.parametrize("config", ["demo", ALL])
def test_no_rotation_begins_under_a_hold_and_no_login_is_made(config):
    stage = Stage()
    rotations = stage.enrolled()
    held(rotations.holds, config)
    with pytest.raises(CallerError) as refused:
        rotations.rotate("crm", CALLER)
    assert (refused.value.status, refused.value.code) == (409, "held")
    assert "by operator" in refused.value.sentence
    assert "release weekend" in refused.value.sentence
    assert refused.value.remedy == ("vault delete sf/hold/demo" if config else "vault delete sf/hold")
    assert (stage.person.logins, stage.person.changes) == (0, 0)
    assert stage.entry["state"] == "settled"


def test_a_hold_on_another_connection_holds_nothing_here():
    stage = Stage()
    rotations = stage.enrolled()
    held(rotations.holds, "other")
    assert rotations.rotate("crm", CALLER).done


def test_the_status_says_who_holds_since_when_why_and_how_it_ends():
    stage = Stage()
    rotations = stage.enrolled()
    stage.clock.seconds = 60
    held(rotations.holds, until=START + timedelta(hours=4))
    stage.clock.seconds = 120
    status = rotations.status("crm")
    assert (status.state, status.since) == ("held", START + timedelta(seconds=60))
    assert "'demo' is held by operator since 2030-01-01 00:01 UTC, until 2030-01-01 04:00 UTC" in status.reason
    assert status.next_step == "vault delete sf/hold/demo"
    assert rotations.statuses()["crm"].state == "held"


def test_a_replica_hears_of_a_hold_and_refuses_at_once_what_people_ask():
    stage = Stage()
    one, two = stage.enrolled(), stage.sidecar("two")
    held(one.holds)
    assert two.status("crm").state == "ok"
    with pytest.raises(CallerError, match="is held by operator"):
        two.rotate("crm", CALLER)
    assert two.status("crm").state == "held"


def test_a_replica_reads_the_holds_anew_every_ten_seconds():
    stage = Stage()
    one, two = stage.enrolled(), stage.sidecar("two")
    held(one.holds)
    stage.clock.seconds += 10
    two.tick()
    assert two.status("crm").state == "held"
    one.holds.release("demo", CALLER)
    stage.clock.seconds += 10
    two.tick()
    assert two.status("crm").state == "ok"


def test_triggers_wait_and_begin_once_after_the_hold():
    stage = Stage()
    rotations = stage.enrolled()
    held(rotations.holds)
    stage.clock.seconds += 7200
    rotations.tick()
    assert not rotations.request("crm", "lease", 1)
    assert (stage.person.logins, stage.person.changes) == (0, 0)
    rotations.holds.release("demo", CALLER)
    for _ in range(60):
        stage.clock.seconds += 1
        rotations.tick()
    assert stage.person.changes == 1
    assert stage.is_live


def test_a_hold_ends_by_itself_and_is_written_down_as_over():
    stage = Stage()
    rotations = stage.enrolled()
    held(rotations.holds, until=START + timedelta(minutes=10))
    stage.clock.seconds = 601
    assert rotations.status("crm").state == "ok"
    rotations.tick()
    stored = stage.engine_kv.newest("hold/demo")
    assert (stored["released_by"], stored["released_at"]) == ("the engine", "2030-01-01T00:10:00Z")
    assert rotations.rotate("crm", CALLER).done


def test_what_is_in_hand_when_the_brake_is_pulled_withdraws_before_anything_is_sent():
    stage = Stage()
    rotations = stage.enrolled()
    other = stage.sidecar("two")
    stage.org.script["log_in"] = deque([lambda: held(other.holds)])
    view = rotations.rotate("crm", CALLER)
    assert (view.refusal.code, stage.person.changes) == ("held", 0)
    assert (stage.entry["state"], stage.entry["reason"], stage.entry["charges"]) == ("withdrawn", "held", 0)
    assert "candidate_password" not in stage.entry
    rotations.holds.release("demo", CALLER)
    status = rotations.status("crm")
    assert (status.state, status.next_step) == ("parked", "vault write -f sf/rotate/crm")
    assert "release weekend" in status.reason
    assert rotations.rotate("crm", CALLER).done


def test_a_trigger_that_was_stopped_did_not_fail():
    stage = Stage()
    rotations = stage.enrolled()
    other = stage.sidecar("two")
    stage.org.script["log_in"] = deque([lambda: held(other.holds)])
    assert rotations.request("crm", "lease", 1)
    assert (stage.entry["state"], stage.entry["failures"]) == ("withdrawn", 0)
    assert "not_before" not in stage.entry


def test_what_has_left_is_finished():
    stage = Stage()
    rotations = stage.enrolled()
    other = stage.sidecar("two")
    stage.org.script["change"] = deque([lambda: held(other.holds)])
    assert rotations.rotate("crm", CALLER).done
    assert stage.is_live


def test_a_change_of_unknown_fate_is_looked_after_under_a_hold():
    stage = Stage()
    rotations = stage.enrolled()
    other = stage.sidecar("two")
    stage.org.script["change"] = deque(["then lost"])
    stage.org.script["log_in"] = deque(["", lambda: held(other.holds)])
    assert rotations.rotate("crm", CALLER).done
    assert stage.is_live


def test_repair_goes_on_under_a_hold():
    stage = Stage()
    rotations = stage.enrolled()
    held(rotations.holds)
    stage.org.change_by_hand(stage.person.username, "By-hand-1")
    view = HandedIn(rotations).resync(
        "crm", CALLER, password=SecretStr("By-hand-1"), security_token=None, try_=None, wait=5
    )
    assert (view.done, stage.published["password"]) == (True, "By-hand-1")
    rotations.unlock("crm", CALLER)


def test_a_stuck_role_that_sent_nothing_is_unlocked_under_a_hold_and_begins_nothing():
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.script["log_in"] = deque([INVALID_LOGIN])
    rotations.rotate("crm", CALLER)
    assert (stage.entry["state"], stage.entry["charges"]) == ("stuck", 1)
    held(rotations.holds)
    rotations.unlock("crm", CALLER)
    assert (stage.entry["charges"], stage.person.changes) == (0, 0)
    with pytest.raises(CallerError, match="release weekend"):
        rotations.rotate("crm", CALLER)
    assert "release weekend" in rotations.status("crm").reason


def test_one_more_rotation_is_not_queued_under_a_hold_and_one_that_is_waits():
    stage = Stage()
    rotations = stage.enrolled()
    views, refusals = [], []

    def ask():
        views.append(rotations.rotate("crm", CALLER, force=True))
        held(rotations.holds)
        try:
            rotations.rotate("crm", CALLER, force=True, expected_version=None)
        except CallerError as exc:
            refusals.append(exc.code)

    stage.org.script["change"] = deque([ask])
    assert rotations.rotate("crm", CALLER).done
    assert stage.person.changes == 1
    assert stage.entry["queued"] == views[0].rotation_id
    rotations.holds.release("demo", CALLER)
    for _ in range(10):
        stage.clock.seconds += 1
        rotations.tick()
    assert stage.person.changes == 2
    assert stage.entry["queued"] == ""


def test_a_hold_is_changed_by_writing_it_again():
    stage = Stage()
    holds = stage.enrolled().holds
    with pytest.raises(CallerError, match="reason is missing"):
        holds.write("demo", CALLER, None, None, keep_end=True)
    held(holds, until=START + timedelta(hours=1))
    holds.write("demo", CALLER, "longer than thought", None, keep_end=True)
    assert (holds.get("demo").reason, holds.get("demo").until) == ("longer than thought", START + timedelta(hours=1))
    holds.write("demo", CALLER, None, None, keep_end=False)
    assert (holds.get("demo").reason, holds.get("demo").until) == ("longer than thought", None)
    assert holds.get("demo").held_by == "operator"


def test_a_hold_that_a_newer_release_wrote_is_still_a_brake():
    stage = Stage()
    rotations = stage.enrolled()
    stage.engine_kv.write("hold/demo", {"schema": 99, "reason": "of tomorrow"}, 0)
    with pytest.raises(CallerError, match="cannot be read"):
        rotations.rotate("crm", CALLER)


def test_the_engine_does_not_overrule_a_person_but_for_what_would_end_by_itself_or_for_another_org():
    stage = Stage()
    holds = stage.enrolled().holds
    made = Hold("three refused", SAME_FAULT, code="INVALID_LOGIN", roles=("a", "b", "c"))
    held(holds)
    assert not holds.pull("demo", made)
    assert holds.get("demo").cause == PERSON
    held(holds, reason="lunch", until=START + timedelta(hours=1))
    assert holds.pull("demo", made)
    assert (holds.get("demo").cause, holds.get("demo").until) == (SAME_FAULT, None)
    assert "lunch" in holds.get("demo").reason
    elsewhere = Hold("another org", ANOTHER_ORG, organization_id="00D000000000009AAA")
    assert holds.pull("demo", elsewhere)
    assert not holds.pull("demo", elsewhere)
    assert holds.on("demo").next_step("sf") == "vault write sf/config/demo organization_id=00D000000000009AAA"


def test_turns_are_spread_over_no_longer_than_they_need():
    turns = [turn(f"role-{number}", 400) for number in range(400)]
    assert all(0 <= one < 100 for one in turns)
    assert max(sum(start <= one < start + 10 for one in turns) for start in range(0, 100, 10)) < 80
    assert turn("role-7", 400) == turn("role-7", 400)
    assert turn("role-7", 10**6) < LONGEST_SPREAD_SECONDS


def test_what_is_held_costs_a_tick_no_read():
    stage = Stage()
    rotations = stage.enrolled()
    held(rotations.holds)
    stage.clock.seconds += 7200
    rotations.tick()
    stage.accidents.calls = 0
    stage.clock.seconds += 1
    rotations.tick()
    assert "engine: read hold/demo" not in stage.accidents.names[-5:]


def test_an_empty_store_holds_nothing(memory_kv):
    holds = Holds(memory_kv, ManualClock())
    holds.refresh({})
    assert holds.on("demo") is None
    assert holds.names() == []


def test_where_nothing_was_ever_held_one_call_says_so_each_time():
    stage = Stage()
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER)
    names = [name for name in stage.accidents.names if "hold/" in name]
    assert names == ["engine: list hold/"] * 2  # as it begins, and right before the change
