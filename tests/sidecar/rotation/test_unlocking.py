"""What an unlock changes besides the count, and what it leaves behind: who did it, and why a role is well again."""

from collections import deque
from dataclasses import replace

import pytest
from fake_org import NEW_PASSWORD, fault
from fakes import CALLER, CRM, JOURNAL
from stage import Stage

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, OperatorError, TransientError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_sidecar.rotation.handed_in import HandedIn
from vault_salesforce_sidecar.salesforce.interface import Verdict

FORBIDDEN = fault("INSUFFICIENT_ACCESS", Verdict.BLOCKED)
WATCH = Caller(request_id="req-2", display_name="night-watch", entity_id="ent-2", accessor="acc-2")


def test_a_rotation_that_sent_nothing_for_want_of_logins_is_forgotten():
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.script["log_in"] = deque(["lost", "lost", "lost"])
    rotations.rotate("crm", CALLER)
    assert (stage.entry["state"], stage.entry["charges"]) == ("withdrawn", 3)
    assert rotations.status("crm").state == "parked"
    rotations.unlock("crm", WATCH)
    status = rotations.status("crm")
    assert (status.state, status.reason, status.next_step) == ("ok", "", "")
    assert stage.person.changes == 0


def test_what_the_org_refused_stays_told_for_no_login_was_wanting():
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.script["change"] = deque([NEW_PASSWORD])
    rotations.rotate("crm", CALLER)
    before = rotations.status("crm")
    assert before.state == "parked"
    rotations.unlock("crm", WATCH)
    assert rotations.status("crm") == before


def test_who_unlocked_is_in_the_history_beside_the_rotation():
    stage = Stage()
    rotations = stage.enrolled()
    rotated = rotations.rotate("crm", CALLER)
    rotations.unlock("crm", WATCH)
    note, rotation, _ = rotations.history("crm")
    assert (note.cause, note.outcome, note.rotation_id) == ("unlock", "unlocked", rotated.rotation_id)
    assert (note.request_id, note.display_name, note.entity_id, note.accessor) == (
        "req-2",
        "night-watch",
        "ent-2",
        "acc-2",
    )
    assert (rotation.cause, rotation.outcome) == ("manual", "settled")
    rotations.rotate("crm", CALLER)
    watched = rotations.rotate("crm", CALLER, rotation_id=rotated.rotation_id)
    assert (watched.done, watched.version) == (True, 2)


def test_a_stuck_rotation_has_a_row_for_who_began_it_and_one_for_who_helped():
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.script["log_in"] = deque([lambda: None, "lost", "lost", "lost"])
    rotations.rotate("crm", CALLER)
    rotations.unlock("crm", WATCH)
    helped, began, _ = rotations.history("crm")
    assert began.rotation_id == helped.rotation_id
    assert (began.display_name, began.cause, began.outcome) == ("operator", "manual", "stuck")
    assert (helped.display_name, helped.cause, helped.outcome, helped.version) == (
        "night-watch",
        "unlock",
        "settled",
        2,
    )


def test_who_unlocked_a_user_whose_role_could_not_be_created_is_remembered_too():
    stage = Stage()
    rotations = stage.sidecar()
    with pytest.raises(OperatorError):
        HandedIn(rotations).enrol("crm", stage.role, SecretStr("Wrong-password-1"), None, CALLER)
    assert stage.entry["charges"] == 1
    rotations.unlock("crm", WATCH, stage.role.username)
    assert stage.entry["charges"] == 0
    assert (rotations.history("crm")[0].cause, rotations.history("crm")[0].display_name) == ("unlock", "night-watch")


def test_unlock_clears_the_charges_and_lets_a_stuck_rotation_go_on():
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.script["log_in"] = deque([lambda: None, "lost", "lost", "lost"])
    for charges in (2, 3):
        rotations.rotate("crm", CALLER)
        assert (stage.entry["state"], stage.entry["charges"]) == ("stuck", charges)
    rotations.unlock("crm", CALLER)
    assert (stage.entry["state"], stage.entry["charges"]) == ("settled", 0)
    assert stage.is_live


def test_unlock_for_a_user_who_is_not_the_roles_clears_nothing():
    stage = Stage()
    rotations = stage.enrolled()
    with pytest.raises(CallerError, match="another user's"):
        rotations.unlock("crm", CALLER, "somebody@example.com")
    rotations.unlock("crm", CALLER, CRM.upper())


def test_unlock_of_a_role_that_is_well_begins_nothing_and_of_one_in_hand_is_refused():
    stage = Stage()
    rotations = stage.enrolled()
    rotations.unlock("crm", CALLER)
    assert stage.person.logins == 0
    refusals = []

    def unlock():
        with pytest.raises(CallerError) as refused:
            rotations.unlock("crm", CALLER)
        refusals.append(refused.value.status)

    stage.org.script["change"] = deque([unlock])
    rotations.rotate("crm", CALLER)
    assert refusals == [409]


