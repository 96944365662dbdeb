"""Who may set a password, and whose sessions end after it."""

from collections import deque
from dataclasses import replace

import pytest
from fake_org import fault
from fakes import CALLER, CRM
from stage import Stage

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import OperatorError
from vault_salesforce_sidecar.rotation.handed_in import HandedIn
from vault_salesforce_sidecar.salesforce.interface import Verdict

FORBIDDEN = fault("INSUFFICIENT_ACCESS", Verdict.BLOCKED)


def allow(stage, *globs):
    known = stage.connections.get("demo")
    stage.connections.put("demo", replace(known.record, admin_may_rotate=globs), known.version)


def rotate(rotations, **settings):
    return rotations.rotate("crm", CALLER, wait=10, **settings)


def consumer(stage):
    """A session of the user's that somebody else has; whether it still lives."""
    session = stage.org.log_in(CRM, SecretStr(stage.person.password), None)
    return lambda: session.id.reveal() in stage.org.sessions


@pytest.mark.parametrize("right", ["PermissionsModifyAllData", "PermissionsManageUsers", "PermissionsAuthorApex"])
def test_a_privileged_user_whom_a_glob_names_is_refused_at_creation(right):
    stage = Stage(self_managed=False)
    stage.person.rights = {right}
    with pytest.raises(OperatorError) as refused:
        HandedIn(stage.sidecar()).enrol("crm", stage.role, SecretStr("Old-password-1"), None, CALLER)
    assert refused.value.code == "user_privileged"
    assert "without a glob" in refused.value.remedy
    assert stage.roles.get("crm") is None


@pytest.mark.parametrize("shown", [True, False])
def test_a_user_who_became_privileged_or_unseen_is_not_changed_until_named(shown):
    stage = Stage(self_managed=False)
    rotations = stage.enrolled()
    stage.person.rights = {"PermissionsManageUsers"}
    stage.org.shows_rights = shown
    view = rotate(rotations)
    assert view.refusal.code == ("user_privileged" if shown else "rights_not_visible")
    assert (stage.person.changes, stage.entry["state"]) == (0, "withdrawn")
    assert stage.entry["reason"] == "the door is shut", "seen before anything was sent"
    allow(stage, "*@acme.example", CRM.upper())
    assert rotate(rotations).done
    assert stage.is_live


def test_a_user_who_becomes_privileged_meanwhile_is_not_changed_by_what_was_seen_before():
    stage = Stage(self_managed=False)
    rotations = stage.enrolled()

    def a_minute_later():
        stage.clock.seconds += 61
        stage.person.rights = {"PermissionsManageUsers"}

    stage.org.script = {
        "change": deque(["lost", lambda: pytest.fail("it was sent")]),
        "find_user": deque([lambda: None, a_minute_later]),
    }
    assert not rotate(rotations).done
    assert stage.person.changes == 0


@pytest.mark.parametrize("kind", [{"by_app": True}, {"self_managed": False}], ids=["app", "managed"])
@pytest.mark.parametrize(
    ("permission", "code"),
    [("PermissionsTwoFactorApi", "mfa_for_api_logins"), ("PermissionsIsSsoEnabled", "single_sign_on_only")],
)
def test_a_user_whom_no_password_lets_in_keeps_the_one_there_is(kind, permission, code):
    stage = Stage(**kind)
    rotations = stage.enrolled()
    stage.person.rights = {permission}
    assert not rotate(rotations).done
    assert (stage.entry["state"], stage.entry["fault_code"]) == ("withdrawn", code)
    assert (stage.person.changes, stage.person.logins) == (0, 0)


def test_rights_are_looked_at_once_per_rotation():
    stage = Stage(self_managed=False)
    rotations = stage.enrolled()
    asked = []
    real = stage.org.query
    stage.org.query = lambda session, soql: asked.append(soql) or real(session, soql)
    rotate(rotations)
    assert len(asked) == 1
    allow(stage, CRM)
    rotate(rotations)
    assert len(asked) == 2


@pytest.mark.parametrize(
    "kind", [{}, {"by_app": True}, {"admin": True}, {"self_managed": False}], ids=["own", "app", "admin", "managed"]
)
def test_a_leaked_password_takes_its_sessions_with_it(kind):
    stage = Stage(**kind)
    if kind == {"admin": True}:
        stage.connections.put("demo", replace(stage.config, auth_method="password", username="admin@acme.example"), 1)
    rotations = stage.enrolled()
    lives = consumer(stage)
    rotate(rotations)
    assert lives(), "sessions go on unless it is said that they end"
    assert rotate(rotations, end_sessions=True).done
    assert not lives()
    assert stage.is_live
    assert rotations.history("crm")[0].sessions.endswith(" ended")
    assert (rotations.status("crm").reason, stage.entry.get("owed", [])) == ("", [])
    assert rotate(rotations).done
    assert rotations.history("crm")[0].sessions == "", "it was asked for once"


def test_a_role_that_ends_sessions_does_so_after_each_rotation_and_only_then():
    stage = Stage(by_app=True, end_sessions=True)
    rotations = stage.enrolled()
    lives = consumer(stage)
    assert lives(), "creating the role ends none"
    seen = []
    stage.org.script = {"end_sessions": deque([lambda: seen.append(dict(stage.published))])}
    rotate(rotations)
    assert not lives()
    assert seen[0]["password"] == stage.person.password, "published before anybody is sent away"


def test_an_end_that_nobody_may_make_is_told_and_undoes_nothing():
    stage = Stage(by_app=True)
    rotations = stage.enrolled()
    lives = consumer(stage)
    stage.org.script = {"end_sessions": deque([FORBIDDEN])}
    assert rotate(rotations, end_sessions=True).done
    assert stage.is_live
    assert lives()
    status = rotations.status("crm")
    assert status.state == "ok"
    assert "INSUFFICIENT_ACCESS is the cause" in status.reason
    assert "Session Management" in status.next_step
    assert rotations.history("crm")[0].sessions.startswith("not ended: ")
    rotate(rotations)
    assert rotations.status("crm").reason == ""


def test_an_end_whose_answer_is_lost_is_owed_until_it_is_done():
    stage = Stage(by_app=True)
    rotations = stage.enrolled()
    lives = consumer(stage)
    stage.org.script = {"end_sessions": deque(["lost"])}
    assert rotate(rotations, end_sessions=True).done
    assert lives()
    assert "still to be ended" in rotations.status("crm").reason
    for _ in range(20):
        stage.clock.seconds += 1
        rotations.tick()
    assert not lives()
    assert rotations.status("crm").reason == ""


def test_who_asks_while_a_rotation_is_under_way_or_after_it_has_the_sessions_ended_too():
    stage = Stage(by_app=True)
    rotations = stage.enrolled()
    lives = consumer(stage)
    joined = []
    stage.org.script = {"change": deque([lambda: joined.append(rotations.rotate("crm", CALLER, end_sessions=True))])}
    assert rotate(rotations).done
    assert joined[0].joined
    assert not lives()
    lives = consumer(stage)
    again = rotate(rotations, expected_version=1, end_sessions=True)
    assert (again.joined, stage.person.changes) == (True, 1)
    assert not lives()


def test_a_rotation_queued_behind_another_ends_them_after_the_second_one():
    stage = Stage(by_app=True)
    rotations = stage.enrolled()
    ends = []
    stage.org.script = {
        "change": deque([lambda: rotations.rotate("crm", CALLER, force=True, end_sessions=True)]),
        "end_sessions": deque([lambda: ends.append(stage.person.changes)] * 3),
    }
    rotate(rotations)
    assert stage.person.changes == 2
    assert ends[-1] == 2
