"""A rotation carried on through what an org and Vault do to it."""

from collections import deque
from dataclasses import replace

import pytest
from fake_org import API_OFF, DEAD_SESSION, INVALID_LOGIN, NEW_PASSWORD, OLD_PASSWORD, fault
from fakes import CALLER, JOURNAL, START
from stage import Stage

from vault_plugin_sdk.logical.errors import TransientError
from vault_salesforce_sidecar.rotation.handed_in import HandedIn


def script(stage, **steps):
    stage.org.script = {operation: deque(what) for operation, what in steps.items()}


def rotate(stage, rotations, **settings):
    return rotations.rotate("crm", CALLER, wait=10, allow_security_token_wait=True, **settings)


@pytest.fixture(params=[True, False], ids=["self", "admin"])
def stage(request):
    return Stage(self_managed=request.param)


def test_a_change_whose_answer_is_lost_is_found_by_the_record_and_proven(stage):
    rotations = stage.enrolled()
    script(stage, change=["then lost"])
    assert rotate(stage, rotations).done
    assert stage.is_live
    assert stage.person.logins <= 2
    assert stage.person.changes == 1


def test_a_change_leaves_only_after_whoever_asks_is_told_to_wait(stage):
    rotations = stage.enrolled()
    told = []
    script(stage, change=[lambda: told.append(stage.announced[-1] == stage.changes)])
    assert rotate(stage, rotations).done
    assert told == [True]


def test_a_record_that_cannot_have_moved_yet_proves_nothing():
    """It counts whole seconds, and two changes may fall into one."""
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.record_of = lambda _: START.isoformat(timespec="milliseconds")
    script(stage, change=["then lost"])
    assert rotate(stage, rotations).done
    assert stage.is_live
    assert stage.person.changes == 1
    assert stage.person.logins <= 4  # one of them created the role


def test_an_administrator_waits_until_the_record_can_move():
    stage = Stage(self_managed=False)
    rotations = stage.enrolled()
    begin, sent = stage.clock.seconds, []
    stage.org.record_of = lambda _: START.isoformat(timespec="milliseconds")
    script(stage, change=[lambda: sent.append(stage.clock.seconds)])
    rotate(stage, rotations)
    assert sent[0] - begin >= 1


def test_a_change_that_never_arrived_is_sent_again_with_the_same_candidate(stage):
    rotations = stage.enrolled()
    script(stage, change=["lost"])
    before = stage.clock.seconds
    assert rotate(stage, rotations).done
    assert stage.is_live
    assert stage.person.changes == 1
    assert stage.clock.seconds - before >= 5, "a late change was given time to land"


def test_a_change_that_lands_late_is_the_candidate_all_the_same(stage):
    rotations = stage.enrolled()
    script(stage, change=["late"], find_user=[lambda: None, stage.org.land])
    assert rotate(stage, rotations).done
    assert stage.is_live
    assert stage.person.changes == 1


def test_three_changes_that_vanish_leave_it_stuck_with_both_passwords_and_a_way_out(stage):
    rotations = stage.enrolled()
    script(stage, change=["lost"] * 3)
    view = rotate(stage, rotations)
    assert not view.done
    assert stage.entry["state"] == "stuck"
    assert stage.entry["reason"] == "out of tries"
    assert stage.entry["candidate_password"]
    assert rotations.status("crm").next_step == "vault write -f sf/rotate/crm"
    assert rotate(stage, rotations).done
    assert stage.is_live


def test_a_new_password_that_the_policy_refuses_is_withdrawn_and_the_old_one_stays(stage):
    rotations = stage.enrolled()
    script(stage, change=[NEW_PASSWORD])
    view = rotate(stage, rotations)
    assert (view.done, view.state) == (False, "parked")
    assert "most likely the org allows one change in 24 hours" in view.warning
    assert stage.is_live
    assert stage.entry["state"] == "withdrawn"
    assert "candidate_password" not in stage.entry
    assert rotations.status("crm").state == "parked"


def test_a_refused_copy_of_a_change_that_landed_is_not_taken_for_a_refusal(stage):
    rotations = stage.enrolled()
    script(stage, change=["late", stage.org.land])
    assert rotate(stage, rotations).done
    assert stage.is_live
    assert stage.person.changes == 1


def test_an_old_password_that_is_refused_at_the_change_is_charged():
    stage = Stage()
    rotations = stage.enrolled()
    script(stage, change=[OLD_PASSWORD])
    rotate(stage, rotations)
    assert stage.entry["state"] == "withdrawn"
    assert stage.entry["charges"] == 1


def test_an_org_that_is_out_of_reach_before_anything_was_sent_leaves_all_as_it_was():
    stage = Stage()
    rotations = stage.enrolled()
    script(stage, log_in=["not sent"] * 5)
    view = rotate(stage, rotations)
    assert view.state == "parked"
    assert stage.entry["state"] == "withdrawn"
    assert stage.entry["charges"] == 0, "no login was made"
    assert stage.entry["fault_code"] == "unreachable"
    assert stage.person.logins == 0


