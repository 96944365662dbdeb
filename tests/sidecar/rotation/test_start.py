"""Rotations, through the package's face, against an org and a KV in memory."""

import threading
from collections import deque
from dataclasses import replace

import pytest
from fake_org import INVALID_LOGIN
from fakes import CALLER, CRM, JOURNAL
from stage import Stage

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, OperatorError
from vault_salesforce_contract.registration import Held
from vault_salesforce_sidecar.clock import SystemClock
from vault_salesforce_sidecar.rotation.handed_in import HandedIn
from vault_salesforce_sidecar.rotation.slots import Slots
from vault_salesforce_sidecar.store import KvUnavailable

PATIENCE_SECONDS = 10


def test_a_self_managed_rotation_publishes_the_proven_password_with_two_logins():
    stage = Stage()
    rotations = stage.enrolled()
    view = rotations.rotate("crm", CALLER, wait=10)
    assert (view.done, view.version, view.joined, view.state) == (True, 2, False, "ok")
    assert view.kv_path == "salesforce/creds/crm"
    assert stage.is_live
    assert stage.person.logins == 2
    assert stage.pushed["crm"].version == 2
    row = rotations.history("crm")[0]
    assert (row.outcome, row.evidence, row.cause, row.display_name) == ("settled", "login", "manual", "operator")


def test_an_admin_rotation_needs_one_login():
    stage = Stage(self_managed=False)
    rotations = stage.enrolled()
    assert rotations.rotate("crm", CALLER, wait=10).done
    assert stage.person.logins == 1
    assert stage.is_live


def test_a_rotation_with_a_mailed_token_publishes_the_new_pair():
    stage = Stage(token_from="mailbox", untrusted=True)
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    rotations.tick()
    assert stage.is_live
    assert stage.published["security_token"]
    assert stage.person.logins == 2
    assert rotations.rotate("crm", CALLER).state == "ok", "a mail has been seen now: no flag is needed"


def test_a_login_that_the_org_refuses_before_any_change_is_an_error_for_who_asked():
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.script["log_in"] = deque([INVALID_LOGIN])
    view = rotations.rotate("crm", CALLER)
    assert view.refusal is not None
    assert (view.refusal.status, view.refusal.code) == (424, "INVALID_LOGIN")
    assert view.refusal.remedy
    assert "refusal" not in (view.to_response().data or {})


def test_a_rotation_that_changed_something_is_no_refusal():
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.script["log_in"] = deque([lambda: None, INVALID_LOGIN])
    view = rotations.rotate("crm", CALLER)
    assert view.state == "stuck"
    assert view.refusal is None


@pytest.mark.parametrize("source", ["manual", "mailbox"])
def test_a_role_that_might_be_left_without_a_token_is_rotated_only_on_demand(source):
    stage = Stage(token_from=source, untrusted=True)
    rotations = stage.enrolled()
    with pytest.raises(CallerError) as refused:
        rotations.rotate("crm", CALLER)
    assert refused.value.status == 409
    assert "allow_security_token_wait=true" in refused.value.sentence
    stage.clock.seconds += 3750
    assert not rotations.request("crm", "lease", 1)
    status = rotations.status("crm")
    assert status.state == "parked"
    assert "allow_security_token_wait=true" in status.next_step
    assert stage.person.changes == 0


def test_an_unknown_role_or_rotation_is_not_found():
    rotations = Stage().enrolled()
    for call in (
        lambda: rotations.rotate("nobody", CALLER),
        lambda: rotations.rotate("crm", CALLER, rotation_id="unknown"),
        lambda: rotations.status("nobody"),
        lambda: rotations.history("nobody"),
    ):
        with pytest.raises(CallerError) as refused:
            call()
        assert refused.value.status == 404


def test_a_known_rotation_is_only_watched():
    stage = Stage()
    rotations = stage.enrolled()
    first = rotations.rotate("crm", CALLER, wait=10)
    rotations.rotate("crm", CALLER, wait=10)
    again = rotations.rotate("crm", CALLER, wait=10, rotation_id=first.rotation_id)
    assert (again.done, again.version) == (True, 2)
    assert stage.published["version"] == 3


def test_a_repeated_request_with_an_expected_version_rotates_once():
    stage = Stage()
    rotations = stage.enrolled()
    first = rotations.rotate("crm", CALLER, wait=10, expected_version=1)
    again = rotations.rotate("crm", CALLER, wait=10, expected_version=1)
    assert (again.rotation_id, again.joined, again.version) == (first.rotation_id, True, 2)
    with pytest.raises(CallerError) as stale:
        rotations.rotate("crm", CALLER, expected_version=7)
    assert (stale.value.status, stale.value.code) == (409, "stale_version")
    assert stage.person.changes == 1


