"""What people hand in is proven with one login, within the budget, and published."""

from collections import deque
from dataclasses import replace

import pytest
from fake_org import API_OFF, INVALID_LOGIN
from fakes import CALLER, CRM, JOURNAL, Killed
from stage import Stage

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, OperatorError, TransientError
from vault_salesforce_sidecar.rotation.handed_in import HandedIn


def enrol(stage, rotations, *, password="Old-password-1", token=None):
    given = SecretStr(password) if password is not None else None
    return HandedIn(rotations).enrol("crm", stage.role, given, SecretStr(token) if token else None, CALLER)


def run_out(stage, rotations, seconds=20):
    for _ in range(seconds):
        rotations.tick()
        stage.clock.seconds += 1


def test_creating_a_role_proves_its_password_with_one_login_and_does_not_rotate():
    stage = Stage()
    rotations = stage.sidecar()
    assert enrol(stage, rotations) == ()
    assert stage.published["version"] == 1
    assert stage.is_live
    assert stage.person.logins == 1
    assert stage.person.changes == 0
    assert stage.roles.get("crm").record == stage.role
    assert stage.pushed["crm"].version == 1
    assert stage.pushed["crm"].rotation_id == stage.entry["rotation_id"]
    assert rotations.status("crm").state == "ok"


def test_a_refused_login_stores_no_role_is_counted_and_not_repeated_with_the_same_credential():
    stage = Stage()
    rotations = stage.sidecar()
    with pytest.raises(OperatorError) as refused:
        enrol(stage, rotations, password="Wrong-1")
    assert refused.value.code == "INVALID_LOGIN"
    assert refused.value.remedy == "Mend INVALID_LOGIN."
    assert stage.roles.get("crm") is None
    assert "creds/crm" not in stage.creds_kv.versions
    assert stage.entry["charges"] == 1
    with pytest.raises(TransientError) as again:
        enrol(stage, rotations, password="Wrong-1")
    assert again.value.status == 429
    assert stage.person.logins == 1
    enrol(stage, rotations)
    assert stage.entry["charges"] == 0


def test_a_blocked_login_stores_no_role_and_may_be_repeated():
    stage = Stage()
    rotations = stage.sidecar()
    stage.org.script["log_in"] = deque([API_OFF])
    with pytest.raises(OperatorError) as blocked:
        enrol(stage, rotations)
    assert blocked.value.code == "API_CURRENTLY_DISABLED"
    enrol(stage, rotations)
    assert stage.is_live


def test_wrong_passwords_end_before_they_could_lock_the_user():
    stage = Stage()
    rotations = stage.sidecar()
    for number in range(3):
        with pytest.raises(OperatorError):
            enrol(stage, rotations, password=f"Wrong-{number}")
    with pytest.raises(TransientError) as none_left:
        enrol(stage, rotations)
    assert none_left.value.code == "no_attempts_left"
    assert "sf/unlock/crm username=" in none_left.value.remedy
    assert stage.person.logins == 3
    assert not stage.person.locked


def test_an_account_whose_creation_was_refused_is_unlocked_by_its_user_name():
    stage = Stage()
    rotations = stage.sidecar()
    for number in range(3):
        with pytest.raises(OperatorError):
            enrol(stage, rotations, password=f"Wrong-{number}")
    for role, username in (("crm", "stranger@example.com"), ("other", stage.role.username)):
        with pytest.raises(CallerError) as unknown:
            rotations.unlock(role, CALLER, username)
        assert unknown.value.status == 404
    rotations.unlock("crm", CALLER, stage.role.username)
    enrol(stage, rotations)
    assert stage.is_live


def test_an_expired_password_is_not_published_but_can_be_rotated():
    stage = Stage()
    rotations = stage.sidecar()
    stage.person.expired = True
    (warning,) = enrol(stage, rotations)
    assert "sf/rotate/crm" in warning
    assert "creds/crm" not in stage.creds_kv.versions
    assert rotations.status("crm").state == "due"
    assert rotations.rotate("crm", CALLER, wait=10).done
    assert stage.is_live
    assert stage.published["version"] == 1


def test_with_an_identity_the_user_is_looked_at_before_any_login():
    for settings, code in (({"active": False}, "user_inactive"), ({"frozen": True}, "user_frozen")):
        stage = Stage(self_managed=False)
        for name, value in settings.items():
            setattr(stage.person, name, value)
        with pytest.raises(OperatorError) as refused:
            enrol(stage, stage.sidecar())
        assert refused.value.code == code
        assert stage.person.logins == 0


