"""Another org behind a connection: nothing is changed there, and nothing of it is published."""

from collections import deque
from dataclasses import replace

import pytest
from fakes import CALLER
from stage import Stage

from vault_plugin_sdk.logical.errors import OperatorError
from vault_salesforce_sidecar.rotation.handed_in import HandedIn

HERE, ELSEWHERE = "00D000000000001AAA", "00D000000000002AAA"


def refreshed(stage, organization_id=ELSEWHERE, is_sandbox=None):
    """The org is another one from now on."""
    log_in, admin_session = stage.org.log_in, stage.org.admin_session

    def moved(session):
        return session and replace(session, organization_id=organization_id, is_sandbox=is_sandbox)

    stage.org.log_in = lambda *given: moved(log_in(*given))
    stage.org.admin_session = lambda: moved(admin_session())


def test_the_first_login_of_a_connection_tells_which_org_it_is():
    stage = Stage()
    stage.enrolled()
    assert stage.engine_kv.newest("config-state/demo")["organization_id"] == HERE


@pytest.mark.parametrize("self_managed", [True, False])
def test_a_refreshed_sandbox_parks_its_roles_before_anything_is_changed(self_managed):
    stage = Stage(self_managed=self_managed)
    rotations = stage.enrolled()
    refreshed(stage)
    view = rotations.rotate("crm", CALLER)
    assert view.refusal.code == "another_org"
    assert stage.person.changes == 0
    assert stage.entry["state"] == "withdrawn"
    held = stage.engine_kv.newest("hold/demo")
    assert (held["cause"], held["organization_id"]) == ("another_org", ELSEWHERE)
    status = rotations.status("crm")
    assert (status.state, status.next_step) == ("held", f"vault write sf/config/demo organization_id={ELSEWHERE}")
    assert stage.published["version"] == 1


def test_a_flag_that_changed_is_another_org_too():
    stage = Stage()
    refreshed(stage, HERE, is_sandbox=False)
    rotations = stage.enrolled()
    refreshed(stage, HERE, is_sandbox=True)
    assert rotations.rotate("crm", CALLER).refusal.code == "another_org"
    assert "a sandbox" in rotations.holds.on("demo").hold.reason


def test_a_flag_that_is_told_for_the_first_time_is_noted():
    stage = Stage()
    rotations = stage.enrolled()
    refreshed(stage, HERE, is_sandbox=True)
    assert rotations.rotate("crm", CALLER).done
    assert stage.engine_kv.newest("config-state/demo")["is_sandbox"] is True


def test_releasing_the_hold_does_not_accept_the_org():
    stage = Stage()
    rotations = stage.enrolled()
    refreshed(stage)
    rotations.rotate("crm", CALLER)
    rotations.holds.release("demo", CALLER)
    assert rotations.rotate("crm", CALLER).refusal.code == "another_org"
    assert rotations.holds.on("demo") is not None
    assert stage.person.changes == 0


def test_an_org_that_was_accepted_is_the_connections_own_for_every_sidecar():
    stage = Stage()
    rotations, other = stage.enrolled(), stage.sidecar("two")
    assert other.rotate("crm", CALLER).done
    refreshed(stage)
    rotations.rotate("crm", CALLER)
    rotations.organizations.accept("demo", ELSEWHERE)
    rotations.holds.release("demo", CALLER)
    assert other.rotate("crm", CALLER).done
    assert stage.published["organization_id"] == ELSEWHERE


def test_a_connection_that_names_its_org_takes_no_other_from_the_first_login_on():
    stage = Stage()
    stage.connections.put("demo", replace(stage.config, organization_id=ELSEWHERE), 1)
    with pytest.raises(OperatorError, match="is 00D000000000001AAA"):
        stage.enrolled()
    assert stage.roles.get("crm") is None


def test_nothing_of_another_org_is_taken_for_true():
    stage = Stage()
    rotations = stage.enrolled()
    refreshed(stage)
    with pytest.raises(OperatorError) as refused:
        HandedIn(rotations).resync("crm", CALLER, password=None, security_token=None, try_="published", wait=5)
    assert refused.value.code == "another_org"
    assert stage.published["version"] == 1


def test_a_change_that_was_sent_is_not_proven_by_another_org():
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.script["change"] = deque([lambda: refreshed(stage)])
    rotations.rotate("crm", CALLER)
    assert (stage.entry["state"], stage.entry["fault_code"]) == ("stuck", "another_org")
    assert stage.entry["candidate_password"] == stage.person.password, "every secret is kept"
    assert stage.published["version"] == 1


def test_the_look_for_drift_finds_it_too_with_no_login():
    stage = Stage(self_managed=False)
    rotations = stage.enrolled()
    refreshed(stage)
    logins = stage.person.logins
    for _ in range(4):
        stage.clock.seconds += 300
        rotations.tick()
    assert rotations.status("crm").state == "held"
    assert stage.person.logins == logins


def test_a_session_that_was_kept_since_before_pulls_no_brake():
    stage = Stage(self_managed=False)
    rotations = stage.enrolled()
    rotations.organizations.accept("demo", ELSEWHERE)
    refreshed(stage)
    kept = [replace(stage.org.admin, organization_id=HERE)]
    new = stage.org.admin_session
    stage.org.admin_session = lambda: kept[0] if kept else new()
    stage.org.forget_admin_session = kept.remove
    assert rotations.rotate("crm", CALLER).done
    assert rotations.holds.get("demo") is None


def test_a_stranger_who_is_known_costs_no_further_login_of_the_administrator():
    stage = Stage(self_managed=False)
    rotations = stage.enrolled()
    refreshed(stage)
    rotations.rotate("crm", CALLER)
    sessions = len(stage.org.sessions)
    for _ in range(6):
        stage.clock.seconds += 300
        rotations.tick()
    assert len(stage.org.sessions) == sessions


def test_a_connection_that_is_gone_is_forgotten():
    stage = Stage()
    rotations = stage.enrolled()
    rotations.organizations.forget("demo")
    refreshed(stage)
    assert rotations.rotate("crm", CALLER).done
