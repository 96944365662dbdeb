"""Rotation after rotation of one account, with an accident in each: the live password is always in KV at the end."""

from collections import deque

from fakes import CALLER, Killed
from hypothesis import given, settings
from hypothesis import strategies as st
from stage import Stage

KINDS = (
    {},
    {"token_from": "mailbox", "untrusted": True},
    {"self_managed": False},
    {"self_managed": False, "token_from": "mailbox", "untrusted": True},
)
KILLS = st.tuples(st.sampled_from(["kill before", "kill after"]), st.integers(1, 40))
LOSSES = st.tuples(
    st.sampled_from(["change", "log_in", "find_user"]), st.sampled_from(["lost", "then lost", "late", "not sent"])
)
UNHEARD = st.tuples(st.just("unheard write"), st.integers(0, 6))


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(KINDS), st.lists(st.one_of(KILLS, LOSSES, UNHEARD), min_size=1, max_size=6))
def test_after_any_accident_the_live_password_is_published_by_itself_and_nobody_is_locked(kind, accidents):
    stage = Stage(**kind)
    rotations = stage.enrolled()
    for accident in accidents:
        rotations = survive(stage, rotations, accident)


def survive(stage, rotations, accident):
    what, where = accident
    before, stage.person.logins, stage.accidents.calls = stage.published["version"], 0, 0
    arrange(stage, what, where)
    try:
        rotations.rotate("crm", CALLER, allow_security_token_wait=True)
        run_out(stage, rotations)
    except Killed:
        stage.accidents.kill_at = None
        rotations = stage.sidecar()
        run_out(stage, rotations)
    stage.accidents.kill_at = None
    stage.org.script.clear()
    stage.org.late.clear()
    assert stage.entry["state"] in ("settled", "withdrawn"), accident
    assert stage.is_live, accident
    assert stage.published["version"] - before in (0, 1), accident
    assert stage.person.lockouts == 0, accident
    assert stage.person.logins <= 3, accident
    assert stage.pushed["crm"].version == stage.published["version"], accident
    return rotations


def arrange(stage, what, where):
    if what.startswith("kill"):
        stage.accidents.kill_at, stage.accidents.after = where, what == "kill after"
    elif what == "unheard write":
        kv = stage.creds_kv if where == 0 else stage.engine_kv
        stage.org.script["find_user"] = deque([lambda: None] * (where % 2) + [lambda: setattr(kv, "lost_writes", 1)])
    else:
        stage.org.script[what] = deque([where])


def run_out(stage, rotations):
    for _ in range(60):
        rotations.tick()
        stage.clock.seconds += 1
