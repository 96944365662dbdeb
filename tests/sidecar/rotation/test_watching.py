"""What time brings: schedules, lapsed holders, mail, chores owed, other sidecars, drift."""

from collections import deque
from dataclasses import replace
from datetime import timedelta

from fakes import CALLER, CRM, JOURNAL, START, Killed
from stage import Stage

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.rotation.handed_in import HandedIn
from vault_salesforce_sidecar.rotation.views import RESET_PAGE

PERIOD_OVER = 3600 + 150  # an hour, and the part of it that accounts are spread over


def run_out(stage, *sidecars, seconds=20):
    for _ in range(seconds):
        for rotations in sidecars:
            rotations.tick()
        stage.clock.seconds += 1


def kill_at(stage, rotations, operation):
    """Rotate, and die just after that call took effect."""

    def die():
        stage.accidents.kill_at, stage.accidents.after = stage.accidents.calls + 1, True

    stage.org.script[operation] = deque([die])
    try:
        rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    except Killed:
        stage.accidents.kill_at = None
    else:
        raise AssertionError(operation)


def test_a_role_is_rotated_when_its_period_is_over_and_not_before():
    stage = Stage()
    rotations = stage.enrolled()
    due = rotations.status("crm").next_rotation
    assert START + timedelta(hours=1) <= due <= START + timedelta(hours=1, minutes=3)
    stage.clock.seconds = (due - START).total_seconds() - 1
    rotations.tick()
    assert stage.published["version"] == 1
    stage.clock.seconds += 1
    rotations.tick()
    assert stage.published["version"] == 2
    assert rotations.history("crm")[0].cause == "schedule"
    rotations.tick()
    assert stage.published["version"] == 2


def test_a_restart_rotates_nothing_that_was_not_due():
    stage = Stage()
    stage.enrolled()
    stage.clock.seconds = 1800
    rotations = stage.sidecar()
    run_out(stage, rotations)
    assert stage.published["version"] == 1


def test_of_two_sidecars_one_rotates_a_due_role():
    stage = Stage()
    one = stage.enrolled()
    two = stage.sidecar("two")
    stage.clock.seconds = PERIOD_OVER
    run_out(stage, one, two, seconds=60)
    assert stage.published["version"] == 2
    assert stage.person.changes == 1


def test_a_scheduled_rotation_that_comes_to_nothing_is_tried_again_ever_more_seldom():
    stage = Stage()
    rotations = stage.enrolled()
    stage.clock.seconds = PERIOD_OVER
    stage.org.script["log_in"] = deque(["not sent"] * 1000)
    tried = []
    for _ in range(60 * 60):
        before = len(stage.org.script["log_in"])
        rotations.tick()
        if len(stage.org.script["log_in"]) < before:
            tried.append(stage.clock.seconds)
        stage.clock.seconds += 1
    assert len(tried) == 3
    assert tried[1] - tried[0] >= 0.75 * 600
    assert tried[2] - tried[1] >= 0.75 * 1200
    assert stage.person.logins == 0


def test_a_role_that_another_sidecar_made_is_listed_at_once():
    stage = Stage()
    two = stage.sidecar("two")
    stage.enrolled()
    assert two.statuses()["crm"].version == 1


def test_a_role_that_is_gone_is_not_read_again_for_every_list():
    stage = Stage()
    stage.enrolled().delete("crm", CALLER)
    stage.roles.delete("crm", 1)
    two = stage.sidecar("two")
    stage.accidents.names.clear()
    assert two.statuses() == {}
    assert stage.accidents.names == ["engine: list static-roles/"]


def test_what_another_sidecar_holds_is_taken_over_only_after_its_time():
    stage = Stage()
    one = stage.enrolled()
    kill_at(stage, one, "change")
    two = stage.sidecar("two")
    run_out(stage, two, seconds=24)
    assert stage.entry["holder"] == "one"
    assert stage.person.logins == 1
    run_out(stage, two, seconds=20)
    assert stage.entry["state"] == "settled"
    assert stage.is_live
    assert stage.person.logins <= 3


def test_a_holder_that_goes_on_writing_is_not_taken_over():
    stage = Stage()
    one = stage.enrolled()
    kill_at(stage, one, "change")
    two = stage.sidecar("two")
    for _ in range(5):
        run_out(stage, two, seconds=20)
        stage.engine_kv.write(JOURNAL, stage.entry, len(stage.engine_kv.versions[JOURNAL]))
    assert stage.entry["holder"] == "one"


