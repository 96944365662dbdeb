"""What a role's status says, state by state: one next step, and no secret."""

from dataclasses import replace

import pytest
from fakes import START

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import machine
from vault_salesforce_sidecar.rotation.foreign import KvFault
from vault_salesforce_sidecar.rotation.machine import State
from vault_salesforce_sidecar.rotation.roster import FIRST_TOKEN
from vault_salesforce_sidecar.rotation.views import RESET_PAGE, Outlook, RotationView, status_of

ROLE = StaticRole(config="demo", username="a@acme.example")
ENTRY = JournalEntry(
    username="a@acme.example",
    role="crm",
    state="settled",
    published_version=3,
    current_password=SecretStr("hidden"),
    candidate_password=SecretStr("hidden"),
)
MANUAL = replace(ROLE, security_token_from="manual")
OUTLOOK = Outlook("crm", ROLE, trusted=False, next_rotation=None, gate=None, now=START, mount="sf")
ROTATE, UNLOCK = "vault write -f sf/rotate/crm", "vault write -f sf/unlock/crm"


@pytest.mark.parametrize(
    ("entry", "state", "next_step"),
    [
        ({}, "ok", ""),
        ({"state": "checking"}, "rotating", "vault read sf/status/crm"),
        ({"state": "publishing"}, "rotating", "vault read sf/status/crm"),
        ({"state": "withdrawn", "reason": machine.CHANGE_REFUSED}, "parked", ROTATE),
        ({"state": "withdrawn", "reason": machine.NO_ATTEMPTS, "charges": 3}, "parked", UNLOCK),
        ({"state": "withdrawn", "reason": machine.GIVEN_REFUSED}, "ok", ""),
        ({"state": "stuck", "reason": machine.NEITHER, "charges": 2}, "stuck", ROTATE),
        ({"state": "stuck", "reason": machine.NO_ATTEMPTS, "charges": 3}, "stuck", UNLOCK),
        ({"state": "stuck", "reason": machine.FOREIGN_VERSION}, "stuck", ROTATE),
        ({"state": "stuck", "reason": machine.CHANGED_OUTSIDE}, "drifted", "vault write sf/resync/crm password=-"),
        (
            {"state": "awaiting_token", "reason": machine.TOKEN_MISSING},
            "awaiting",
            "vault write sf/security-token/crm security_token=-",
        ),
        ({"state": "withdrawn", "reason": FIRST_TOKEN, "published_version": 0}, "awaiting", RESET_PAGE),
        ({"published_version": 0}, "unpublished", "vault write sf/resync/crm password=-"),
        ({"published_version": 0, "fault_code": "password_expired"}, "due", ROTATE),
        ({"published_version": 0, "fault_code": "password_expired", "charges": 3}, "due", UNLOCK),
        ({"state": "awaiting_token", "reason": machine.TOKEN_MISSING, "charges": 3}, "awaiting", UNLOCK),
        ({"state": "withdrawn", "reason": FIRST_TOKEN, "published_version": 0, "charges": 3}, "awaiting", UNLOCK),
        ({"state": "deleted"}, "parked", "vault delete sf/static-roles/crm"),
    ],
)
def test_each_state_has_one_next_step(entry, state, next_step):
    status = status_of(replace(ENTRY, **entry), OUTLOOK)
    assert (status.state, status.next_step) == (state, next_step)


@pytest.mark.parametrize(("charges", "next_step"), [(1, ROTATE), (3, UNLOCK)])
def test_a_mailed_token_that_was_refused_may_be_right_all_the_same(charges, next_step):
    """A user who was locked at that moment is refused with everything."""
    outlook = replace(OUTLOOK, role=replace(ROLE, security_token_from="mailbox"))
    entry = replace(ENTRY, state="awaiting_token", reason=machine.TOKEN_REFUSED, charges=charges)
    assert status_of(entry, outlook).next_step == next_step


def test_a_new_password_that_was_accepted_is_not_said_to_have_been_tried_beside_the_old_one():
    stuck = replace(ENTRY, state="stuck", reason=machine.NEITHER, fate="done", refused=("candidate", "current"))
    accepted = status_of(stuck, OUTLOOK).reason
    assert accepted.startswith("Salesforce took the new password, which does not log in")
    tried = status_of(replace(stuck, fate="unknown"), OUTLOOK).reason
    assert tried.startswith("Neither the old nor the new password logs in")


