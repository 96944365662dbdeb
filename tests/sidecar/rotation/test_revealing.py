"""Break-glass: everything that is held, the likeliest first, and never without a trace."""

import json
from collections import deque

import pytest
from fake_org import INVALID_LOGIN
from fakes import CALLER, CRM, JOURNAL, Killed
from stage import Stage
from structlog.testing import capture_logs

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, OperatorError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_sidecar.rotation.handed_in import HandedIn
from vault_salesforce_sidecar.rotation.journal import KEPT_FOR
from vault_salesforce_sidecar.rotation.machine import Entry, Fate, Secret, State
from vault_salesforce_sidecar.rotation.revealing import Revealing, likely
from vault_salesforce_sidecar.store import KvUnavailable

READER = Caller(request_id="req-glass", display_name="ldap-ann", entity_id="ent-ann", accessor="acc-ann")
OLD, NEW, GIVEN = Secret(SecretStr("old")), Secret(SecretStr("new")), Secret(SecretStr("given"))


def revealed(rotations, role="crm", username=None):
    return Revealing(rotations).reveal(role, READER, username).to_data()


def history_of(stage):
    stored = stage.engine_kv.newest("history/crm").get("rotations", [])
    return [row for row in map(json.loads, stored) if row["cause"] == "reveal"]


def in_flight(at_call):
    """A deployment whose sidecar was killed at one of its calls, and another one that has not taken over yet."""
    stage = Stage()
    rotations = stage.enrolled()
    stage.accidents.kill_at, stage.accidents.after = at_call, True
    try:
        rotations.rotate("crm", CALLER, wait=10)
    except Killed:
        stage.accidents.kill_at = None
        return stage, stage.sidecar("two")
    return None, None


def test_at_rest_it_is_what_is_published_with_who_read_it():
    stage = Stage()
    rotations = stage.enrolled()
    told = revealed(rotations)
    assert told["published_password"] == told["current_password"] == stage.person.password
    assert (told["published_version"], told["state"], told["try_first"]) == (1, "settled", ["current_password"])
    (row,) = history_of(stage)
    assert {name: row[name] for name in ("request_id", "display_name", "entity_id", "accessor", "outcome")} == {
        "request_id": "req-glass",
        "display_name": "ldap-ann",
        "entity_id": "ent-ann",
        "accessor": "acc-ann",
        "outcome": "revealed",
    }
    assert row["ended"]
    assert stage.person.password not in str(row)


def test_wherever_a_sidecar_is_killed_the_live_password_is_among_what_is_revealed():
    unsure, calls = 0, 0
    for number in range(1, 100):
        stage, other = in_flight(number)
        if stage is None:
            break
        calls += 1
        told = revealed(other)
        tried = [told[name] for name in told["try_first"]]
        assert stage.person.password in tried, told
        if told["state"] == "applying":
            unsure += 1
        else:
            assert tried[0] == stage.person.password, told
        assert told["published_password"] == stage.published["password"]
    assert calls > 10
    assert 0 < unsure < 4


def test_each_reading_is_a_row_of_its_own_and_the_rotation_keeps_its_row():
    stage = Stage()
    rotations = stage.enrolled()
    revealed(rotations)
    Revealing(rotations).reveal("crm", Caller(request_id="req-2"))
    Revealing(rotations).reveal("crm", Caller(request_id="req-2"))  # the server may run a request twice
    assert [row.request_id for row in rotations.history("crm")] == ["req-2", "req-glass", "req-1"]
    rotations.rotate("crm", CALLER, wait=10)
    assert len(history_of(stage)) == 2


def test_the_log_tells_of_it_without_the_secrets():
    stage = Stage()
    rotations = stage.enrolled()
    with capture_logs() as lines:
        revealed(rotations)
    (line,) = [line for line in lines if line["event"] == "secrets revealed"]
    assert (line["log_level"], line["role"], line["username"]) == ("warning", "crm", CRM)
    assert (line["request_id"], line["display_name"]) == ("req-glass", "ldap-ann")
    assert stage.person.password not in str(lines)


def test_what_cannot_be_noted_is_not_revealed():
    stage = Stage()
    rotations = stage.enrolled()
    stage.engine_kv.lost_writes = 1
    with pytest.raises(KvUnavailable):
        revealed(rotations)
    stage.engine_kv.versions["history/crm"].append({"schema": 99, "rotations": []})
    with pytest.raises(OperatorError, match="history of the role 'crm' cannot be written"):
        revealed(rotations)


def test_a_stuck_rotation_shows_both_passwords():
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.script["log_in"] = deque([lambda: None, INVALID_LOGIN])
    rotations.rotate("crm", CALLER)
    told = revealed(rotations)
    assert (told["state"], told["fate"]) == ("stuck", "done")
    assert told["try_first"] == ["candidate_password", "current_password"]
    assert told["candidate_password"] == stage.person.password
    assert told["current_password"] == told["published_password"] == stage.published["password"]
    assert told["logins_left"] < 4


