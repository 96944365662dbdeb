"""A user who was renamed in Salesforce: recognised where somebody may look, and the role follows."""

from collections import deque
from dataclasses import replace

import pytest
from fakes import CALLER, CRM, JOURNAL, Killed
from stage import Stage

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, OperatorError, TransientError
from vault_salesforce_sidecar.rotation.handed_in import HandedIn
from vault_salesforce_sidecar.rotation.renaming import Renaming
from vault_salesforce_sidecar.store import Conflict

NEW = "integration@new.example"
NEW_JOURNAL = "journal/integration%40new.example"


def follow(rotations, username=NEW, **given):
    """What `resync/crm username=…` does, without the claim."""
    Renaming(rotations).follow("crm", username, CALLER, **given)
    return HandedIn(rotations).resync("crm", CALLER, password=None, security_token=None, try_=None, wait=5)


def looked_after():
    """A self-managed user whom an administrator's identity may look at."""
    stage = Stage()
    stage.org.become_admin()
    stage.config = replace(stage.config, auth_method="password", username="admin@acme.example", password=SecretStr("x"))
    stage.connections.put("demo", stage.config, 1)
    return stage


def texts(entry):
    return {str(one) for one in entry.values()}


def test_the_role_follows_with_all_that_is_known_of_it():
    stage = Stage()
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER)
    before = stage.entry
    stage.org.rename(CRM, NEW)
    view = follow(rotations)
    assert (view.done, view.version) == (True, 3)
    assert stage.published["username"] == NEW
    assert stage.pushed["crm"].username == NEW
    assert stage.roles.get("crm").record.username == NEW
    moved = stage.engine_kv.newest(NEW_JOURNAL)
    assert {one["password"] for one in before["kept"]} <= {one["password"] for one in moved["kept"]}
    assert moved["moved_from"] == ""
    assert stage.person.password not in texts(stage.entry), "the old entry holds no secret any more"
    assert stage.entry["kept"] == []
    assert rotations.rotate("crm", CALLER).done
    assert stage.is_live
    assert rotations.status("crm").state == "ok"
    assert [row.cause for row in rotations.history("crm")][:2] == ["manual", "resync"]


def test_an_identity_that_may_look_spares_the_login_that_shows_who_it_is():
    stage = looked_after()
    rotations = stage.enrolled()
    stage.org.rename(CRM, NEW)
    follow(rotations)
    assert stage.person.logins == 1
    assert stage.is_live


@pytest.mark.parametrize("self_managed", [True, False])
def test_a_renamed_user_is_recognised_at_no_login_and_the_status_says_what_to_do(self_managed):
    stage = looked_after() if self_managed else Stage(self_managed=False)
    rotations = stage.enrolled()
    stage.org.rename(CRM, NEW)
    view = rotations.rotate("crm", CALLER)
    assert view.refusal.code == "user_renamed"
    assert (stage.person.logins, stage.person.changes) == (0, 0)
    status = rotations.status("crm")
    assert (status.state, status.next_step) == ("parked", f"vault write sf/resync/crm username={NEW}")
    assert f"renamed in Salesforce, to {NEW}" in status.reason
    if not self_managed:
        with pytest.raises(CallerError, match="may not set the password"):
            follow(rotations)
        assert stage.roles.get("crm").record.username == CRM
        stage.connections.put("demo", replace(stage.config, admin_may_rotate=("*",)), 1)
    follow(rotations)
    assert (rotations.status("crm").state, rotations.status("crm").next_step) == ("ok", "")


@pytest.mark.parametrize("self_managed", [True, False])
def test_a_stranger_who_has_the_users_old_name_is_left_alone(self_managed):
    stage = looked_after() if self_managed else Stage(self_managed=False)
    rotations = stage.enrolled()
    stage.org.rename(CRM, NEW)
    stranger = stage.org.add(CRM, "Strangers-own-1", first_name="stranger@acme.example", untrusted=False)
    view = rotations.rotate("crm", CALLER)
    assert view.refusal.code == "user_renamed"
    assert (stranger.logins, stranger.changes, stranger.fails, stage.person.changes) == (0, 0, 0, 0)
    assert rotations.status("crm").next_step == f"vault write sf/resync/crm username={NEW}"


