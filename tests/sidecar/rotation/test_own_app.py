"""self_login=jwt_bearer: the connection's app opens the session in which a user changes their own password."""

from collections import deque
from dataclasses import replace

import pytest
from fake_org import API_OFF, DEAD_SESSION, EXPIRED, GRANT_LOCKED, INVALID_LOGIN, NOT_APPROVED, fault
from fakes import CALLER, CRM, JOURNAL, Killed
from stage import Stage

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, OperatorError
from vault_salesforce_sidecar.rotation.handed_in import HandedIn

SHUT = fault("INVALID_OPERATION", API_OFF.verdict)


def by_app(**settings):
    stage = Stage(by_app=True, **settings)
    return stage, stage.enrolled()


def rotate(rotations, **settings):
    return rotations.rotate("crm", CALLER, wait=10, allow_security_token_wait=True, **settings)


def script(stage, **steps):
    stage.org.script = {operation: deque(what) for operation, what in steps.items()}


def test_a_rotation_spends_one_login_the_proof():
    stage, rotations = by_app()
    assert rotate(rotations).done
    assert stage.is_live
    assert (stage.person.logins, stage.person.changes, stage.org.app_grants) == (1, 1, 1)
    assert rotate(rotations).done
    assert stage.org.app_grants == 1, "the session is kept"
    assert [row.way for row in rotations.history("crm")] == ["own_app", "own_app", ""]


def test_a_session_that_lives_on_does_not_hide_that_its_user_is_locked():
    stage, rotations = by_app()
    assert rotate(rotations).done
    stage.clock.seconds += 3600
    stage.person.frozen = True
    view = rotate(rotations)
    assert view.refusal.code == GRANT_LOCKED.code
    assert (stage.entry["state"], stage.person.changes, stage.person.logins) == ("withdrawn", 1, 1)
    assert stage.is_live


@pytest.mark.parametrize("answer", [NOT_APPROVED, GRANT_LOCKED])
def test_a_refused_grant_changes_nothing_charges_nothing_and_is_told_by_name(answer):
    stage, rotations = by_app()
    script(stage, log_in_as=[answer])
    view = rotate(rotations)
    assert view.refusal.code == answer.code
    assert (stage.entry["state"], stage.entry["charges"], stage.person.changes) == ("withdrawn", 0, 0)
    assert stage.person.logins == 0
    assert stage.is_live


def test_a_session_that_ended_is_opened_once_anew():
    stage, rotations = by_app()
    rotate(rotations)
    stage.org.sessions.clear()
    assert rotate(rotations).done
    assert stage.org.app_grants == 2
    script(stage, find_user=[DEAD_SESSION, DEAD_SESSION])
    assert rotate(rotations).refusal.code == DEAD_SESSION.code
    assert stage.is_live


@pytest.mark.parametrize("loss", ["lost", "then lost", "late"])
def test_a_lost_change_is_found_by_the_record_without_a_login_of_the_old_password(loss):
    stage, rotations = by_app()
    script(stage, change=[loss], **({"log_in_as": [lambda: None] * 2 + [stage.org.land]} if loss == "late" else {}))
    assert rotate(rotations).done
    assert stage.is_live
    assert (stage.person.logins, stage.person.changes, stage.person.fails) == (1, 1, 0)


def test_where_the_app_is_shut_after_a_lost_change_a_login_finds_the_password():
    stage, rotations = by_app()
    script(stage, change=["then lost"], log_in_as=[*([lambda: None] * 3), GRANT_LOCKED])
    assert rotate(rotations).done
    assert stage.is_live
    assert stage.person.logins <= 2


def test_an_old_password_that_is_not_live_is_stuck_after_one_attempt_and_triggers_burn_none():
    stage, rotations = by_app()
    stage.org.change_by_hand(CRM, "By-hand-1")
    view = rotate(rotations)
    assert (view.done, stage.entry["state"], stage.entry["reason"]) == (False, "stuck", "current does not log in")
    assert (stage.entry["charges"], stage.person.fails, stage.person.logins) == (1, 1, 0)
    assert rotations.status("crm").next_step == "vault write -f sf/rotate/crm"
    assert not rotations.request("crm", "lease", 1)
    assert stage.person.fails == 1
    HandedIn(rotations).resync("crm", CALLER, password=SecretStr("By-hand-1"), security_token=None, try_=None, wait=10)
    assert stage.is_live


def test_the_change_is_charged_before_it_is_sent_and_not_made_without_an_attempt_left():
    stage, rotations = by_app()
    seen = []
    script(stage, change=[lambda: seen.append(stage.entry["charges"])])
    rotate(rotations)
    assert seen == [1]
    assert stage.entry["charges"] == 0