def test_a_user_that_the_org_does_not_have_is_refused_without_a_login():
    stage = Stage(self_managed=False)
    stage.role = replace(stage.role, username="nobody@acme.example")
    with pytest.raises(OperatorError) as refused:
        enrol(stage, stage.sidecar())
    assert refused.value.code == "no_such_user"


def test_a_password_may_be_left_out_under_an_admin_and_is_set_by_the_first_rotation():
    stage = Stage(self_managed=False)
    rotations = stage.sidecar()
    (warning,) = enrol(stage, rotations, password=None)
    assert "sf/rotate/crm" in warning
    assert rotations.status("crm").state == "unpublished"
    assert rotations.rotate("crm", CALLER, wait=10).done
    assert stage.published["version"] == 1
    assert stage.is_live


def test_without_an_admin_a_password_is_demanded():
    stage = Stage()
    with pytest.raises(CallerError, match="password is missing"):
        enrol(stage, stage.sidecar(), password=None)


def test_a_connection_may_be_used_by_the_roles_and_for_the_users_that_it_names_alone():
    stage = Stage(self_managed=False)
    rotations = stage.sidecar()
    stage.connections.put("demo", replace(stage.config, allowed_roles=("billing-*",)), 1)
    with pytest.raises(CallerError, match="may not be used by role 'crm'"):
        enrol(stage, rotations)
    stage.connections.put("demo", replace(stage.config, admin_may_rotate=()), 2)
    with pytest.raises(CallerError, match="may not set the password"):
        enrol(stage, rotations)


def test_an_account_belongs_to_one_role():
    stage = Stage()
    rotations = stage.enrolled()
    with pytest.raises(CallerError, match="belongs to role 'crm'"):
        HandedIn(rotations).enrol("other", stage.role, SecretStr("Old-password-1"), None, CALLER)


def test_a_token_that_comes_by_mail_may_be_left_out():
    stage = Stage(token_from="mailbox", untrusted=True)
    rotations = stage.sidecar()
    (warning,) = enrol(stage, rotations)
    assert "Reset My Security Token" in warning
    assert rotations.status("crm").state == "awaiting"
    run_out(stage, rotations)
    assert stage.person.logins == 0
    stage.org.reset_token(CRM)
    run_out(stage, rotations)
    assert stage.is_live
    assert stage.published["version"] == 1
    assert stage.entry["token_seen"]
    assert stage.mailbox.deleted
    assert rotations.status("crm").token_state == "fresh"


def test_from_a_trusted_address_no_token_is_published():
    stage = Stage(token_from="manual", untrusted=False)
    stage.connections.put("demo", replace(stage.config, sidecar_address="trusted"), 1)
    rotations = stage.sidecar()
    (warning,) = enrol(stage, rotations, token="Token0000Reset0000Abcdef")
    assert "trusted" in warning
    assert stage.published["security_token"] == ""
    assert rotations.status("crm").token_state == "unproven"
    with pytest.raises(CallerError, match="trusted"):
        HandedIn(rotations).security_token("crm", SecretStr("x"), CALLER, 10)


def test_secrets_that_tools_send_again_are_ignored_and_others_refused():
    stage = Stage()
    rotations = stage.enrolled()
    handed_in = HandedIn(rotations)
    rotations.rotate("crm", CALLER, wait=10)
    changed = replace(stage.role, rotation_period=7200, ttl=60)
    known = stage.roles.get("crm")
    warning, told = handed_in.update("crm", known, changed, SecretStr("Old-password-1"), None)
    assert "ignored" in warning
    assert told.startswith("the schedule changed, and nothing was rotated")
    assert stage.roles.get("crm").record == changed
    assert stage.pushed["crm"].ttl == 60
    assert handed_in.update("crm", stage.roles.get("crm"), changed, SecretStr(stage.person.password), None)
    with pytest.raises(CallerError) as refused:
        handed_in.update("crm", stage.roles.get("crm"), changed, SecretStr("Another-1"), None)
    assert (refused.value.status, refused.value.code) == (400, "use_resync")


def test_a_role_that_changes_while_the_plugin_is_away_is_pushed_later():
    stage = Stage()
    rotations = stage.enrolled()
    stage.plugin_away = True
    HandedIn(rotations).update("crm", stage.roles.get("crm"), replace(stage.role, ttl=60), None, None)
    stage.plugin_away = False
    run_out(stage, rotations)
    assert stage.pushed["crm"].ttl == 60


def test_resync_publishes_what_a_person_set():
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.change_by_hand(CRM, "By-hand-1")
    view = HandedIn(rotations).resync(
        "crm", CALLER, password=SecretStr("By-hand-1"), security_token=None, try_=None, wait=10
    )
    assert view.done
    assert stage.is_live
    assert stage.published["version"] == 2
    assert rotations.history("crm")[0].cause == "resync"


