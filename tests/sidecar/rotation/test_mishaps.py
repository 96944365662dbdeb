"""Each call of a rotation, to KV, to the org, to the mount, in turn: not made, lost, doubled, late."""

from contextlib import suppress

import pytest
from fakes import CALLER
from mishaps import MISHAPS, MOST_LOGINS, REFUSED, Late, Stale, come_to_rest, run_out
from stage import Stage

KINDS = {
    "self": {},
    "self-token-mailed": {"token_from": "mailbox", "untrusted": True},
    "app": {"by_app": True},
    "admin": {"self_managed": False},
}


def staged(kind):
    """A role at version 2, so that there is something of every kind to be read."""
    stage = Stage(**KINDS[kind])
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    run_out(stage, rotations, 10)
    assert (stage.published["version"], stage.is_live) == (2, True)
    stage.person.logins = stage.accidents.calls = 0
    stage.accidents.names.clear()
    return stage, rotations


def calls(kind):
    """The calls of a rotation to which nothing happens."""
    stage, rotations = staged(kind)
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    run_out(stage, rotations)
    return list(stage.accidents.names)


def survive(kind, number, strike):
    """One rotation in which this becomes of one call (None: a stale read); the promises that were not kept."""
    stage, rotations = staged(kind)
    before, acknowledged = stage.person.changes, ""
    stage.accidents.strike_at = number
    stage.accidents.strike = strike or Stale(stage.engine_kv, stage.creds_kv)
    with suppress(*REFUSED):  # which promises that nothing was begun
        acknowledged = rotations.rotate("crm", CALLER, allow_security_token_wait=True).rotation_id
    come_to_rest(stage, rotations, strike)
    name = stage.accidents.names[number - 1]
    copies = name == "org: log_in" and strike in (MISHAPS["twice"], MISHAPS["twice, the second answer"])
    history = [one.rotation_id for one in rotations.history("crm")]
    kept = {
        "comes to rest": stage.entry["state"] in ("settled", "withdrawn"),
        "live": stage.is_live,
        "nobody locked": not stage.person.lockouts,
        "few logins": stage.person.logins - copies <= MOST_LOGINS,
        "the mount's copy": stage.pushed["crm"].version == stage.published["version"],
        "in the history": not acknowledged or acknowledged in history,
        "nothing begun": bool(acknowledged) or stage.person.changes == before,
    }
    return [f"{name} ({number}): {promise}" for promise, holds in kept.items() if not holds]


@pytest.mark.parametrize("what", [*MISHAPS, "late"])
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_becomes_of_any_one_call_the_live_password_is_published_by_itself(kind, what):
    names = calls(kind)
    assert {name.partition(":")[0] for name in names} == {"engine", "creds", "org", "push"}
    broken = [
        fault for number in range(1, len(names) + 1) for fault in survive(kind, number, MISHAPS.get(what, Late()))
    ]
    assert broken == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_read_that_answers_what_was_there_before_the_last_write_leads_nobody_astray(kind):
    names = calls(kind)
    reads = [number for number, name in enumerate(names, start=1) if ": read " in name]
    assert {names[number - 1].partition("/")[0] for number in reads} >= {"engine: read journal", "creds: read creds"}
    assert [fault for number in reads for fault in survive(kind, number, None)] == []
