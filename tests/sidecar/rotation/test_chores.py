"""What is owed after a rotation is done at least once, and the plugin is handed only what we proved."""

from dataclasses import replace

from fakes import CALLER, START
from stage import Stage

from vault_salesforce_contract.registration import Held


def test_what_is_pushed_carries_what_the_plugin_needs_to_lease_it():
    stage = Stage()
    stage.role = replace(stage.role, ttl=60, max_ttl=120, rotate_on_lease_end="any", consumer_hints="ttl")
    stage.enrolled()
    pushed = stage.pushed["crm"]
    assert (pushed.version, pushed.rotation_id) == (1, stage.entry["rotation_id"])
    assert (pushed.ttl, pushed.max_ttl, pushed.rotate_on_lease_end) == (60, 120, "any")
    assert pushed.rotation_period == 3600
    assert 3600 <= (pushed.next_rotation - START).total_seconds() <= 3750
    assert pushed.last_vault_rotation == START


def test_a_role_that_rotates_only_when_somebody_asks_is_pushed_as_one_that_no_lease_rotates():
    stage = Stage()
    stage.role = replace(stage.role, rotate_on_lease_end="last", disable_automated_rotation=True)
    stage.enrolled()
    assert stage.pushed["crm"].rotate_on_lease_end == "never"


def test_a_cron_schedule_is_told_as_a_period_too():
    stage = Stage()
    stage.role = replace(stage.role, rotation_period=None, rotation_schedule="0 3 * * *", consumer_hints="ttl")
    stage.enrolled()
    assert stage.pushed["crm"].rotation_period == 3 * 3600


def test_without_hints_nothing_is_pushed_that_changes_between_two_reads():
    stage = Stage()
    stage.enrolled()
    assert stage.pushed["crm"].rotation_period is None
    assert stage.pushed["crm"].next_rotation is None


def test_a_version_that_is_not_ours_is_not_pushed():
    stage = Stage()
    rotations = stage.enrolled()
    stage.pushed.clear()
    stage.creds_kv.write("creds/crm", {"password": "mine", "security_token": ""}, 1)
    rotations.republish(["crm"])
    assert stage.pushed == {}


def test_the_last_version_of_a_role_whose_account_serves_another_one_is_pushed_all_the_same():
    stage = Stage()
    rotations = stage.enrolled()
    rotations.delete("crm", CALLER)
    held = stage.entry["published_id"]
    stage.roles.delete("crm", stage.roles.get("crm").version)
    stage.engine_kv.versions.pop("journal/integration%40acme.example")
    rotations = stage.sidecar()
    stage.pushed.clear()
    assert rotations.held() == {"crm": Held(2, held)}
    rotations.republish(["crm"])
    assert stage.pushed["crm"].deleted
    assert (stage.pushed["crm"].version, stage.pushed["crm"].rotation_id) == (2, held)


def test_a_history_of_a_newer_release_is_left_alone():
    stage = Stage()
    rotations = stage.enrolled()
    stage.engine_kv.versions["history/crm"][-1] = {"schema": 99}
    assert rotations.rotate("crm", CALLER, wait=10).done
    assert stage.engine_kv.newest("history/crm") == {"schema": 99}
    assert not stage.entry.get("owed")


def test_a_history_that_was_spoilt_holds_up_no_rotation():
    stage = Stage()
    rotations = stage.enrolled()
    stage.engine_kv.versions["history/crm"][-1] = {"schema": 1, "rotations": [{"rotation_id": 7, "version": "many"}]}
    assert rotations.rotate("crm", CALLER, wait=10).done
    assert rotations.rotate("crm", CALLER, wait=10).done
    assert not stage.entry.get("owed")


def test_what_is_pushed_from_memory_is_what_kv_holds():
    stage = Stage()
    rotations = stage.enrolled()
    assert rotations.rotate("crm", CALLER).done
    from_memory = stage.pushed.pop("crm")
    rotations.republish(["crm"])
    assert stage.pushed["crm"] == from_memory
    assert from_memory.version == 2


def test_a_rotation_is_answered_before_its_row_in_the_history_is_written_and_the_row_is_shown_all_the_same():
    stage = Stage()
    rotations = stage.enrolled()
    seen = []

    def announce(account):
        names = stage.accidents.names
        seen.append(("push" in names, any("history" in name for name in names), rotations.history("crm")[0].cause))

    rotations.carrier.jobs.announce = announce
    rotations.rotate("crm", CALLER, cause="leak")
    assert seen[0] == (True, False, "leak")
    assert stage.entry["owed"] == []
    assert [row.cause for row in rotations.history("crm")] == ["leak", "create"]
