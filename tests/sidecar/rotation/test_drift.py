"""What the org tells of many users with one query, at no login."""

from collections import deque
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from fake_org import API_OFF, DEAD_SESSION, fault
from fakes import CALLER, CRM
from stage import Stage

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.rotation.drift import (
    APART_SECONDS,
    MOST_CHARACTERS,
    MOST_USERS,
    ROUND_SECONDS,
    ask,
    query,
)
from vault_salesforce_sidecar.rotation.handed_in import HandedIn


def looked_at(**settings):
    """A role on a connection with an identity that may look, rotated once."""
    stage = Stage()
    stage.org.become_admin()
    config = replace(stage.config, auth_method="password", username="admin@acme.example")
    stage.connections.put("demo", config, 1)
    stage.role = replace(stage.role, **({"rotation_period": None} | settings))
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER)
    return stage, rotations


def enrol(stage, rotations, number):
    username = f"user{number}@acme.example"
    stage.org.add(username, f"Old-password-{number}", untrusted=False)
    role = replace(stage.role, username=username)
    HandedIn(rotations).enrol(f"role{number}", role, SecretStr(f"Old-password-{number}"), None, CALLER)


def pass_time(stage, *sidecars, seconds):
    for _ in range(seconds):
        for rotations in sidecars:
            rotations.tick()
        stage.clock.seconds += 1


def test_a_password_that_nobody_changed_is_not_drifted_and_costs_one_query_per_round():
    stage, rotations = looked_at()
    logins = stage.person.logins
    pass_time(stage, rotations, seconds=int(4 * ROUND_SECONDS))
    assert rotations.status("crm").state == "ok"
    assert 4 <= len(stage.org.queries) <= 5
    assert stage.person.logins == logins


def test_users_whom_an_app_speaks_for_look_at_themselves_in_turn():
    stage = Stage(by_app=True)
    rotations = stage.enrolled()
    for number in range(3):
        username = f"user{number}@acme.example"
        stage.org.add(username, f"Old-password-{number}", untrusted=False)
        stage.org.apps.add(username)
        role = replace(stage.role, username=username, rotation_period=None)
        HandedIn(rotations).enrol(f"role{number}", role, SecretStr(f"Old-password-{number}"), None, CALLER)
    logins = {name: person.logins for name, person in stage.org.people.items()}
    pass_time(stage, rotations, seconds=int(ROUND_SECONDS))
    assert len(stage.org.queries) == len(set(stage.org.queries)) == 4
    stage.org.change_by_hand("user1@acme.example", "By-hand-1")
    pass_time(stage, rotations, seconds=int(2 * ROUND_SECONDS))
    assert {name: status.state for name, status in rotations.statuses().items()} == {
        "crm": "ok",
        "role0": "ok",
        "role1": "drifted",
        "role2": "ok",
    }
    assert {name: person.logins for name, person in stage.org.people.items()} == logins


def test_a_password_that_the_record_proved_is_not_drifted_by_that_very_change():
    stage, rotations = looked_at()
    stage.org.script = {"log_in": deque([lambda: None, API_OFF])}
    stage.clock.seconds += 3600
    assert rotations.rotate("crm", CALLER).done
    assert stage.entry["evidence"] == "record"
    pass_time(stage, rotations, seconds=int(2 * ROUND_SECONDS))
    assert rotations.status("crm").state == "ok"
    stage.org.change_by_hand(CRM, "By-hand-1")
    pass_time(stage, rotations, seconds=int(2 * ROUND_SECONDS))
    assert rotations.status("crm").state == "drifted"


def test_many_users_are_asked_for_together_and_the_one_that_drifted_is_found():
    stage, rotations = looked_at()
    for number in range(MOST_USERS + 50):
        enrol(stage, rotations, number)
    stage.org.queries.clear()
    stage.org.change_by_hand("user77@acme.example", "By-hand-1")
    pass_time(stage, rotations, seconds=int(ROUND_SECONDS))
    assert len(stage.org.queries) <= 3
    assert max(soql.count("@acme.example") for soql in stage.org.queries) <= MOST_USERS
    assert sum(soql.count("@acme.example") for soql in stage.org.queries) == MOST_USERS + 51
    drifted = {name for name, status in rotations.statuses().items() if status.state == "drifted"}
    assert drifted == {"role77"}
    assert rotations.status("role77").next_step == "vault write sf/resync/role77 password=-"


