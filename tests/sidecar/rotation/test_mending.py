"""An administrator's repair of a stuck role: by a new password, or by way of a temporary one."""

from collections import deque
from dataclasses import replace

import pytest
from fake_org import DEAD_SESSION, INVALID_LOGIN, NEW_PASSWORD, fault
from fakes import CALLER, CRM, Killed
from stage import Stage

from vault_plugin_sdk.logical.errors import CallerError, OperatorError, TransientError
from vault_salesforce_sidecar.rotation.mending import Mending
from vault_salesforce_sidecar.salesforce.interface import Verdict

FORBIDDEN = fault("INSUFFICIENT_ACCESS", Verdict.BLOCKED)


def stuck(**settings):
    """A role whose user changed the password by hand."""
    stage = Stage(admin=True, **settings)
    rotations = stage.enrolled()
    stage.connections.put("demo", replace(stage.config, auth_method="password", username="admin@acme.example"), 1)
    allow(stage, "*@acme.example")
    stage.org.change_by_hand(CRM, "By-hand-1")
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    assert stage.entry["state"] == "stuck"
    stage.person.logins = stage.person.changes = 0
    return stage, rotations


def allow(stage, *globs):
    known = stage.connections.get("demo")
    stage.connections.put("demo", replace(known.record, admin_may_rotate=globs), known.version)


def mend(rotations, how):
    return Mending(rotations).mend("crm", CALLER, how, 10)


def script(stage, **steps):
    stage.org.script = {operation: deque(what) for operation, what in steps.items()}


@pytest.mark.parametrize(("how", "changes"), [("set", 1), ("reset", 2)])
@pytest.mark.parametrize("by_app", [False, True])
def test_a_stuck_role_has_a_new_password_that_is_proven_and_published(how, changes, by_app):
    stage, rotations = stuck(by_app=by_app)
    assert mend(rotations, how).done
    assert stage.is_live
    assert stage.person.changes == changes
    assert stage.person.logins <= 2
    row = rotations.history("crm")[0]
    assert (row.cause, row.way, row.evidence, row.outcome) == (
        "resync",
        f"admin_{how}",
        "login",
        "settled",
    )
    assert rotations.rotate("crm", CALLER, wait=10).done, "the user changes their own again"
    assert rotations.history("crm")[0].way == ("own_app" if by_app else "own_password")


def test_the_status_of_such_a_role_names_the_repair():
    _, rotations = stuck()
    assert rotations.status("crm").next_step == "vault write sf/resync/crm try=set"


def test_the_new_password_is_written_down_before_it_is_sent_and_the_earlier_ones_are_kept():
    stage, rotations = stuck()
    before, seen = dict(stage.entry), []
    script(stage, change=[lambda: seen.append(dict(stage.entry))])
    mend(rotations, "set")
    assert seen[0]["candidate_password"] == stage.person.password
    assert {before["current_password"], before["candidate_password"]} <= {
        seen[0]["current_password"],
        *(one["password"] for one in seen[0]["kept"]),
    }


def test_a_user_who_needs_a_token_gets_one_by_mail_after_the_repair():
    stage, rotations = stuck(token_from="mailbox", untrusted=True)
    assert mend(rotations, "set").done
    assert stage.is_live
    assert stage.published["security_token"] == stage.person.token


def test_a_temporary_password_is_not_made_for_a_user_who_needs_a_token():
    stage, rotations = stuck(token_from="mailbox", untrusted=True)
    with pytest.raises(CallerError) as refused:
        mend(rotations, "reset")
    assert (refused.value.status, refused.value.remedy) == (409, "vault write sf/resync/crm try=set")
    assert stage.person.changes == 0


@pytest.mark.parametrize("how", ["set", "reset"])
def test_only_a_stuck_role_is_repaired(how):
    stage = Stage(admin=True, self_managed=False)
    rotations = stage.enrolled()
    with pytest.raises(CallerError, match="is for one that is stuck") as refused:
        mend(rotations, how)
    assert refused.value.status == 409
    assert stage.person.changes == 0


def test_a_user_whom_the_connection_does_not_name_is_not_repaired():
    stage, rotations = stuck()
    allow(stage, "somebody@acme.example")
    with pytest.raises(CallerError, match="may not set the password") as refused:
        mend(rotations, "set")
    assert (refused.value.status, stage.person.changes) == (409, 0)


def test_without_an_identity_the_way_by_hand_is_told():
    stage = Stage()
    rotations = stage.enrolled()
    with pytest.raises(CallerError) as refused:
        mend(rotations, "set")
    assert (refused.value.code, refused.value.remedy) == (
        "no_identity",
        "set the password in Salesforce, and then: vault write sf/resync/crm password=-",
    )


