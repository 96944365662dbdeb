"""Three levels of rights: what a rotation, its diagnosis, an unlock and the end of sessions come to with each.

What an identity may not do or see is told; nothing fails for it, and no login is spent on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from combinations import ADMINISTRATOR, APP, ORG, TRUSTED, USER, WAYS
from deployment import ADMIN, ADMIN_PASSWORD, PASSWORD, USERNAME, Deployment, Simulator
from fakes import CALLER

from salesforce_orgsim.faults import FaultError
from salesforce_orgsim.login import LoginAttempt, log_in
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import EngineError
from vault_salesforce_sidecar.diagnosis.diagnosis import Diagnosis
from vault_salesforce_sidecar.rotation.unlocking import LOCKS_UNSEEN
from vault_salesforce_sidecar.salesforce.probe import Reach

HOUR = 3600.0
SOURCE, NIGHTLY = "203.0.113.9", "nightly"
AS_USER = next(way for way in WAYS if way.name == "JWT as the user")
BY_ADMIN = {
    "auth_method": "password",
    "username": ADMIN,
    "password": ADMIN_PASSWORD,
    "admin_may_rotate": [USERNAME],
    "sidecar_address": "trusted",
}


@dataclass(frozen=True)
class Level:
    """A level of rights, and what it comes to.

    Attributes:
        name: For people.
        config: Of the connection.
        role: Of the role.
        admin: Rights of the connection's identity.
        hidden: Rows of a preflight that it does not see.
        sees_lock: It sees, and clears, Salesforce's lock.
        ends_sessions: It ends the user's sessions.
        names_consumers: It sees who else fails to log in.
    """

    name: str
    config: Mapping[str, Any]
    role: Mapping[str, Any]
    admin: Mapping[str, Any]
    hidden: frozenset[str]
    sees_lock: bool
    ends_sessions: bool
    names_consumers: bool


LEVELS = (
    Level(
        "the app as the user",
        {**AS_USER.config, "sidecar_address": "trusted"},
        AS_USER.role,
        {},
        frozenset({"organization"}),
        sees_lock=False,
        ends_sessions=True,
        names_consumers=True,
    ),
    Level(
        "Reset Passwords",
        BY_ADMIN,
        {"self_managed": False},
        {"manage_users": False, "reset_passwords": True},
        frozenset({"api_enabled", "privileged", "lock_state", "mfa_api_logins", "single_sign_on", "stale_consumers"}),
        sees_lock=False,
        ends_sessions=False,
        names_consumers=False,
    ),
    Level(
        "Manage Users",
        BY_ADMIN,
        {"self_managed": False},
        {"manage_users": True},
        frozenset(),
        sees_lock=True,
        ends_sessions=True,
        names_consumers=True,
    ),
)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):
    """An org of this test process."""
    made = Simulator(tmp_path_factory.mktemp("mail") / "box")
    yield made
    made.stop()


@pytest.fixture(params=LEVELS, ids=lambda level: level.name)
def level(request):
    """One of the three."""
    return request.param


@pytest.fixture
def deployment(simulator, level):
    """A role at version 1, an hour old."""
    simulator.anew({**ORG, **TRUSTED}, [{**USER, "password_age_days": 2}, {**ADMINISTRATOR, **level.admin}], [APP])
    made = Deployment(simulator, level.config, {"security_token_from": "none", **level.role})
    made.enrol(None)
    made.clock.seconds += HOUR
    yield made
    made.close()


def fail_to_log_in(simulator, times=1):
    """A consumer with an old password."""
    for _ in range(times):
        with pytest.raises(FaultError):
            log_in(simulator.running.org, LoginAttempt(USERNAME, "Old-pass-1", SOURCE, application=NIGHTLY))


def counted(simulator):
    user = simulator.user().counters
    return user.logins, user.lockouts, user.password_changes


def test_a_rotation_ends_well(simulator, deployment):
    logins, _, changes = counted(simulator)
    assert deployment.rotate() is None
    assert deployment.entry["state"] == "settled"
    assert deployment.published["password"] == simulator.user().password != PASSWORD
    assert counted(simulator) == (logins + 1, 0, changes + 1)  # the one login that proves


def test_a_diagnosis_says_what_the_level_does_not_see_and_fails_nothing_for_it(simulator, deployment, level):
    before = counted(simulator)
    diagnosis = Diagnosis(
        deployment.rotations.carrier.parts, deployment.rotations, lambda _: Reach(("127.0.0.1",)), kv_faults=list
    )
    rows = {row.check: row for row in diagnosis.of_role("crm")}

    unseen = {name for name, row in rows.items() if row.result.value == "not visible"}
    assert unseen >= level.hidden
    assert unseen - level.hidden <= {"password_age", "login_history"}, unseen
    assert all(rows[name].detail.startswith("needs ") for name in unseen)
    failed = {name for name, row in rows.items() if row.result.value == "failed"} - {"way_in"}  # over in 2030
    assert failed == set(), {name: rows[name] for name in failed}
    assert counted(simulator) == before


def test_a_refused_login_is_explained_where_the_history_may_be_read(simulator, deployment, level):
    before, wrong = counted(simulator), SecretStr("Never-was-1")
    with pytest.raises(EngineError) as refused:
        deployment.handed_in.resync("crm", CALLER, password=wrong, security_token=None, try_=None, wait=5)

    told = str(refused.value) + deployment.entry["fault_cause"] + deployment.entry["fault_remedy"]
    assert ("Login History says 'Invalid Password'" in told) == level.names_consumers
    assert deployment.entry["fault_code"] == "INVALID_LOGIN"
    assert deployment.entry["charges"] == 1
    assert counted(simulator) == (before[0] + 1, 0, before[2])  # looked up, not tried again


def test_an_unlock_clears_the_lock_that_it_sees_and_says_so_where_it_sees_none(simulator, deployment, level):
    simulator.control("PATCH", f"/users/{USERNAME}", {"locked": True})
    warnings = deployment.rotations.unlock("crm", CALLER)

    assert simulator.user().locked(simulator.running.org.clock.now()) == (not level.sees_lock)
    if level.config is BY_ADMIN:
        assert warnings == (() if level.sees_lock else (LOCKS_UNSEEN,))
    assert deployment.entry["charges"] == 0


def test_sessions_end_with_a_rotation_where_the_level_may_end_them(simulator, deployment, level):
    org = simulator.running.org
    with org.lock:
        leaked = org.open_session(simulator.user())
    deployment.rotations.rotate("crm", CALLER, end_sessions=True)

    assert deployment.entry["state"] == "settled"
    alive = {session.id for session in org.sessions()}
    assert (leaked.id not in alive) == level.ends_sessions


def test_stale_consumers_are_named_after_a_rotation_where_the_history_may_be_read(simulator, deployment, level):
    deployment.rotate()
    deployment.clock.seconds += 60
    fail_to_log_in(simulator, times=2)
    deployment.clock.seconds += 120
    deployment.rotations.tick()

    found = deployment.rotations.status("crm").stale_consumers
    if not level.names_consumers:
        assert found is None
        return
    (consumer,) = found
    assert (consumer["source_address"], consumer["application"], consumer["failed_logins"]) == (SOURCE, NIGHTLY, 2)
    assert consumer["last"].startswith("2030-01-")

    deployment.clock.seconds += 1200
    deployment.rotations.tick()
    assert deployment.rotations.status("crm").stale_consumers == ()  # a quiet look clears them


def test_failures_of_others_count_before_a_login_is_made(simulator, deployment, level):
    """The org's own counter stands in place of our charges wherever somebody sees it."""
    fail_to_log_in(simulator, times=3)
    before = counted(simulator)
    deployment.rotate()

    assert counted(simulator) == before
    assert deployment.entry["state"] == "withdrawn"
    assert deployment.entry["reason"] == "no attempts left"
    status = deployment.rotations.status("crm")
    assert (status.logins_left, status.next_step) == (0, "vault write -f sf/unlock/crm")

    deployment.rotations.unlock("crm", CALLER)  # somebody has looked into them
    assert deployment.rotate() is None
    assert deployment.entry["state"] == "settled"
    assert counted(simulator)[1] == 0
