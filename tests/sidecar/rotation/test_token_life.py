"""How a token is, through the life of a role, for each of who needs one and who does not."""

from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import CALLER, CRM, START
from stage import Stage

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.rotation import machine
from vault_salesforce_sidecar.rotation.handed_in import HandedIn
from vault_salesforce_sidecar.rotation.journal import fresh
from vault_salesforce_sidecar.rotation.roster import FIRST_TOKEN
from vault_salesforce_sidecar.rotation.token_life import life_of


def run_out(stage, rotations, seconds):
    for _ in range(seconds):
        rotations.tick()
        stage.clock.seconds += 1


def token_of(rotations):
    status = rotations.status("crm")
    return status.token_state, status.token_since, status.token_reason


TRUSTED, UNTRUSTED = "trusted", "untrusted"


@pytest.mark.parametrize(
    ("sidecar", "source", "created", "asked", "rotated"),
    [
        pytest.param(TRUSTED, "none", "not_required", None, "not_required", id="nobody needs one"),
        pytest.param(
            TRUSTED, "mailbox", "unproven", "no login from it proves", "unproven", id="consumers alone, by mail"
        ),
        pytest.param(
            TRUSTED, "manual", "unproven", "no login from it proves", "unproven", id="consumers alone, by hand"
        ),
        pytest.param(UNTRUSTED, "none", "fresh", "own logins need", "stale", id="the sidecar alone"),
        pytest.param(UNTRUSTED, "mailbox", "fresh", "no mail", "fresh", id="both, by mail"),
        pytest.param(UNTRUSTED, "manual", "fresh", "handed in", "stale", id="both, by hand"),
    ],
)
def test_whoever_needs_a_token_a_rotation_says_beforehand_what_becomes_of_it(sidecar, source, created, asked, rotated):
    stage = Stage(token_from=source, untrusted=sidecar == UNTRUSTED)
    stage.connections.put("demo", replace(stage.config, sidecar_address=sidecar), 1)
    rotations = stage.sidecar()
    token = SecretStr(stage.person.token) if sidecar == UNTRUSTED else None
    HandedIn(rotations).enrol("crm", stage.role, SecretStr(stage.person.password), token, CALLER)
    assert token_of(rotations)[0] == created
    changes = stage.person.changes
    if asked is not None:
        with pytest.raises(CallerError, match=asked) as error:
            rotations.rotate("crm", CALLER)
        assert error.value.code == "allow_security_token_wait"
        assert stage.person.changes == changes
    stage.clock.seconds = 100
    rotations.rotate("crm", CALLER, wait=10, allow_security_token_wait=asked is not None)
    assert stage.person.changes == changes + 1
    state, since, reason = token_of(rotations)
    assert (state, since) == (rotated, START + timedelta(seconds=100))
    assert reason.endswith(".")
    if rotated == "stale":
        HandedIn(rotations).security_token("crm", SecretStr(stage.person.token), CALLER, 10)
        assert token_of(rotations)[0] == "fresh"
        assert "handed in" in token_of(rotations)[2]
    if sidecar == UNTRUSTED:
        assert stage.is_live
    else:
        assert stage.published["security_token"] == ""
    assert stage.person.fails == 0


def test_a_token_that_came_by_mail_is_fresh_from_the_login_that_proved_it():
    stage = Stage(token_from="mailbox", untrusted=True)
    rotations = stage.enrolled()
    assert token_of(rotations) == (
        "fresh",
        START,
        "It was given when the role was created, and a login proved it.",
    )
    stage.clock.seconds = 50
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    assert token_of(rotations) == ("fresh", START + timedelta(seconds=50), "It came by mail, and a login proved it.")


def test_an_old_token_that_still_works_survived():
    stage = Stage(token_from="mailbox", untrusted=True)
    stage.person.mails = False
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    assert token_of(rotations)[0] == "stale"
    stage.person.token = stage.published["security_token"]
    run_out(stage, rotations, 620)
    state, since, reason = token_of(rotations)
    assert state == "survived"
    assert since >= START + timedelta(minutes=10)
    assert "still works" in reason
    restarted = stage.sidecar()
    assert token_of(restarted) == (state, since, reason)


def test_a_late_mail_after_the_old_token_survived_makes_it_fresh_again():
    stage = Stage(token_from="mailbox", untrusted=True)
    stage.person.mails = False
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    stage.person.token = stage.published["security_token"]
    run_out(stage, rotations, 620)
    stage.org.reset_token(CRM)
    run_out(stage, rotations, 40)
    assert token_of(rotations)[0] == "fresh"
    assert (stage.is_live, stage.published["version"]) == (True, 3)


ROLE = StaticRole(config="demo", username=CRM, security_token_from="manual")
PUBLISHED = replace(fresh(CRM, "crm"), state="settled", published_version=1, last_rotation=START, since=START)
TOKEN = SecretStr("hidden")
SURVIVED = {"token_state": "survived", "token_since": START, "token_reason": "It works."}


@pytest.mark.parametrize(
    ("changes", "trusted", "state"),
    [
        ({}, False, "unproven"),
        ({"evidence": "record"}, False, "unknown"),
        ({"current_token": TOKEN}, False, "fresh"),
        ({"current_token": TOKEN}, True, "fresh"),
        ({"current_token": TOKEN} | SURVIVED, True, "survived"),
        ({"published_version": 0}, False, "unknown"),
        ({"published_version": 0, "reason": FIRST_TOKEN}, False, "unknown"),
        ({"current_token": TOKEN, "state": "stuck", "reason": machine.CHANGED_OUTSIDE}, False, "stale"),
        ({"current_token": TOKEN, "state": "awaiting_token", "reason": machine.TOKEN_REFUSED}, False, "stale"),
        ({"current_token": TOKEN, "candidate_password": TOKEN, "fate": "done", "state": "proving"}, False, "stale"),
        ({"current_token": TOKEN, "candidate_password": TOKEN, "fate": "unknown", "state": "stuck"}, False, "unknown"),
        ({"current_token": TOKEN, "candidate_password": TOKEN, "fate": "unsent", "state": "checking"}, False, "fresh"),
        ({"current_token": TOKEN, "candidate_password": TOKEN, "fate": "refused", "state": "stuck"}, False, "fresh"),
    ],
)
def test_each_entry_tells_how_its_token_is(changes, trusted, state):
    life = life_of(replace(PUBLISHED, **changes), ROLE, trusted=trusted)
    assert life.state == state
    assert life.reason.endswith(".")
    assert life.since == START
    assert "hidden" not in repr(life)