def test_a_deleted_role_is_revealed_until_its_secrets_are_forgotten():
    stage = Stage()
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER, wait=10)
    rotations.delete("crm", CALLER)
    stage.roles.delete("crm", stage.roles.get("crm").version)
    rotations = stage.sidecar("two")
    told = revealed(rotations)
    assert told["state"] == "deleted"
    assert told["current_password"] == stage.person.password
    assert stage.person.password in [one["password"] for one in told["kept"]]
    assert all(one["until"] for one in told["kept"])
    assert "published_password" not in told
    stage.clock.seconds += KEPT_FOR.total_seconds() + 1
    for _ in range(3):
        rotations.tick()
        stage.clock.seconds += 60
    assert "current_password" not in revealed(rotations)


def test_the_account_that_a_role_had_before_is_revealed_by_its_name_alone():
    stage = Stage()
    rotations = stage.enrolled()
    rotations.delete("crm", CALLER)
    stage.roles.delete("crm", stage.roles.get("crm").version)
    other = stage.org.add("other@acme.example", "Other-password-1", untrusted=False)
    role = stage.role.__class__(config="demo", username=other.username)
    HandedIn(rotations).enrol("crm", role, SecretStr(other.password), None, CALLER)
    assert revealed(rotations)["current_password"] == other.password
    told = revealed(rotations, username=CRM.upper())
    assert (told["username"], told["current_password"]) == (CRM, stage.person.password)
    assert "published_password" not in told, "what KV holds is the other account's"


def test_a_role_never_reveals_the_account_of_another():
    stage = Stage()
    rotations = stage.enrolled()
    for role, username in (("nobody", None), ("nobody", CRM), ("crm", "unknown@acme.example")):
        with pytest.raises(CallerError) as refused:
            revealed(rotations, role, username)
        assert refused.value.status == 404
    assert history_of(stage) == []


def test_an_entry_of_a_newer_release_is_left_to_it():
    stage = Stage()
    rotations = stage.enrolled()
    stage.engine_kv.versions[JOURNAL].append(stage.entry | {"schema": 99})
    with pytest.raises(OperatorError, match="cannot be used"):
        revealed(rotations)
    assert history_of(stage) == []


@pytest.mark.parametrize(
    ("entry", "first"),
    [
        (Entry(State.WITHDRAWN, OLD, 1), ["current_password"]),
        (Entry(State.CHECKING, OLD, 1, NEW), ["current_password"]),
        (Entry(State.CHECKING, OLD, 1, NEW, fate=Fate.REFUSED), ["current_password", "candidate_password"]),
        (Entry(State.CHECKING, OLD, 1, NEW, fate=Fate.UNKNOWN), ["candidate_password", "current_password"]),
        (Entry(State.APPLYING, OLD, 1, NEW), ["candidate_password", "current_password"]),
        (Entry(State.AWAITING_TOKEN, OLD, 1, NEW, fate=Fate.DONE), ["candidate_password", "current_password"]),
        (Entry(State.PROVING, OLD, 1, given=GIVEN), ["given_password", "current_password", "kept"]),
        (
            Entry(State.PROVING, OLD, 1, NEW, GIVEN, Fate.UNKNOWN),
            ["given_password", "candidate_password", "current_password"],
        ),
        (
            Entry(State.CHECKING, OLD, 1, NEW, fate=Fate.UNKNOWN, reason="out of tries"),
            ["candidate_password", "current_password"],
        ),
        (
            Entry(State.PROVING, OLD, 1, NEW, fate=Fate.REFUSED, refused=frozenset({"current"})),
            ["candidate_password", "current_password"],
        ),
        (Entry(State.PUBLISHING, OLD, 1, NEW, GIVEN), ["given_password"]),
        (Entry(State.PUBLISHING, OLD, 1, NEW), ["candidate_password"]),
        (Entry(State.STUCK, OLD, 1, NEW, reason="out of tries"), ["current_password", "candidate_password"]),
        (Entry(State.STUCK, OLD, 1, NEW, reason="someone else wrote the KV version"), ["candidate_password"]),
        (Entry(State.STUCK, OLD, 1, reason="changed outside"), ["current_password", "kept"]),
        (Entry(State.STUCK, OLD, 1, NEW, reason="current does not log in"), ["current_password", "kept"]),
        (Entry(State.DELETED, OLD, 1), ["current_password", "kept"]),
    ],
)
def test_the_likeliest_is_named_first_and_why(entry, first):
    told = likely(entry)
    assert list(told.first) == first
    assert told.why