def test_a_wrong_resync_changes_nothing():
    stage = Stage()
    rotations = stage.enrolled()
    with pytest.raises(OperatorError) as refused:
        HandedIn(rotations).resync("crm", CALLER, password=SecretStr("No-1"), security_token=None, try_=None, wait=10)
    assert refused.value.code == "INVALID_LOGIN"
    assert stage.is_live
    assert rotations.status("crm").state == "ok"
    assert rotations.rotate("crm", CALLER, wait=10).done


def test_resync_of_what_is_published_makes_no_new_version():
    stage = Stage()
    rotations = stage.enrolled()
    view = HandedIn(rotations).resync("crm", CALLER, password=None, security_token=None, try_="published", wait=10)
    assert (view.done, view.version) == (True, 1)
    assert stage.person.logins == 1
    # The plugin takes no version of one number from two rotations.
    assert stage.entry["published_id"] == stage.pushed["crm"].rotation_id != stage.entry["rotation_id"]


def test_resync_after_the_journal_was_lost_finds_the_rotation_that_made_the_version():
    stage = Stage()
    stage.enrolled()
    before = stage.pushed["crm"]
    del stage.engine_kv.versions[JOURNAL]
    again = HandedIn(stage.sidecar())
    again.resync("crm", CALLER, password=SecretStr(stage.person.password), security_token=None, try_=None, wait=1)
    assert stage.pushed["crm"] == before
    assert stage.entry["published_id"] == before.rotation_id


def test_resync_without_a_secret_tries_what_the_engine_holds_one_login_each():
    stage = Stage()
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER, wait=10)
    stage.person.password = "Old-password-1"  # as after a restore of the org
    stage.person.logins = 0
    view = HandedIn(rotations).resync("crm", CALLER, password=None, security_token=None, try_=None, wait=10)
    assert view.done
    assert stage.is_live
    assert stage.person.logins == 2


def test_resync_with_the_candidate_ends_a_stuck_rotation():
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.script["log_in"] = deque([lambda: None, INVALID_LOGIN])
    rotations.rotate("crm", CALLER, wait=10)
    assert stage.entry["state"] == "stuck"
    view = HandedIn(rotations).resync("crm", CALLER, password=None, security_token=None, try_="candidate", wait=10)
    assert view.done
    assert stage.is_live


def test_a_token_handed_in_ends_a_rotation_that_waits_for_it():
    stage = Stage(token_from="manual", untrusted=True)
    rotations = stage.enrolled()
    view = rotations.rotate("crm", CALLER, wait=10, allow_security_token_wait=True)
    assert view.state == "awaiting"
    status = rotations.status("crm")
    assert (status.state, status.token_state) == ("awaiting", "stale")
    assert status.next_step == "vault write sf/security-token/crm security_token=-"
    assert rotations.changing() == ("crm",)
    handed_in = HandedIn(rotations)
    with pytest.raises(OperatorError) as refused:
        handed_in.security_token("crm", SecretStr("WrongToken"), CALLER, 10)
    assert refused.value.code == "INVALID_LOGIN"
    assert handed_in.security_token("crm", SecretStr(stage.person.token), CALLER, 10).done
    assert stage.is_live
    assert rotations.changing() == ()


def test_a_token_that_was_reset_by_hand_is_published_with_the_current_password():
    stage = Stage(token_from="manual", untrusted=True)
    rotations = stage.enrolled()
    stage.org.reset_token(CRM)
    assert HandedIn(rotations).security_token("crm", SecretStr(stage.person.token), CALLER, 10).done
    assert stage.is_live
    assert stage.published["version"] == 2
    assert stage.person.changes == 0


def test_a_role_can_be_created_anew_for_the_same_user_and_its_versions_go_on():
    stage = Stage()
    rotations = stage.enrolled()
    rotations.delete("crm", CALLER)
    stage.roles.delete("crm", stage.roles.get("crm").version)
    assert stage.entry["state"] == "deleted"
    enrol(stage, rotations)
    assert stage.published["version"] == 3
    assert stage.is_live
    assert stage.pushed["crm"].version == 3
    assert [one["password"] for one in stage.entry["kept"]] == []


def test_a_creation_that_was_interrupted_comes_to_nothing_and_can_be_repeated():
    stage = Stage()
    rotations = stage.sidecar()
    stage.accidents.kill_at = stage.accidents.calls + 12
    with pytest.raises(Killed):
        enrol(stage, rotations)
    rotations = stage.sidecar()
    run_out(stage, rotations)
    assert stage.roles.get("crm") is None
    assert stage.engine_kv.newest(JOURNAL)["state"] == "withdrawn"
    enrol(stage, rotations)
    assert stage.is_live
