"""The engine pulls the brake: over several accounts of one connection, in one deployment."""

from collections import deque
from dataclasses import replace

import pytest
from fake_org import API_OFF, INVALID_LOGIN
from fakes import CALLER
from stage import Stage

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_sidecar.rotation.handed_in import HandedIn

NAMES = ("a", "b", "c", "d")


@pytest.fixture
def stage():
    """A deployment with four more roles."""
    made = Stage()
    rotations = made.enrolled()
    for name in NAMES:
        username = f"{name}@acme.example"
        made.org.add(username, f"Old-{name}-1", untrusted=False)
        role = replace(made.role, username=username)
        HandedIn(rotations).enrol(name, role, SecretStr(f"Old-{name}-1"), None, CALLER)
    made.rotations = rotations
    return made


def refuse(stage, rotations, *names, fault=API_OFF):
    for name in names:
        stage.org.script["log_in"] = deque([fault])
        rotations.rotate(name, CALLER)


@pytest.mark.parametrize("fault", [API_OFF, INVALID_LOGIN], ids=["blocked", "refused"])
def test_the_third_account_pulls_it_and_the_fourth_is_not_tried(stage, fault):
    refuse(stage, stage.rotations, "a", "b", fault=fault)
    assert stage.rotations.holds.on("demo") is None
    refuse(stage, stage.rotations, "c", fault=fault)
    made = stage.engine_kv.newest("hold/demo")
    assert (made["cause"], made["held_by"], made["roles"]) == ("same_fault", "the engine", ["a", "b", "c"])
    with pytest.raises(CallerError, match="3 accounts were refused"):
        stage.rotations.rotate("d", CALLER)
    assert stage.org.people["d@acme.example"].logins == 1, "that of its creation"
    assert stage.rotations.status("d").state == "held"
    assert stage.rotations.status("d").next_step == "vault delete sf/hold/demo"


def test_it_has_no_end_of_its_own_and_one_that_a_person_ended_counts_from_zero(stage):
    refuse(stage, stage.rotations, "a", "b", "c")
    stage.clock.seconds += 100_000
    assert stage.rotations.holds.get("demo") is not None
    stage.clock.seconds -= 100_000
    stage.clock.seconds += 1
    stage.rotations.holds.release("demo", CALLER)
    refuse(stage, stage.rotations, "d")
    assert stage.rotations.holds.on("demo") is None
    assert stage.rotations.rotate("crm", CALLER).done


def test_two_sidecars_count_together(stage):
    other = stage.sidecar("two")
    refuse(stage, stage.rotations, "a", "b")
    stage.clock.seconds += 16
    for _ in range(3):
        other.tick()
    refuse(stage, other, "c")
    assert other.holds.on("demo").hold.roles == ("a", "b", "c")


def test_what_others_met_pulls_it_at_the_next_sweep(stage):
    other = stage.sidecar("two")
    refuse(stage, stage.rotations, "a", "b")
    refuse(stage, other, "c")
    assert stage.rotations.holds.get("demo") is None
    stage.clock.seconds += 16
    for _ in range(3):
        stage.rotations.tick()
    assert stage.rotations.holds.on("demo").hold.code == "API_CURRENTLY_DISABLED"


def test_passwords_that_somebody_got_wrong_hold_nothing(stage):
    for name in ("a", "b", "c"):
        stage.org.script["log_in"] = deque([INVALID_LOGIN])
        with pytest.raises(Exception, match="INVALID_LOGIN"):
            HandedIn(stage.rotations).resync(
                name, CALLER, password=SecretStr("wrong"), security_token=None, try_=None, wait=5
            )
    assert stage.rotations.holds.get("demo") is None