def test_a_stranger_whose_app_session_is_opened_by_the_old_name_is_left_alone_too():
    stage = Stage(by_app=True)
    rotations = stage.enrolled()
    stage.org.rename(CRM, NEW)
    stage.org.app_sessions.clear()
    stranger = stage.org.add(CRM, "Strangers-own-1", first_name="stranger@acme.example", untrusted=False)
    assert rotations.rotate("crm", CALLER).refusal.code == "another_user"
    assert (stranger.logins, stranger.changes, stranger.fails) == (0, 0, 0)


def test_the_look_for_drift_finds_a_renamed_user():
    stage = looked_after()
    rotations = stage.enrolled()
    stage.org.rename(CRM, NEW)
    for _ in range(4):
        stage.clock.seconds += 300
        rotations.tick()
    assert rotations.status("crm").next_step == f"vault write sf/resync/crm username={NEW}"


def test_a_name_that_a_shell_would_read_otherwise_is_quoted():
    stage = looked_after()
    rotations = stage.enrolled()
    stage.org.rename(CRM, "o'neil;id@new.example")
    rotations.rotate("crm", CALLER)
    assert rotations.status("crm").next_step == """vault write sf/resync/crm username='o'"'"'neil;id@new.example'"""


@pytest.mark.parametrize("seen", [True, False])
def test_another_user_is_not_followed(seen):
    stage = looked_after() if seen else Stage()
    rotations = stage.enrolled()
    stage.org.add(NEW, stage.person.password, untrusted=False)
    with pytest.raises(CallerError) as refused:
        follow(rotations)
    assert (refused.value.status, refused.value.code) == (409, "another_user")
    assert stage.roles.get("crm").record.username == CRM
    assert stage.entry.get("moving_to", "") == ""
    assert rotations.rotate("crm", CALLER).done


def test_a_name_that_nobody_has_costs_one_login_at_most_and_moves_nothing():
    stage = Stage()
    rotations = stage.enrolled()
    with pytest.raises(OperatorError, match="was refused"):
        follow(rotations, "nobody@new.example")
    assert stage.entry["charges"] == 1
    for _ in range(2):
        with pytest.raises(OperatorError):
            follow(rotations, "nobody@new.example")
    with pytest.raises(TransientError):
        follow(rotations, "nobody@new.example")
    assert stage.roles.get("crm").record.username == CRM


def test_an_account_of_another_role_is_not_taken():
    stage = looked_after()
    rotations = stage.enrolled()
    stage.org.add(NEW, "Other-1", untrusted=False)
    HandedIn(rotations).enrol("other", replace(stage.role, username=NEW), SecretStr("Other-1"), None, CALLER)
    stage.org.people[NEW].first_name = CRM
    with pytest.raises(CallerError) as refused:
        follow(rotations)
    assert refused.value.code == "account_taken"
    assert stage.entry["moving_to"] == ""
    stage.org.people[NEW].first_name = ""
    assert rotations.rotate("other", CALLER).done


def test_what_was_kept_and_charged_under_the_new_name_before_goes_on_counting():
    stage = looked_after()
    rotations = stage.enrolled()
    other = stage.org.add(NEW, "Other-1", untrusted=False)
    handed_in = HandedIn(rotations)
    handed_in.enrol("other", replace(stage.role, username=NEW), SecretStr("Other-1"), None, CALLER)
    with pytest.raises(OperatorError):
        handed_in.resync("other", CALLER, password=SecretStr("Wrong-1"), security_token=None, try_=None, wait=5)
    rotations.delete("other", CALLER)
    stage.roles.delete("other", 1)
    del stage.org.people[NEW]
    stage.org.rename(CRM, NEW)
    Renaming(rotations).follow("crm", NEW, CALLER)
    entry = stage.engine_kv.newest(NEW_JOURNAL)
    assert other.password in {one["password"] for one in entry["kept"]}
    assert entry["charges"] == 1


