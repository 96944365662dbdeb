"""A rotation is killed at each of its outside calls, and goes on in the next process."""

import pytest
from fakes import CALLER, Killed
from stage import Stage

KINDS = {
    "self": {},
    "self-token-mailed": {"token_from": "mailbox", "untrusted": True},
    "admin": {"self_managed": False},
    "admin-token-mailed": {"self_managed": False, "token_from": "mailbox", "untrusted": True},
}


def staged(kind):
    stage = Stage(**KINDS[kind])
    rotations = stage.enrolled()
    return stage, rotations


def rotate(stage, rotations):
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    run_out(stage, rotations)


def run_out(stage, rotations):
    for _ in range(40):
        rotations.tick()
        stage.clock.seconds += 1


def calls(kind):
    stage, rotations = staged(kind)
    rotate(stage, rotations)
    assert stage.is_live
    assert stage.published["version"] == 2
    return stage.accidents.names


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_any_call_the_live_password_is_published_by_itself_with_at_most_three_logins(kind, after):
    for number, name in enumerate(calls(kind), start=1):
        stage, rotations = staged(kind)
        stage.accidents.kill_at, stage.accidents.after = number, after
        where = f"{name} ({number})"
        try:
            rotate(stage, rotations)
        except Killed:
            begun = stage.entry["rotation_id"]
            resumed = stage.sidecar()
            run_out(stage, resumed)
            assert stage.entry["state"] == "settled", where
            assert stage.is_live, where
            assert stage.entry["rotation_id"] == begun, where
            assert stage.person.logins <= 3, where
            assert stage.person.lockouts == 0, where
            assert stage.pushed["crm"].version == stage.published["version"], where
            assert resumed.history("crm")[0].rotation_id == begun, where
            assert "owed" not in stage.entry or not stage.entry["owed"], where
        else:
            pytest.fail(f"nothing was killed at {where}")