def test_a_second_request_joins_the_rotation_under_way_and_force_queues_one_more():
    stage = Stage()
    rotations = stage.enrolled()
    views = []

    def ask():
        views.append(rotations.rotate("crm", CALLER))
        views.append(rotations.rotate("crm", CALLER, force=True))
        views.append(rotations.rotate("crm", CALLER, force=True))

    stage.org.script["change"] = deque([ask])
    first = rotations.rotate("crm", CALLER, wait=10)
    joined, forced, forced_again = views
    assert (joined.rotation_id, joined.joined, joined.done) == (first.rotation_id, True, False)
    assert forced.rotation_id != first.rotation_id
    assert (forced_again.rotation_id, forced_again.joined) == (forced.rotation_id, True)
    assert stage.person.changes == 2
    assert stage.published["version"] == 3
    assert rotations.history("crm")[0].rotation_id == forced.rotation_id
    assert stage.is_live


def test_a_kv_version_that_is_not_ours_is_never_logged_in_with():
    stage = Stage()
    rotations = stage.enrolled()
    stage.creds_kv.write("creds/crm", {"password": "x", "security_token": ""}, 1)
    with pytest.raises(CallerError) as refused:
        rotations.rotate("crm", CALLER)
    assert refused.value.remedy == "vault write sf/resync/crm try=current"
    assert stage.person.logins == 0
    HandedIn(rotations).resync("crm", CALLER, password=None, security_token=None, try_="current", wait=10)
    assert stage.is_live
    assert stage.published["version"] == 3


def test_deleting_keeps_the_secrets_and_publishes_a_last_empty_version():
    stage = Stage()
    rotations = stage.enrolled()
    rotations.delete("crm", CALLER)
    assert stage.published == {}
    assert stage.pushed["crm"].deleted
    assert stage.pushed["crm"].version == 2
    assert stage.entry["state"] == "deleted"
    assert [one["password"] for one in stage.entry["kept"]] == ["Old-password-1"]
    assert rotations.held() == {"crm": Held(2, stage.entry["published_id"])}
    assert rotations.statuses() == {}
    rotations.delete("crm", CALLER)
    assert len(stage.creds_kv.versions["creds/crm"]) == 2


def test_a_rotation_in_flight_ends_when_its_role_is_deleted():
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.script["change"] = deque([lambda: rotations.delete("crm", CALLER)])
    rotations.rotate("crm", CALLER)
    assert stage.entry["state"] == "deleted"
    assert stage.person.password in [one["password"] for one in stage.entry["kept"]]
    assert stage.published == {}


def test_a_trigger_begins_once_per_version_and_keeps_its_interval():
    stage = Stage()
    rotations = stage.enrolled()
    assert rotations.request("crm", "lease", 1, stage.entry["published_id"])
    assert stage.published["version"] == 2
    assert rotations.request("crm", "lease", 1), "void: a newer version is published"
    assert not rotations.request("crm", "lease", 2), "too soon after the first"
    stage.clock.seconds += 600
    assert rotations.request("crm", "lease", 2, "another rotation"), "void: not the version that was leased"
    assert stage.published["version"] == 2
    assert rotations.request("crm", "lease", 2)
    assert stage.published["version"] == 3
    assert rotations.request("gone", "lease", 1), "void: there is no such role"


def test_a_trigger_never_leaves_stuck():
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.script["change"] = deque(["lost"] * 3)
    rotations.rotate("crm", CALLER)
    assert stage.entry["state"] == "stuck"
    assert not rotations.request("crm", "lease", 1)
    assert stage.entry["state"] == "stuck"


def test_a_role_without_automation_is_left_alone_by_triggers():
    stage = Stage()
    rotations = stage.enrolled()
    stage.roles.put("crm", replace(stage.role, disable_automated_rotation=True), 1)
    assert rotations.request("crm", "lease", 1)
    assert stage.person.changes == 0


def test_the_plugin_gets_what_it_lacks_from_kv():
    stage = Stage()
    rotations = stage.enrolled()
    stage.pushed.clear()
    rotations.republish(["nobody"])
    assert stage.pushed == {}
    rotations.republish(["crm"])
    assert stage.pushed["crm"].password == SecretStr("Old-password-1")


def test_a_sidecar_that_stops_hands_over_no_more_copies():
    stage = Stage()
    rotations = stage.enrolled()
    stage.pushed.clear()
    rotations.stop(PATIENCE_SECONDS)
    rotations.republish(["crm"])
    assert stage.pushed == {}


def test_a_plugin_that_is_away_delays_no_rotation_and_is_served_later():
    stage = Stage()
    rotations = stage.enrolled()
    stage.plugin_away = True
    assert rotations.rotate("crm", CALLER, wait=10).done
    assert stage.pushed["crm"].version == 1
    stage.plugin_away = False
    for _ in range(10):
        rotations.tick()
        stage.clock.seconds += 1
    assert stage.pushed["crm"].version == 2
    assert not stage.entry.get("owed")


def test_vault_that_is_sealed_is_said_so_and_nothing_begins():
    stage = Stage()
    rotations = stage.enrolled()
    stage.engine_kv.sealed = True
    with pytest.raises(KvUnavailable):
        rotations.rotate("crm", CALLER)
    assert not rotations.request("crm", "lease", 1)
    assert stage.person.logins == 0