def test_a_connection_that_comes_back_lets_the_rotation_go_on(stage):
    rotations = stage.enrolled()
    script(stage, log_in=["not sent"] * 2, change=["not sent"])
    assert rotate(stage, rotations).done
    assert stage.is_live
    assert stage.entry["charges"] == 0


def test_three_lost_logins_count_as_a_shut_door_and_stay_charged():
    stage = Stage()
    rotations = stage.enrolled()
    script(stage, log_in=["lost"] * 3)
    assert not rotate(stage, rotations).done
    assert stage.entry["state"] == "withdrawn"
    assert stage.entry["fault_code"] == "no_answer"
    assert stage.entry["charges"] == 3
    with pytest.raises(TransientError) as refused:
        rotate(stage, rotations)
    assert refused.value.status == 429
    assert "sf/unlock/crm" in refused.value.remedy


def test_a_shut_door_after_the_change_keeps_both_passwords(stage):
    rotations = stage.enrolled()
    script(stage, log_in=[lambda: None, API_OFF] if stage.role.self_managed else [API_OFF])
    stage.roles.put("crm", replace(stage.role, verify="login"), 1)
    assert not rotate(stage, rotations).done
    assert stage.entry["state"] == "stuck"
    assert stage.entry["reason"] == "the door is shut"
    assert stage.entry["charges"] == 0
    assert rotate(stage, rotations).done
    assert stage.is_live


def test_stale_consumers_that_lock_the_user_leave_it_stuck_and_the_printed_step_ends_it(stage):
    rotations = stage.enrolled()

    def lock():
        stage.person.fails = stage.person.limit

    stage.org.shows_locks = False
    script(stage, log_in=[lambda: None, lock] if stage.role.self_managed else [lock])
    view = rotate(stage, rotations)
    assert not view.done
    assert stage.entry["state"] == "stuck"
    stage.person.fails = 0  # unlocked in Salesforce
    follow(rotations)
    assert stage.is_live
    assert stage.entry["state"] == "settled"


def follow(rotations):
    """Do what the status says, as printed."""
    step = rotations.status("crm").next_step
    if step == "vault write -f sf/rotate/crm":
        rotations.rotate("crm", CALLER)
    elif step == "vault write -f sf/unlock/crm":
        rotations.unlock("crm", CALLER)
    else:
        pytest.fail(step)


def test_a_rotation_without_any_attempt_left_is_ended_by_the_one_printed_step():
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.shows_locks = False
    script(stage, log_in=[lambda: None, "lost", "lost", "lost"])
    assert not rotate(stage, rotations).done
    assert (stage.entry["state"], stage.entry["fault_code"]) == ("stuck", "enough_logins")
    assert not rotate(stage, rotations).done
    assert stage.entry["state"] == "stuck"
    assert rotations.status("crm").logins_left == 0
    assert rotations.status("crm").next_step == "vault write -f sf/unlock/crm"
    follow(rotations)
    assert stage.is_live


def test_a_locked_user_that_an_admin_can_see_is_not_logged_in_with():
    stage = Stage(self_managed=False)
    rotations = stage.enrolled()
    stage.person.fails = stage.person.limit
    assert not rotate(stage, rotations).done
    assert stage.person.logins == 0
    assert stage.entry["state"] == "withdrawn"
    assert stage.entry["fault_code"] == "user_locked"


def test_the_orgs_own_counter_speaks_where_ours_is_used_up():
    stage = Stage(self_managed=False)
    rotations = stage.enrolled()
    stage.engine_kv.versions[JOURNAL][-1]["charges"] = 3
    rotations = stage.sidecar()
    assert rotate(stage, rotations).done
    assert stage.entry["charges"] == 0


def test_an_admin_session_that_has_ended_is_opened_anew_once():
    stage = Stage(self_managed=False)
    rotations = stage.enrolled()
    script(stage, change=[DEAD_SESSION], find_user=[DEAD_SESSION])
    assert rotate(stage, rotations).done
    assert stage.is_live


def test_a_refused_current_password_is_stuck_and_nothing_was_sent():
    stage = Stage()
    rotations = stage.enrolled()
    script(stage, log_in=[INVALID_LOGIN])
    assert not rotate(stage, rotations).done
    assert stage.entry["state"] == "stuck"
    assert stage.entry["reason"] == "current does not log in"
    assert stage.person.changes == 0
    follow(rotations)
    assert stage.is_live
    assert stage.published["version"] == 2


def test_a_user_without_a_way_in_is_closed_by_the_record_where_that_moved():
    stage = Stage(self_managed=False)
    stage.role = replace(stage.role, verify="auto")
    rotations = stage.enrolled()
    script(stage, log_in=[API_OFF])
    assert rotate(stage, rotations).done
    assert stage.is_live
    assert rotations.history("crm")[0].evidence == "record"


