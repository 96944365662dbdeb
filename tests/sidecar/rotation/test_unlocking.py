"""What an unlock changes besides the count, and what it leaves behind: who did it, and why a role is well again."""

from collections import deque

import pytest
from fake_org import NEW_PASSWORD
from fakes import CALLER, CRM
from stage import Stage

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, OperatorError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_sidecar.rotation.handed_in import HandedIn

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
    rotations.rotate("crm", CALLER)
    assert (stage.entry["state"], stage.entry["charges"]) == ("stuck", 3)
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