def test_a_privileged_user_is_repaired_only_when_named():
    stage, rotations = stuck()
    stage.person.rights = {"PermissionsAuthorApex"}
    with pytest.raises(OperatorError, match="Author Apex"):
        mend(rotations, "set")
    assert stage.person.changes == 0
    allow(stage, CRM)
    assert mend(rotations, "set").done


def test_a_user_who_became_privileged_since_the_repair_began_is_not_reset():
    stage, rotations = stuck()
    stage.org.script["find_user"] = deque(
        [lambda: None, lambda: setattr(stage.person, "rights", {"PermissionsAuthorApex"})]
    )
    with pytest.raises(OperatorError, match="Author Apex"):
        mend(rotations, "reset")
    assert (stage.person.changes, stage.person.resets) == (0, 0)


def test_a_locked_user_is_unlocked_first_unless_the_reset_does_it():
    stage, rotations = stuck()
    stage.person.fails = stage.person.limit
    with pytest.raises(OperatorError) as refused:
        mend(rotations, "set")
    assert refused.value.remedy == "vault write -f sf/unlock/crm"
    assert mend(rotations, "reset").done
    assert stage.is_live


@pytest.mark.parametrize("answers", [["then lost"], ["lost"], ["then lost", "then lost"]])
def test_a_reset_whose_answer_is_lost_is_made_again(answers):
    stage, rotations = stuck()
    script(stage, reset=answers)
    assert mend(rotations, "reset").done
    assert stage.is_live
    assert stage.person.fails == 0


def test_a_reset_that_never_answers_leaves_it_stuck_and_asked_again_ends_it():
    stage, rotations = stuck()
    script(stage, reset=["then lost"] * 3)
    assert not mend(rotations, "reset").done
    assert (stage.entry["state"], stage.entry["resets"]) == ("stuck", True)
    status = rotations.status("crm")
    assert "nobody knows the password until it is repeated" in status.reason
    assert status.next_step == "vault write sf/resync/crm try=reset"
    assert mend(rotations, "reset").done
    assert stage.is_live


@pytest.mark.parametrize("refusal", [NEW_PASSWORD, FORBIDDEN])
def test_what_the_org_refuses_the_administrator_leaves_it_stuck_with_everything_kept(refusal):
    stage, rotations = stuck()
    before = stage.entry["candidate_password"]
    script(stage, change=[refusal])
    view = mend(rotations, "set")
    assert (view.done, stage.entry["state"]) == (False, "stuck")
    assert before in {one["password"] for one in stage.entry["kept"]}
    assert rotations.status("crm").reason.startswith("Salesforce refused the administrator's new password")
    assert mend(rotations, "set").done


def test_a_reset_that_is_refused_is_told_by_name():
    stage, rotations = stuck()
    script(stage, reset=[FORBIDDEN])
    with pytest.raises(OperatorError) as refused:
        mend(rotations, "reset")
    assert refused.value.code == FORBIDDEN.code
    assert stage.entry["state"] == "stuck"


def test_an_administrators_session_that_ended_is_opened_anew():
    stage, rotations = stuck()
    script(stage, change=[DEAD_SESSION])
    assert mend(rotations, "set").done


def test_the_proof_of_a_repair_needs_an_attempt():
    stage, rotations = stuck()
    stage.org.shows_locks = False
    script(stage, log_in=[INVALID_LOGIN] * 2)
    for _ in range(2):
        rotations.rotate("crm", CALLER)
    with pytest.raises(TransientError) as refused:
        mend(rotations, "set")
    assert (refused.value.status, stage.person.changes) == (429, 0)


@pytest.mark.parametrize("how", ["set", "reset"])
def test_a_process_that_dies_anywhere_in_a_repair_loses_nothing(how):
    for after in (False, True):
        for at in range(1, 45):
            stage, rotations = stuck()
            stage.accidents.calls = 0
            stage.accidents.kill_at, stage.accidents.after = at, after
            try:
                mend(rotations, how)
            except Killed:
                stage.accidents.kill_at = None
                rotations = stage.sidecar()
                for _ in range(40):
                    rotations.tick()
                    stage.clock.seconds += 1
                if stage.entry["state"] == "stuck":
                    mend(rotations, how)
            stage.accidents.kill_at = None
            assert stage.entry["state"] == "settled", (at, after)
            assert stage.is_live, (at, after)
            assert stage.person.lockouts == 0, (at, after)