def test_looks_are_apart_however_many_roles_there_are():
    stage, rotations = looked_at()
    for number in range(150):
        enrol(stage, rotations, f"{number}{'x' * 55}")
    asked = []
    stage.org.script["query"] = deque([lambda: asked.append(stage.clock.seconds)] * 100)
    pass_time(stage, rotations, seconds=int(2 * ROUND_SECONDS))
    assert len(asked) > 2
    assert min(after - before for before, after in pairwise(asked)) >= APART_SECONDS


def test_rotations_of_ours_around_the_question_are_no_drift():
    stage, rotations = looked_at()
    other = stage.sidecar("two")
    query_of_the_org = stage.org.query

    def answered_late(session, soql):
        first = stage.published["version"] == 2
        if first:
            other.rotate("crm", CALLER)
        rows = query_of_the_org(session, soql)
        if first:
            other.rotate("crm", CALLER)
        return rows

    stage.org.query = answered_late
    pass_time(stage, rotations, seconds=int(APART_SECONDS) + 1)
    assert stage.published["version"] == 4
    assert rotations.status("crm").state == "ok"
    stage.org.change_by_hand(CRM, "By-hand-1")
    pass_time(stage, rotations, seconds=int(2 * ROUND_SECONDS))
    assert rotations.status("crm").state == "drifted"


def test_when_the_password_expires_is_stored_and_forgotten_where_it_does_not_expire_any_more():
    stage, rotations = looked_at()
    stage.person.expires = "2030-06-01T00:00:00.000+0000"
    pass_time(stage, rotations, seconds=30)
    assert datetime.fromisoformat(stage.entry["password_expires"]) == datetime(2030, 6, 1, tzinfo=UTC)
    writes = len(stage.engine_kv.versions["journal/integration%40acme.example"])
    pass_time(stage, rotations, seconds=int(2 * ROUND_SECONDS))
    assert len(stage.engine_kv.versions["journal/integration%40acme.example"]) == writes
    stage.person.expires = None
    pass_time(stage, rotations, seconds=int(2 * ROUND_SECONDS))
    assert "password_expires" not in stage.entry


def test_an_org_without_that_column_is_asked_for_the_rest():
    stage, rotations = looked_at()
    stage.org.expiry_column = "-"
    stage.org.change_by_hand(CRM, "By-hand-1")
    pass_time(stage, rotations, seconds=30)
    assert "PasswordExpirationDate" not in stage.org.queries[0]
    assert rotations.status("crm").state == "drifted"


def test_without_an_identity_nobody_is_asked():
    stage = Stage()
    rotations = stage.enrolled()
    pass_time(stage, rotations, seconds=int(ROUND_SECONDS))
    assert stage.org.queries == []


@pytest.mark.parametrize("answer", [fault("INSUFFICIENT_ACCESS"), "lost", "not sent"])
def test_an_org_that_does_not_say_changes_nothing_and_is_asked_again(answer):
    stage, rotations = looked_at()
    stage.org.script["query"] = deque([answer])
    pass_time(stage, rotations, seconds=30)
    assert rotations.status("crm").state == "ok"
    stage.org.change_by_hand(CRM, "By-hand-1")
    pass_time(stage, rotations, seconds=int(ROUND_SECONDS))
    assert rotations.status("crm").state == "drifted"


def test_a_session_that_the_org_no_longer_knows_is_opened_anew_once():
    stage, _ = looked_at()
    before = stage.org.admin
    stage.org.script["query"] = deque([DEAD_SESSION])
    assert ask(stage.org, [CRM], stage.org.admin_session)[CRM].changed == "change-1"
    assert stage.org.admin != before


def test_users_that_the_org_does_not_show_are_not_drifted():
    stage, rotations = looked_at()
    del stage.org.people[CRM]
    pass_time(stage, rotations, seconds=int(ROUND_SECONDS))
    assert rotations.status("crm").state == "ok"


def test_a_name_is_a_text_of_the_query_and_nothing_else():
    assert query(["Id"], ["o'neil@x.example", "back\\slash@x.example"]) == (
        "SELECT Id FROM User WHERE Username IN ('o\\'neil@x.example', 'back\\\\slash@x.example')"
    )
    assert MOST_CHARACTERS + 80 < 16_000 / 3  # each character may be three in an address