def test_a_holder_that_wrote_a_moment_before_its_time_was_over_is_not_taken_over():
    stage = Stage()
    one = stage.enrolled()
    kill_at(stage, one, "change")
    two = stage.sidecar("two")
    run_out(stage, two, seconds=3)
    stage.clock.seconds += 26
    stage.engine_kv.write(JOURNAL, stage.entry, len(stage.engine_kv.versions[JOURNAL]))
    two.tick()
    assert stage.entry["holder"] == "one"


def test_a_sidecar_learns_of_roles_and_rotations_of_another_one():
    stage = Stage()
    two = stage.sidecar("two")
    one = stage.enrolled()
    one.rotate("crm", CALLER)
    run_out(stage, two, seconds=40)
    assert two.held() == one.held()
    assert two.statuses()["crm"].version == 2


def test_after_ten_minutes_without_mail_the_old_token_is_tried_once():
    stage = Stage(token_from="mailbox", untrusted=True)
    stage.person.mails = False
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    stage.person.token = stage.published["security_token"]  # this change did not kill it
    run_out(stage, rotations, seconds=590)
    assert stage.entry["state"] == "awaiting_token"
    assert stage.person.logins == 1
    run_out(stage, rotations, seconds=30)
    assert stage.entry["state"] == "settled"
    assert stage.is_live


def test_an_old_token_that_is_refused_is_not_tried_again():
    stage = Stage(token_from="mailbox", untrusted=True)
    stage.person.mails = False
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    run_out(stage, rotations, seconds=3000)
    assert stage.entry["state"] == "awaiting_token"
    assert stage.person.logins == 2
    assert stage.person.fails == 1
    stage.org.reset_token(CRM)
    run_out(stage, rotations, seconds=30)
    assert stage.is_live


def test_a_mail_that_was_there_before_the_rotation_is_not_taken():
    stage = Stage(token_from="mailbox", untrusted=True)
    stage.mailbox.bring(CRM, "OldToken0000Abcdef012345")
    stage.person.mails = False
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    run_out(stage, rotations, seconds=30)
    assert stage.person.logins == 1
    assert stage.entry["state"] == "awaiting_token"


def test_a_forged_mail_costs_one_login_and_hides_no_real_one():
    stage = Stage(token_from="mailbox", untrusted=True)
    rotations = stage.enrolled()
    stage.person.mails = False
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    stage.mailbox.bring(CRM, stage.person.token)
    stage.mailbox.bring(CRM, "Forged0000Token0000Abcde")
    run_out(stage, rotations, seconds=30)
    assert stage.is_live
    assert stage.person.logins == 3


def test_a_password_that_was_changed_outside_is_seen_where_an_identity_may_look():
    stage = Stage(self_managed=False)
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER)
    run_out(stage, rotations, seconds=60)
    assert rotations.status("crm").state == "ok"
    stage.org.change_by_hand(CRM, "By-hand-1")
    run_out(stage, rotations, seconds=400)
    status = rotations.status("crm")
    assert (status.state, status.next_step) == ("drifted", "vault write -f sf/rotate/crm")
    assert stage.person.fails == 0
    assert not rotations.request("crm", "lease", 2)
    assert rotations.rotate("crm", CALLER, wait=10).done
    assert stage.is_live


def test_drift_of_a_self_managed_role_is_ended_by_saying_the_password():
    stage = Stage()
    stage.org.become_admin()
    stage.connections.put("demo", replace(stage.config, auth_method="password", username="admin@acme.example"), 1)
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER)
    stage.org.change_by_hand(CRM, "By-hand-1")
    run_out(stage, rotations, seconds=400)
    status = rotations.status("crm")
    assert (status.state, status.next_step) == ("drifted", "vault write sf/resync/crm password=-")


def test_kept_passwords_are_forgotten_when_their_time_is_over():
    stage = Stage()
    stage.role = replace(stage.role, rotation_period=None)
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER)
    assert [one["password"] for one in stage.entry["kept"]] == ["Old-password-1"]
    stage.clock.seconds += 8 * 24 * 3600
    run_out(stage, rotations, seconds=40)
    assert stage.entry["kept"] == []


def test_a_deleted_roles_secrets_are_forgotten_when_their_time_is_over():
    stage = Stage()
    rotations = stage.enrolled()
    rotations.delete("crm", CALLER)
    stage.roles.delete("crm", stage.roles.get("crm").version)
    stage.clock.seconds += 8 * 24 * 3600
    run_out(stage, rotations, seconds=40)
    assert stage.entry["kept"] == []
    assert not stage.entry.get("current_password")