def test_changes_that_are_lost_again_and_again_stop_before_they_could_lock_the_user():
    stage, rotations = by_app()
    stage.engine_kv.newest(JOURNAL)["charges"] = 1
    script(stage, change=["lost"] * 3)
    assert not rotate(rotations).done
    assert (stage.entry["state"], stage.entry["reason"], stage.entry["charges"]) == ("stuck", "no attempts left", 3)
    assert len(stage.org.script["change"]) == 1, "the third was not sent"


def test_a_change_that_was_lost_stays_charged_until_a_login_succeeds():
    stage, rotations = by_app()
    script(stage, change=["lost"], find_user=[lambda: None, "lost", "lost", "lost"])
    rotate(rotations)
    assert (stage.entry["state"], stage.entry["charges"]) == ("stuck", 1)
    assert rotate(rotations).done
    assert stage.entry["charges"] == 0


def test_an_expired_password_is_changed_in_the_apps_session():
    stage, rotations = by_app()
    stage.person.expired = True
    assert rotate(rotations).done
    assert stage.is_live
    assert stage.person.logins == 1


@pytest.mark.parametrize("loss", ["lost", "then lost"])
def test_a_lost_change_of_an_expired_password_is_found_by_whether_it_is_still_expired(loss):
    stage, rotations = by_app()
    stage.person.expired = True
    script(stage, change=[loss])
    assert rotate(rotations).done
    assert stage.is_live
    assert (stage.person.logins, stage.person.changes) == (1, 1)


def test_where_changing_an_expired_password_is_refused_it_is_set_in_that_session_and_in_no_other():
    stage, rotations = by_app()
    script(stage, change=[EXPIRED])
    rotate(rotations)
    assert stage.entry["state"] == "withdrawn"
    assert stage.person.changes == 0, "a password that has not expired is not set by its own user"
    stage.person.expired = True
    script(stage, change=[EXPIRED])
    assert rotate(rotations).done
    assert stage.is_live
    assert rotations.history("crm")[0].way == "own_expired"


def test_a_user_without_a_way_in_is_proven_by_the_record():
    stage, rotations = by_app()
    script(stage, log_in=[SHUT])
    assert rotate(rotations).done
    assert stage.published["password"] == stage.person.password
    assert rotations.history("crm")[0].evidence == "record"


@pytest.mark.parametrize("verify", ["record", "auto"])
def test_a_user_who_has_no_login_at_all_is_taken_on_and_proven_by_the_first_change(verify):
    stage = Stage(by_app=True, verify=verify)
    rotations = stage.sidecar()
    script(stage, log_in=[SHUT] * 2)
    (warning,) = HandedIn(rotations).enrol("crm", stage.role, SecretStr(stage.person.password), None, CALLER)
    assert "no login can prove the password" in warning
    status = rotations.status("crm")
    assert (status.state, status.next_step) == ("unpublished", "vault write -f sf/rotate/crm")
    assert rotate(rotations).done
    assert stage.published["password"] == stage.person.password
    assert stage.person.logins == 0


def test_a_wrong_password_is_not_taken_for_one_that_no_login_can_prove():
    stage = Stage(by_app=True)
    rotations = stage.sidecar()
    script(stage, log_in=[INVALID_LOGIN])
    with pytest.raises(OperatorError):
        HandedIn(rotations).enrol("crm", stage.role, SecretStr("Wrong-1"), None, CALLER)
    assert stage.roles.get("crm") is None


@pytest.mark.parametrize("missing", ["client_id", "private_key"])
def test_a_connection_without_an_app_is_refused_with_what_it_lacks(missing):
    stage = Stage(by_app=True)
    empty = "" if missing == "client_id" else SecretStr("")
    stage.connections.put("demo", replace(stage.config, **{missing: empty}), 1)
    with pytest.raises(CallerError) as refused:
        HandedIn(stage.sidecar()).enrol("crm", stage.role, SecretStr("Old-password-1"), None, CALLER)
    assert (refused.value.status, refused.value.code) == (409, "no_app")
    assert "client_id and private_key" in refused.value.remedy


def test_a_process_that_dies_anywhere_leaves_a_rotation_that_ends_by_itself():
    for after in (False, True):
        for at in range(1, 40):
            stage, rotations = by_app()
            stage.accidents.kill_at, stage.accidents.after = at, after
            try:
                rotate(rotations)
            except Killed:
                stage.accidents.kill_at = None
                rotations = stage.sidecar()
                for _ in range(40):
                    rotations.tick()
                    stage.clock.seconds += 1
            stage.accidents.kill_at = None
            assert stage.entry["state"] in ("settled", "withdrawn"), (at, after)
            assert stage.is_live, (at, after)
            assert stage.person.logins <= 3, (at, after)
            assert stage.person.fails == 0, (at, after)