def test_a_stuck_role_takes_both_its_passwords_along():
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.script["change"] = deque(["then lost"])
    stage.org.script["log_in"] = deque(["", lambda: stage.org.rename(CRM, NEW)])
    rotations.rotate("crm", CALLER)
    assert stage.entry["state"] == "stuck"
    rotations.unlock("crm", CALLER)
    live = stage.person.password
    follow(rotations, password=SecretStr(live))
    assert stage.published["password"] == live
    assert stage.is_live


def test_nothing_begins_while_a_role_is_on_its_way():
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.rename(CRM, NEW)
    stage.engine_kv.write(JOURNAL, stage.entry | {"moving_to": NEW}, len(stage.engine_kv.versions[JOURNAL]))
    with pytest.raises(TransientError, match="is being moved"):
        rotations.rotate("crm", CALLER)
    assert not rotations.request("crm", "lease", 1)


@pytest.mark.parametrize("at", [NEW_JOURNAL, "static-roles/crm"], ids=["before the copy", "before the decision"])
def test_who_sleeps_in_the_middle_finds_that_the_move_is_off(at):
    stage = looked_after()
    rotations, survivor = stage.enrolled(), stage.sidecar("two")
    stage.org.rename(CRM, NEW)
    write = stage.engine_kv.write

    def late(path, data, cas):
        if path == at:
            stage.engine_kv.write = write
            for _ in range(8):
                stage.clock.seconds += 31
                survivor.tick()
            stage.org.rename(NEW, CRM)
            assert survivor.rotate("crm", CALLER).done, "its role is free again"
        return write(path, data, cas)

    stage.engine_kv.write = late
    with pytest.raises(Conflict):
        follow(rotations)
    assert stage.roles.get("crm").record.username == CRM
    assert stage.entry["moving_to"] == ""
    assert stage.is_live
    assert stage.engine_kv.newest(NEW_JOURNAL)["current_password"] == ""
    assert stage.engine_kv.newest(NEW_JOURNAL)["kept"] == []


def run(stage, rotations):
    """One attempt; False: the process died."""
    try:
        follow(rotations)
    except Killed:
        return False
    return True


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_call_it_is_ended_by_whoever_comes_next_and_nothing_is_lost(after):
    number, finished = 0, False
    while not finished:
        number += 1
        stage = looked_after()
        rotations = stage.enrolled()
        rotations.rotate("crm", CALLER)
        secrets = {one["password"] for one in stage.entry["kept"]} | {stage.person.password}
        stage.org.rename(CRM, NEW)
        stage.accidents.calls, stage.accidents.kill_at, stage.accidents.after = 0, number, after
        finished = run(stage, rotations)
        stage.accidents.kill_at = None
        survivor = stage.sidecar("two")
        for _ in range(5):
            stage.clock.seconds += 31
            survivor.tick()
        owner = stage.roles.get("crm").record.username
        entries = {
            JOURNAL: stage.entry,
            NEW_JOURNAL: stage.engine_kv.newest(NEW_JOURNAL) if NEW_JOURNAL in stage.engine_kv.versions else {},
        }
        home = entries[JOURNAL if owner == CRM else NEW_JOURNAL]
        left = entries[NEW_JOURNAL if owner == CRM else JOURNAL]
        held = {home["current_password"]} | {one["password"] for one in home["kept"]}
        assert secrets <= held, number
        assert not secrets & (texts(left) | {one["password"] for one in left.get("kept", [])}), number
        assert (home["moving_to"], home["moved_from"]) == ("", ""), number
        view = follow(survivor)
        assert view.done, number
        assert stage.published["username"] == NEW
        assert stage.is_live
    assert number > 10