def test_the_journal_holds_one_version_and_no_lingering_candidate():
    stage = Stage()
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER)
    assert stage.engine_kv.metadata[JOURNAL] == {"max_versions": 1}
    assert [version for version in stage.engine_kv.versions[JOURNAL] if version is not None] == [stage.entry]
    assert "candidate_password" not in stage.entry


def test_stopping_leaves_a_durable_state_without_a_holder():
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.script["change"] = deque([lambda: rotations.stop(0)])
    view = rotations.rotate("crm", CALLER)
    assert view.state == "rotating"
    assert stage.entry["state"] == "proving"
    assert "holder" not in stage.entry or not stage.entry["holder"]
    assert stage.entry["charges"] == 0, "an attempt that was not made is given back"
    stage.sidecar("two").tick()
    stage.clock.seconds += 2
    other = stage.sidecar("two")
    stage.clock.seconds += 2
    other.tick()
    assert stage.is_live


def test_statuses_come_from_memory_and_hold_no_secret():
    stage = Stage()
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER)
    stage.engine_kv.versions.pop(JOURNAL)
    (status,) = rotations.statuses().values()
    assert (status.state, status.version, status.logins_left) == ("ok", 2, 3)
    assert stage.person.password not in repr(status)


def test_two_roles_rotate_at_the_same_time():
    stage = Stage()
    stage.clock = SystemClock()
    stage.org.add("second@acme.example", "Old-password-2", untrusted=False)
    rotations = stage.sidecar(pool=Slots(4))
    handed_in = HandedIn(rotations)
    handed_in.enrol("crm", stage.role, SecretStr("Old-password-1"), None, CALLER)
    second = replace(stage.role, username="second@acme.example")
    handed_in.enrol("second", second, SecretStr("Old-password-2"), None, CALLER)
    both = threading.Barrier(2, timeout=PATIENCE_SECONDS)
    stage.org.script["change"] = deque([both.wait, both.wait])
    rotations.rotate("crm", CALLER)
    assert rotations.rotate("second", CALLER, wait=PATIENCE_SECONDS).done
    assert rotations.rotate("crm", CALLER, wait=PATIENCE_SECONDS, expected_version=1).done
    rotations.stop(PATIENCE_SECONDS)
    assert stage.person.password == stage.published["password"]
    assert CRM in stage.org.people


def test_a_waiter_is_woken_by_the_end_of_the_rotation():
    stage = Stage()
    stage.clock = SystemClock()
    rotations = stage.sidecar(pool=Slots(2))
    HandedIn(rotations).enrol("crm", stage.role, SecretStr("Old-password-1"), None, CALLER)
    view = rotations.rotate("crm", CALLER, wait=PATIENCE_SECONDS)
    rotations.stop(PATIENCE_SECONDS)
    assert (view.done, view.version) == (True, 2)


def test_who_waits_is_told_at_once_when_the_sidecar_stops():
    stage = Stage()
    stage.clock = SystemClock()
    rotations = stage.sidecar(pool=Slots(2))
    HandedIn(rotations).enrol("crm", stage.role, SecretStr("Old-password-1"), None, CALLER)
    stage.org.script["change"] = deque([rotations.carrier.stopping.set])
    begin = stage.clock.monotonic()
    view = rotations.rotate("crm", CALLER, wait=PATIENCE_SECONDS)
    assert stage.clock.monotonic() - begin < PATIENCE_SECONDS / 2
    assert (view.done, view.state) == (False, "rotating")
    rotations.stop(PATIENCE_SECONDS)


def test_an_expected_version_only_watches_a_stuck_rotation():
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.script["change"] = deque(["lost"] * 3)
    stuck = rotations.rotate("crm", CALLER, wait=10, expected_version=1)
    again = rotations.rotate("crm", CALLER, wait=10, expected_version=1)
    assert (again.state, again.joined, again.rotation_id) == ("stuck", True, stuck.rotation_id)
    assert "sf/status/crm" in again.warning
    assert stage.person.changes == 0


def test_a_role_or_an_entry_of_a_newer_release_is_left_alone_and_the_others_are_served():
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.add("second@acme.example", "Old-password-2", untrusted=False)
    second = replace(stage.role, username="second@acme.example")
    HandedIn(rotations).enrol("second", second, SecretStr("Old-password-2"), None, CALLER)
    newer = stage.entry | {"schema": 99}
    stage.engine_kv.versions[JOURNAL][-1] = newer
    rotations = stage.sidecar()
    with pytest.raises(OperatorError) as refused:
        rotations.rotate("crm", CALLER)
    assert refused.value.status == 503
    assert rotations.rotate("second", CALLER, wait=10).done
    assert stage.entry == newer


def test_what_is_queued_waits_until_the_one_before_it_is_over():
    stage = Stage(token_from="manual", untrusted=True)
    rotations = stage.enrolled()
    stage.org.script["change"] = deque(
        [lambda: rotations.rotate("crm", CALLER, force=True, allow_security_token_wait=True)]
    )
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    assert stage.entry["state"] == "awaiting_token"
    assert stage.person.changes == 1
    HandedIn(rotations).security_token("crm", SecretStr(stage.person.token), CALLER, 10)
    assert stage.person.changes == 2
    assert stage.published["version"] == 2
