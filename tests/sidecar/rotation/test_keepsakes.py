"""What a deleted role left, offered to the role that is made again."""

from collections import deque
from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import CALLER, CRM, START
from stage import Stage

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, OperatorError
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.records.journal_entry import JournalEntry, Kept
from vault_salesforce_sidecar.rotation.handed_in import HandedIn
from vault_salesforce_sidecar.rotation.keepsakes import TAKEN_UP, USELESS, kept_secrets, put_back, way_of

CONFIG = Config(login_url="https://acme.my.salesforce.example", allowed_hosts=("a.example", "b.example"))
LEFT = JournalEntry(
    username=CRM,
    role="crm",
    state="deleted",
    current_password=SecretStr("Last-1"),
    current_token=SecretStr("Token"),
    kept=(
        Kept(SecretStr("Last-1"), START + timedelta(days=7)),
        Kept(SecretStr("Earlier-1"), START + timedelta(days=3)),
    ),
    sent_by=way_of(CONFIG),
)


def offered(record=LEFT, role="crm", config=CONFIG, now=START):
    return [one.password.reveal() for one in kept_secrets(record, role, config, now)]


def test_the_last_one_is_offered_first_with_its_token():
    assert offered() == ["Last-1", "Earlier-1"]
    assert kept_secrets(LEFT, "crm", CONFIG, START)[0].token == SecretStr("Token")


def test_what_is_over_is_not_offered():
    assert offered(now=START + timedelta(days=4)) == ["Last-1"]


@pytest.mark.parametrize(
    ("record", "role", "config"),
    [
        (replace(LEFT, state="settled"), "crm", CONFIG),
        (LEFT, "other", CONFIG),
        (LEFT, "crm", replace(CONFIG, login_url="https://elsewhere.example")),
        (LEFT, "crm", replace(CONFIG, ca_cert="pem")),
        (LEFT, "crm", replace(CONFIG, allowed_hosts=("evil.example",))),
        (replace(LEFT, sent_by=""), "crm", CONFIG),
    ],
    ids=["of a role that is there", "of another role", "elsewhere", "another guard", "another host", "older release"],
)
def test_nobody_else_and_no_other_place_gets_them(record, role, config):
    assert offered(record, role, config) == []


def test_the_order_of_hosts_is_no_other_way():
    assert way_of(CONFIG) == way_of(replace(CONFIG, allowed_hosts=("b.example", "a.example")))


def test_what_trying_in_vain_cost_stays():
    back = put_back(replace(LEFT, state="withdrawn", charges=2, current_password=SecretStr("")), LEFT)
    assert replace(back, charges=0) == LEFT
    assert back.charges == 2


def deleted(**settings):
    """A deployment whose role was rotated once, and deleted."""
    stage = Stage(**settings)
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER)
    remove(stage, rotations)
    stage.person.logins = 0
    return stage, rotations


def remove(stage, rotations):
    rotations.delete("crm", CALLER)
    stage.roles.delete("crm", stage.roles.get("crm").version)


def made_again(stage, rotations, password=None):
    return HandedIn(rotations).enrol("crm", stage.role, password, None, CALLER)


def test_a_role_that_is_made_again_takes_its_password_up_with_one_login():
    stage, rotations = deleted()
    assert TAKEN_UP in made_again(stage, rotations)
    assert (stage.is_live, stage.published["version"], stage.person.logins) == (True, 4, 1)
    assert rotations.rotate("crm", CALLER).done


def test_one_that_was_deleted_with_its_rotation_undecided_finds_the_live_one():
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.script["change"] = deque(["then lost"])
    stage.org.script["log_in"] = deque(["", "lost", "lost", "lost"])
    rotations.rotate("crm", CALLER)
    assert stage.entry["state"] == "stuck"
    rotations.unlock("crm", CALLER)
    remove(stage, rotations)
    made_again(stage, rotations)
    assert stage.is_live


def test_where_none_logs_in_any_more_nothing_is_made_and_nothing_is_lost():
    stage, rotations = deleted()
    before = stage.entry
    stage.org.change_by_hand(CRM, "By-hand-1")
    with pytest.raises(OperatorError, match=USELESS):
        made_again(stage, rotations)
    assert stage.roles.get("crm") is None
    assert stage.entry["state"] == "deleted"
    assert (stage.entry["kept"], stage.entry["current_password"]) == (before["kept"], before["current_password"])
    assert stage.entry["charges"] > 0
    made_again(stage, rotations, SecretStr("By-hand-1"))
    assert stage.is_live


def test_it_is_offered_again_after_a_password_that_was_wrong():
    stage, rotations = deleted()
    with pytest.raises(OperatorError):
        made_again(stage, rotations, SecretStr("wrong"))
    made_again(stage, rotations)
    assert stage.is_live


def test_a_role_without_a_password_elsewhere_is_told_that_one_is_missing():
    stage, rotations = deleted()
    stage.connections.put("demo", replace(stage.config, login_url="https://elsewhere.example"), 1)
    with pytest.raises(CallerError, match="password is missing"):
        made_again(stage, rotations)
    assert stage.person.logins == 0


def test_after_its_time_the_journal_holds_no_secret_of_a_deleted_role():
    stage, rotations = deleted()
    secrets = {stage.person.password, "Old-password-1"}
    assert secrets <= set(_texts(stage.entry))
    stage.clock.seconds += timedelta(days=7, seconds=1).total_seconds()
    for _ in range(3):
        stage.clock.seconds += 16
        rotations.tick()
    assert not secrets & set(_texts(stage.entry))
    assert stage.entry["kept"] == []
    with pytest.raises(CallerError, match="password is missing"):
        made_again(stage, rotations)


def test_the_time_is_a_setting():
    stage = Stage()
    rotations = stage.enrolled()
    parts = rotations.carrier.parts
    assert replace(parts, kept_for=timedelta(days=2)).moment().kept_for == timedelta(days=2)
    parts.__dict__["moment"] = replace(parts, kept_for=timedelta(days=2)).moment
    rotations.rotate("crm", CALLER)
    assert stage.entry["kept"][0]["until"] == "2030-01-03T00:00:00Z"


def _texts(value):
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return [str(value)]
    return [text for one in value for text in _texts(one)]