def locked_under_an_identity():
    """A role whose user is locked and has no login left, on a connection with an identity."""
    stage = Stage(admin=True)
    rotations = stage.enrolled()
    stage.connections.put("demo", replace(stage.config, auth_method="password", username="admin@acme.example"), 1)
    stage.engine_kv.newest(JOURNAL)["charges"] = 3
    stage.person.fails = stage.person.limit
    return stage, rotations


def test_an_identity_that_sees_the_lock_clears_it_before_the_charges():
    stage, rotations = locked_under_an_identity()
    stage.org.script["unlock"] = deque([lambda: charges.append(stage.entry["charges"])])
    charges = []
    assert rotations.unlock("crm", WATCH) == ()
    assert charges == [3]
    assert (stage.person.fails, stage.entry["charges"]) == (0, 0)
    assert rotations.rotate("crm", CALLER, wait=10).done


def test_an_unlock_that_salesforce_refuses_is_told_by_name_and_changes_nothing():
    stage, rotations = locked_under_an_identity()
    stage.org.script["unlock"] = deque([FORBIDDEN])
    with pytest.raises(OperatorError, match="nothing was changed: INSUFFICIENT_ACCESS") as refused:
        rotations.unlock("crm", WATCH)
    assert (refused.value.status, refused.value.code) == (424, FORBIDDEN.code)
    assert (stage.person.locked, stage.entry["charges"]) == (True, 3)
    assert [row.cause for row in rotations.history("crm")] == ["create"]


def test_an_unlock_without_an_answer_counts_nothing_anew():
    stage, rotations = locked_under_an_identity()
    stage.org.script["unlock"] = deque(["lost"])
    with pytest.raises(TransientError):
        rotations.unlock("crm", WATCH)
    assert stage.entry["charges"] == 3
    assert rotations.unlock("crm", WATCH) == ()
    assert stage.entry["charges"] == 0


def test_an_identity_that_sees_no_locks_leaves_it_to_the_operators_word():
    stage, rotations = locked_under_an_identity()
    stage.org.shows_locks = False
    (warning,) = rotations.unlock("crm", WATCH)
    assert "needs Manage Users" in warning
    assert (stage.person.locked, stage.entry["charges"]) == (True, 0)
    assert "org: unlock" not in stage.accidents.names


def test_a_user_who_is_not_locked_is_not_unlocked():
    stage, rotations = locked_under_an_identity()
    stage.person.fails = 0
    rotations.unlock("crm", WATCH)
    assert "org: unlock" not in stage.accidents.names
    assert stage.entry["charges"] == 0


def test_a_rotation_in_hand_is_refused_before_the_org_is_asked():
    stage, rotations = locked_under_an_identity()
    stage.engine_kv.newest(JOURNAL)["charges"] = stage.person.fails = 0

    def unlock():
        stage.person.fails = stage.person.limit
        with pytest.raises(CallerError) as refused:
            rotations.unlock("crm", WATCH)
        assert refused.value.status == 409

    stage.org.script["change"] = deque([unlock])
    rotations.rotate("crm", CALLER)
    assert "org: unlock" not in stage.accidents.names


def test_failed_logins_that_somebody_looked_into_are_forgiven_until_a_login_succeeds():
    stage = Stage(admin=True)
    rotations = stage.enrolled()
    stage.person.fails = 3
    rotations.unlock("crm", CALLER)
    assert stage.entry["forgiven"] == 1, "as much as one more login needs"
    assert rotations.rotate("crm", CALLER).done
    assert stage.entry["forgiven"] == 0
    stage.person.fails = 4
    logins = stage.person.logins
    assert not rotations.rotate("crm", CALLER).done
    assert (stage.person.logins, stage.person.lockouts) == (logins, 0), "four of five are somebody else's"


def test_nobody_forgives_the_failure_before_the_lock():
    stage = Stage(admin=True)
    rotations = stage.enrolled()
    stage.person.fails = 4
    with pytest.raises(CallerError) as refused:
        rotations.unlock("crm", CALLER)
    assert (refused.value.status, refused.value.code) == (409, "last_login")
    assert stage.entry["forgiven"] == 0


def test_no_rotation_unlocks_a_user_by_itself():
    stage, rotations = locked_under_an_identity()
    stage.engine_kv.newest(JOURNAL)["charges"] = 0
    rotations.rotate("crm", CALLER)
    assert stage.person.locked
    assert rotations.status("crm").next_step == "vault write -f sf/unlock/crm"
    assert "org: unlock" not in stage.accidents.names