def test_chores_that_were_left_are_done_by_whoever_sees_them():
    stage = Stage()
    one = stage.enrolled()
    stage.plugin_away = True
    one.rotate("crm", CALLER)
    stage.plugin_away = False
    two = stage.sidecar("two")
    run_out(stage, two)
    assert stage.pushed["crm"].version == 2


def test_a_tick_of_a_sidecar_without_vault_raises_nothing():
    stage = Stage()
    rotations = stage.enrolled()
    stage.engine_kv.sealed = stage.creds_kv.sealed = True
    stage.clock.seconds = PERIOD_OVER
    run_out(stage, rotations)
    stage.engine_kv.sealed = stage.creds_kv.sealed = False
    run_out(stage, rotations)
    assert stage.published["version"] == 2


def test_a_token_in_flight_survives_a_kill_of_its_proof():
    stage = Stage(token_from="manual", untrusted=True)
    one = stage.enrolled()
    one.rotate("crm", CALLER, allow_security_token_wait=True)
    stage.accidents.kill_at, stage.accidents.after = None, True

    def die():
        stage.accidents.kill_at = stage.accidents.calls + 1

    stage.org.script["log_in"] = deque([die])
    try:
        HandedIn(one).security_token("crm", SecretStr(stage.person.token), CALLER, 10)
    except Killed:
        stage.accidents.kill_at = None
    run_out(stage, stage.sidecar())
    assert stage.is_live


def test_a_first_token_that_was_forged_does_not_end_the_wait_for_the_real_one():
    stage = Stage(token_from="mailbox", untrusted=True)
    rotations = stage.sidecar()
    HandedIn(rotations).enrol("crm", stage.role, SecretStr(stage.person.password), None, CALLER)
    stage.mailbox.bring(CRM, "Forged0000Token0000Abcde")
    run_out(stage, rotations)
    status = rotations.status("crm")
    assert (status.state, status.next_step) == ("awaiting", RESET_PAGE)
    assert "INVALID_LOGIN is the cause." in status.reason
    stage.mailbox.bring(CRM, "Forged1111Token1111Abcde")
    run_out(stage, rotations)
    assert stage.person.logins == 2, "each token is tried once"
    stage.org.reset_token(CRM)
    run_out(stage, rotations)
    assert stage.is_live
    assert stage.published["version"] == 1


def test_a_token_that_somebody_reset_is_published_and_forged_ones_leave_a_login():
    stage = Stage(token_from="mailbox", untrusted=True)
    rotations = stage.sidecar()
    HandedIn(rotations).enrol("crm", stage.role, SecretStr("Old-password-1"), SecretStr(stage.person.token), CALLER)
    run_out(stage, rotations, seconds=40)
    stage.org.reset_token(CRM)
    run_out(stage, rotations, seconds=40)
    assert stage.is_live
    assert (stage.published["version"], stage.person.changes, stage.person.logins) == (2, 0, 2)
    assert rotations.rotate("crm", CALLER, wait=10).done, "such a mail was seen: no consent is needed"
    logins = stage.person.logins
    for number in range(4):
        stage.mailbox.bring(CRM, f"Forged{number}000Token0000Abcde")
        run_out(stage, rotations, seconds=60)
    assert stage.person.logins - logins == 2
    assert rotations.status("crm").logins_left == 1
    assert rotations.rotate("crm", CALLER, wait=10).done


def test_a_push_that_is_owed_anew_does_not_take_a_rotation_from_its_holder():
    stage = Stage()
    rotations = stage.enrolled()

    def update():
        stage.plugin_away = True
        HandedIn(rotations).update("crm", stage.roles.get("crm"), replace(stage.role, ttl=60), None, None)
        stage.plugin_away = False

    stage.org.script["change"] = deque([update])
    assert rotations.rotate("crm", CALLER, wait=10).done
    assert stage.person.logins == 2
    assert stage.pushed["crm"].ttl == 60


def test_an_entry_of_a_newer_release_disturbs_no_tick():
    stage = Stage()
    one = stage.enrolled()
    kill_at(stage, one, "change")
    two = stage.sidecar("two")
    stage.engine_kv.versions[JOURNAL][-1] = stage.entry | {"schema": 99}
    run_out(stage, two, seconds=60)
    assert stage.entry["schema"] == 99