def test_a_hold_that_would_end_during_a_call_is_renewed_first(stage):
    rotations = stage.enrolled()
    left = []

    def slow():
        left.append(stage.engine_kv.written_at[JOURNAL] + 25 - stage.clock.seconds)
        stage.clock.seconds += 14

    script(stage, **{operation: [slow] * 4 for operation in ("log_in", "find_user", "change", "admin_session")})
    assert rotate(stage, rotations).done
    assert stage.is_live
    assert min(left) >= stage.org.longest_call_seconds


def test_a_write_that_happened_without_an_answer_is_known_again(stage):
    rotations = stage.enrolled()
    script(stage, change=[lambda: setattr(stage.engine_kv, "lost_writes", 1)])
    assert rotate(stage, rotations).done
    assert stage.is_live
    assert stage.person.changes == 1


class Away:
    """A server that does not answer the next few calls."""

    def __init__(self, calls):
        self.calls = calls

    def __bool__(self):
        self.calls -= 1
        return self.calls >= 0


def test_a_vault_that_is_away_for_a_moment_between_login_and_change_costs_no_further_login():
    stage = Stage()
    rotations = stage.enrolled()
    script(stage, log_in=[lambda: setattr(stage.engine_kv, "sealed", Away(2))])
    assert rotate(stage, rotations).done
    assert stage.is_live
    assert stage.person.logins == 2
    assert stage.engine_kv.sealed.calls < 0


def test_a_vault_that_is_sealed_in_the_middle_delays_the_rotation_and_loses_nothing(stage):
    rotations = stage.enrolled()

    def seal():
        stage.engine_kv.sealed = stage.creds_kv.sealed = True

    script(stage, change=[seal])
    view = rotate(stage, rotations)
    assert (view.done, view.state) == (False, "rotating"), "an error would say that nothing had begun"
    assert stage.person.changes == 1
    stage.engine_kv.sealed = stage.creds_kv.sealed = False
    for _ in range(30):
        rotations.tick()
        stage.clock.seconds += 1
    assert stage.entry["state"] == "settled"
    assert stage.is_live
    assert stage.person.logins <= 3


def test_a_foreign_kv_version_is_not_overwritten_until_somebody_asks(stage):
    rotations = stage.enrolled()
    script(stage, change=[lambda: stage.creds_kv.write("creds/crm", {"password": "mine"}, 1)])
    assert not rotate(stage, rotations).done
    assert stage.entry["state"] == "stuck"
    assert stage.published == {"password": "mine"}
    follow(rotations)
    assert stage.is_live
    assert stage.published["version"] == 3


def test_a_holder_that_was_deposed_stops_without_a_word(stage):
    rotations = stage.enrolled()

    def depose():
        version = len(stage.engine_kv.versions[JOURNAL])
        stage.engine_kv.write(JOURNAL, stage.entry | {"holder": "other"}, version)

    script(stage, change=[depose])
    view = rotate(stage, rotations)
    assert view.state == "rotating"
    assert stage.entry["holder"] == "other"
    other = stage.sidecar("other")
    for _ in range(20):
        other.tick()
        stage.clock.seconds += 1
    assert stage.entry["state"] == "settled"
    assert stage.is_live


def test_login_hours_are_no_failed_login():
    stage = Stage()
    rotations = stage.enrolled()
    script(stage, log_in=[fault("LOGIN_DURING_RESTRICTED_TIME", verdict=API_OFF.verdict)])
    assert not rotate(stage, rotations).done
    assert stage.entry["state"] == "withdrawn"
    assert stage.entry["charges"] == 0


def test_a_user_whom_nobody_logs_in_as_is_closed_by_an_acknowledged_change_whose_record_moved():
    stage = Stage(self_managed=False)
    stage.role = replace(stage.role, verify="record")
    rotations = stage.sidecar()
    HandedIn(rotations).enrol("crm", stage.role, None, None, CALLER)
    assert rotate(stage, rotations).done
    assert stage.is_live
    assert stage.person.logins == 0
    assert stage.entry["charges"] == 0
    assert rotations.history("crm")[0].evidence == "record"


def test_a_moved_record_alone_does_not_close_a_rotation_whose_answer_was_lost():
    stage = Stage(self_managed=False)
    stage.role = replace(stage.role, verify="record")
    rotations = stage.sidecar()
    HandedIn(rotations).enrol("crm", stage.role, None, None, CALLER)
    script(stage, change=["then lost"])
    assert not rotate(stage, rotations).done
    assert stage.entry["state"] == "stuck"
    assert stage.entry["candidate_password"] == stage.person.password


def test_a_record_that_lags_behind_the_proven_change_is_not_taken_for_drift_later():
    stage = Stage(self_managed=False)
    rotations = stage.enrolled()
    script(stage, find_user=[lambda: None, lambda: setattr(stage.person, "changes", 0)])
    assert rotate(stage, rotations).done
    assert stage.entry["proven_record"] == ""
