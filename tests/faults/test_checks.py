"""Each promise, held against what keeps it and what breaks it: a check that cannot fail would prove nothing."""

from dataclasses import replace

import pytest
from faults.harness.checks import LOCKOUT, LOST, OTHER, UNPROVEN, Seen, broken

COUNTERS = ("logins", "failed_logins", "lockouts", "stale_lockouts", "password_changes")
CREDENTIAL = {"username": "u", "password": "p", "security_token": "", "version": 2, "last_vault_rotation": "t"}
KEPT = Seen(
    state="ok",
    next_step="",
    live_password=True,
    live_token=True,
    kept_live=False,
    unproven=(),
    before=dict.fromkeys(COUNTERS, 0),
    after=dict.fromkeys(COUNTERS, 0),
    copies=0,
    goes=1,
    accidents=1,
    acknowledged=("r1",),
    done=(2,),
    history=("r1", "r0"),
    kv=CREDENTIAL,
    served=CREDENTIAL,
    refused=(),
    human=False,
    restored=False,
)
STUCK = replace(KEPT, state="stuck", next_step="vault write -f sf/rotate/crm", live_password=False, kept_live=True)


def counted(**counters):
    return replace(KEPT, after=KEPT.after | counters)


@pytest.mark.parametrize(
    "seen",
    [
        KEPT,
        STUCK,
        replace(STUCK, kept_live=False, human=True),
        replace(KEPT, live_password=False, human=True),  # nobody could see it yet
        counted(logins=3),
        replace(counted(logins=5), copies=2),
        replace(counted(logins=4), accidents=2),
        counted(lockouts=1, stale_lockouts=1),
        replace(KEPT, acknowledged=(), history=()),
        replace(KEPT, restored=True, history=(), done=(3,)),
        replace(STUCK, restored=True, kept_live=False, served={}),
        replace(KEPT, refused=("503 vault_unavailable",)),
    ],
)
def test_what_keeps_every_promise_passes(seen):
    assert broken(seen) == []


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (replace(KEPT, live_password=False), LOST),
        (replace(KEPT, live_token=False), LOST),
        (replace(KEPT, live_password=False, restored=True), LOST),
        (replace(STUCK, kept_live=False, restored=True, next_step=""), LOST),
        (replace(KEPT, served={}, restored=True), OTHER),
        (replace(KEPT, live_password=False, kept_live=True), LOST),  # kept, and the status says that all is well
        (replace(STUCK, kept_live=False), LOST),
        (replace(STUCK, next_step=""), LOST),
        (replace(STUCK, human=True, kept_live=False, next_step=""), LOST),
        (counted(lockouts=1), LOCKOUT),
        (replace(KEPT, unproven=(2,)), UNPROVEN),
        (counted(logins=4), OTHER),
        (replace(counted(logins=5), accidents=2), OTHER),
        (replace(counted(failed_logins=4), goes=9), OTHER),
        (replace(KEPT, history=("r0",)), OTHER),
        (replace(KEPT, done=(3,)), OTHER),
        (replace(KEPT, served=CREDENTIAL | {"password": "q"}), OTHER),
        (replace(KEPT, served={}), OTHER),
        (replace(counted(password_changes=1), refused=("503 no_sidecar_reached",)), OTHER),
    ],
)
def test_what_breaks_one_is_told_as_that(seen, kind):
    assert [found.kind for found in broken(seen)] == [kind]


def test_no_secret_is_in_what_is_told():
    seen = replace(KEPT, kv=CREDENTIAL | {"password": "unheard-of"}, live_password=False)
    assert "unheard-of" not in f"{seen!r} {broken(seen)!r}"