@pytest.mark.parametrize(
    ("entry", "role", "told"),
    [
        ({"state": "stuck", "reason": machine.NEITHER, "charges": 3}, {}, "In Setup, Users, see that it is not locked"),
        ({"state": "stuck", "reason": machine.NEITHER, "charges": 3}, {"verify": "record"}, ""),
        (
            {"state": "stuck", "reason": machine.CURRENT_REFUSED},
            {},
            "now instead: vault write sf/resync/crm password=-",
        ),
        ({"state": "stuck", "reason": machine.CURRENT_REFUSED}, {"self_managed": False}, ""),
        (
            {"state": "awaiting_token", "reason": machine.TOKEN_MISSING},
            {"security_token_from": "manual"},
            "mails it to the user's address; hand it in. Where none comes: as that user",
        ),
        (
            {"state": "awaiting_token", "reason": machine.TOKEN_MISSING},
            {"security_token_from": "mailbox"},
            "taken from the mailbox by itself; or hand it in. Where none comes: as that user",
        ),
    ],
)
def test_what_a_person_has_to_see_to_in_salesforce_is_said_before_the_next_step(entry, role, told):
    status = status_of(replace(ENTRY, **entry), replace(OUTLOOK, role=replace(ROLE, **role)))
    assert (told.lower() in status.reason.lower()) if told else ("Setup" not in status.reason), status.reason


def test_what_is_wrong_in_kv_is_said_of_a_role_at_rest_and_of_none_that_is_stuck_already():
    outlook = replace(OUTLOOK, kv_fault=KvFault("KV is wrong.", "mend it"))
    told = status_of(ENTRY, outlook)
    assert (told.state, told.reason, told.next_step) == ("stuck", "KV is wrong.", "mend it")
    assert status_of(replace(ENTRY, state="stuck", reason=machine.NEITHER), outlook).next_step == ROTATE
    assert status_of(replace(ENTRY, state="checking"), outlook).state == "rotating"


def test_a_role_that_is_due_says_so_and_one_that_may_not_begin_names_the_field():
    due = replace(OUTLOOK, next_rotation=START)
    begins = status_of(ENTRY, due)
    assert (begins.state, begins.next_step) == ("due", "")
    assert "begins by itself" in begins.reason
    parked = status_of(ENTRY, replace(due, gate="no mail has been seen"))
    assert parked.state == "parked"
    assert parked.next_step == "vault write sf/rotate/crm allow_security_token_wait=true"


def test_every_resting_state_that_is_not_well_gives_a_reason():
    for state in (State.STUCK, State.WITHDRAWN, State.AWAITING_TOKEN):
        for reason in (machine.NEITHER, machine.TOKEN_REFUSED, machine.DOOR_SHUT, machine.OUT_OF_TRIES):
            assert status_of(replace(ENTRY, state=state.value, reason=reason), OUTLOOK).reason.endswith(".")


def test_the_token_is_told_with_its_time_and_its_cause():
    status = status_of(replace(ENTRY, current_token=SecretStr("t")), replace(OUTLOOK, role=MANUAL))
    assert (status.token_state, status.token_since) == ("fresh", ENTRY.last_rotation)
    assert status.token_reason


def test_a_mailbox_that_cannot_be_read_is_told_where_its_mail_is_waited_for():
    entry = replace(ENTRY, state="awaiting_token", reason=machine.TOKEN_MISSING)
    outlook = replace(OUTLOOK, mailbox_fault="mail.example does not answer in time")
    assert "mail.example does not answer in time." in status_of(entry, outlook).reason
    assert "mail.example" not in status_of(ENTRY, outlook).reason


def test_no_status_holds_a_secret():
    assert "hidden" not in repr(status_of(ENTRY, OUTLOOK))


def test_a_view_answers_with_its_warning_beside_the_data():
    view = RotationView("crm", "r1", "rotating", False, 2, "salesforce/creds/crm", START, True, "watch it")
    response = view.to_response()
    assert response.data == {
        "role": "crm",
        "rotation_id": "r1",
        "state": "rotating",
        "done": False,
        "version": 2,
        "kv_path": "salesforce/creds/crm",
        "last_vault_rotation": "2030-01-01T00:00:00Z",
        "joined": True,
    }
    assert response.warnings == ("watch it",)


@pytest.mark.parametrize(("candidate", "next_step"), [(None, f"{ROTATE[:12]}{ROTATE[15:]}"), (SecretStr("c"), ROTATE)])
def test_a_next_step_asks_for_what_the_request_will_demand(candidate, next_step):
    """A new rotation needs consent where a token may be missing; a new round of one that had it does not."""
    outlook = replace(OUTLOOK, gate="its new security token has to be handed in")
    state = "withdrawn" if candidate is None else "stuck"
    entry = replace(ENTRY, state=state, reason=machine.DOOR_SHUT, candidate_password=candidate)
    consent = " allow_security_token_wait=true" if candidate is None else ""
    assert status_of(entry, outlook).next_step == next_step + consent
