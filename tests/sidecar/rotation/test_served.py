"""KV was restored alone: the mount's copies lead, and are the newest that Vault has."""

from dataclasses import replace

import pytest
from fakes import CALLER, JOURNAL
from stage import Stage
from test_recalling import resync, snapshot, sweep

from vault_plugin_sdk.logical.errors import CallerError, TransientError
from vault_salesforce_contract.registration import Held
from vault_salesforce_sidecar.records.hold import RESTORED
from vault_salesforce_sidecar.rotation.holds import ALL


def copies(stage):
    """What the mount holds, as a heartbeat tells it."""
    return {role: Held(one.version, one.rotation_id) for role, one in stage.pushed.items()}


@pytest.mark.parametrize("ago", [1, 5, 50])
def test_a_sidecar_started_after_it_tries_nothing_that_is_old_and_the_copy_is_proven(ago):
    stage = Stage()
    rotations = stage.enrolled()
    restore = snapshot(stage.engine_kv, stage.creds_kv)
    for _ in range(ago):
        rotations.rotate("crm", CALLER)
    restore()
    logins = stage.person.logins
    fresh = stage.sidecar("fresh")
    fresh.copies_ahead(copies(stage))
    assert fresh.holds.get(ALL).cause == RESTORED
    assert f"the mount serves version {1 + ago} of crm, and KV knows of 1" in fresh.holds.get(ALL).reason
    with pytest.raises(TransientError, match="KV shows version 1"):
        fresh.rotate("crm", CALLER)
    status = fresh.status("crm")
    assert (status.state, status.next_step) == ("stuck", "vault write sf/resync/crm try=served")
    assert fresh.held() == copies(stage)  # so that it is not told again
    sweep(stage, fresh)
    assert stage.person.logins == logins
    resync(fresh, try_="served")
    assert stage.is_live
    assert stage.pushed["crm"].version == stage.published["version"] == 1 + ago + 1
    assert (stage.person.fails, fresh.status("crm").state) == (0, "held")
    fresh.holds.release(ALL, CALLER)
    assert fresh.rotate("crm", CALLER).done


def test_a_copy_that_another_sidecar_handed_over_a_moment_ago_does_not_lead():
    stage = Stage()
    one = stage.enrolled()
    two = stage.sidecar("two")
    one.rotate("crm", CALLER)
    two.copies_ahead(copies(stage))
    assert two.holds.get(ALL) is None
    assert two.held() == copies(stage)


def test_the_last_version_of_a_role_that_is_just_being_deleted_does_not_lead():
    """It is handed to the mount before the entry tells of it, and a heartbeat may come in between."""
    stage = Stage()
    rotations = stage.enrolled()
    written = stage.creds_kv.write("creds/crm", {}, 1)
    stage.creds_kv.set_metadata("creds/crm", custom_metadata={"rotation_id": "last"})
    rotations.copies_ahead({"crm": Held(written, "last")})
    assert rotations.holds.get(ALL) is None
    rotations.copies_ahead({"crm": Held(written, "another")})
    assert rotations.holds.get(ALL).cause == RESTORED


def test_a_credential_that_a_standby_shows_late_is_waited_for():
    stage = Stage()
    rotations = stage.enrolled()
    read, late = stage.creds_kv.read, []

    def lagging(path):
        if len(late) < 3:
            late.append(path)
            return before
        return read(path)

    before = read("creds/crm")
    written = stage.creds_kv.write("creds/crm", {}, 1)
    stage.creds_kv.set_metadata("creds/crm", custom_metadata={"rotation_id": "last"})
    stage.creds_kv.read = lagging
    rotations.copies_ahead({"crm": Held(written, "last")})
    assert len(late) == 3
    assert rotations.holds.get(ALL) is None


def test_a_role_in_hand_is_told_only_what_was_published():
    stage = Stage()
    rotations = stage.enrolled()
    before = stage.engine_kv.newest(JOURNAL) | {"state": "stuck", "reason": "neither"}
    stage.engine_kv.write(JOURNAL, before, len(stage.engine_kv.versions[JOURNAL]))
    rotations.copies_ahead({"crm": Held(7, "later")})
    assert (stage.entry["state"], stage.entry["published_version"]) == ("stuck", 7)
    assert stage.entry["current_password"] == before["current_password"]


def test_where_the_mount_serves_nothing_there_is_nothing_to_prove():
    stage = Stage()
    rotations = stage.enrolled()
    stage.pushed.clear()
    with pytest.raises(CallerError, match="serves nothing"):
        resync(rotations, try_="served")


def test_a_role_that_was_made_anew_is_published_above_what_the_mount_serves():
    """KV was lost altogether: the copy's password logs in, and is in KV already, at version 1."""
    stage = Stage()
    rotations = stage.enrolled()
    stage.pushed["crm"] = replace(stage.pushed["crm"], version=4, rotation_id="before")
    resync(rotations, try_="served")
    assert stage.published["version"] == stage.pushed["crm"].version == 5
    assert stage.is_live
