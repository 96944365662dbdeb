"""Who begins a rotation, who joins one, and what becomes of one that is queued."""

from collections import deque
from dataclasses import replace

import pytest
from fake_org import NEW_PASSWORD
from fakes import CALLER, START
from stage import Stage

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_sidecar.rotation.asking import OutcomeUnknown
from vault_salesforce_sidecar.rotation.handed_in import HandedIn
from vault_salesforce_sidecar.rotation.parts import open_account
from vault_salesforce_sidecar.store import Conflict, KvUnavailable


class LatePool:
    """Does work when the test says so."""

    def __init__(self):
        self.work = []

    def submit(self, work, whose=""):
        self.work.append(work)

    def stop(self, timeout_seconds):
        """Nothing runs by itself."""

    def run(self):
        while self.work:
            self.work.pop(0)()


def late(stage):
    """The role `crm`, looked after by a sidecar whose jobs wait for the test."""
    stage.enrolled()
    pool = LatePool()
    return stage.sidecar(pool=pool), pool


def end_it_before_it_is_joined(monkeypatch, rotations, pool):
    """The rotation under way comes to rest after it was found in hand, and before it is joined."""
    edit = rotations.carrier.desk.edit

    def ended(*args):
        monkeypatch.setattr(rotations.carrier.desk, "edit", edit)
        pool.run()
        return edit(*args)

    monkeypatch.setattr(rotations.carrier.desk, "edit", ended)


def test_who_joins_a_rotation_that_ends_at_that_moment_gets_its_result(monkeypatch):
    stage = Stage()
    rotations, pool = late(stage)
    first = rotations.rotate("crm", CALLER)
    end_it_before_it_is_joined(monkeypatch, rotations, pool)
    joined = rotations.rotate("crm", CALLER)
    assert (joined.rotation_id, joined.joined, joined.done, joined.version) == (first.rotation_id, True, True, 2)


def test_one_more_is_begun_where_the_one_before_it_ends_at_that_moment(monkeypatch):
    stage = Stage()
    rotations, pool = late(stage)
    first = rotations.rotate("crm", CALLER)
    end_it_before_it_is_joined(monkeypatch, rotations, pool)
    forced = rotations.rotate("crm", CALLER, force=True)
    assert forced.rotation_id != first.rotation_id
    assert not forced.joined
    pool.run()
    assert stage.published["version"] == 3


def test_with_an_expected_version_a_rotation_that_another_began_and_ended_meanwhile_is_the_answer(monkeypatch):
    stage = Stage()
    rotations = stage.enrolled()
    other = stage.sidecar("two")
    rotate = rotations.beginning.rotate

    def overtaken(*args, **settings):
        monkeypatch.setattr(rotations.beginning, "rotate", rotate)
        other.rotate("crm", CALLER)
        return rotate(*args, **settings)

    monkeypatch.setattr(rotations.beginning, "rotate", overtaken)
    view = rotations.rotate("crm", CALLER, expected_version=1)
    assert (view.joined, view.done, view.version) == (True, True, 2)
    assert stage.person.changes == 1


def test_a_role_that_waits_for_its_first_token_says_so_to_who_would_rotate_it():
    stage = Stage(token_from="mailbox", untrusted=True)
    rotations = stage.sidecar()
    HandedIn(rotations).enrol("crm", stage.role, SecretStr(stage.person.password), None, CALLER)
    with pytest.raises(CallerError, match="waits for its first security token") as refused:
        rotations.rotate("crm", CALLER)
    assert "Reset My Security Token" in refused.value.remedy


def test_one_that_is_queued_can_be_watched_at_once_and_is_begun_by_whoever_comes_first():
    stage = Stage()
    rotations, pool = late(stage)
    rotations.rotate("crm", CALLER)
    forced = rotations.rotate("crm", CALLER, force=True)
    assert rotations.rotate("crm", CALLER, rotation_id=forced.rotation_id).state == "rotating"
    rotations.carrier.after_rest = lambda *_: None  # nobody has looked at the queue yet
    pool.run()
    assert stage.entry["state"] == "settled"
    begun = rotations.rotate("crm", CALLER)
    assert begun.rotation_id == forced.rotation_id
    pool.run()
    rotations.tick()
    pool.run()
    watched = rotations.rotate("crm", CALLER, rotation_id=forced.rotation_id)
    assert (watched.done, watched.version) == (True, 3)
    assert stage.person.changes == 2


def test_one_that_is_queued_is_known_by_who_asked_for_it():
    stage = Stage()
    rotations, pool = late(stage)
    rotations.rotate("crm", CALLER)
    other = Caller(request_id="req-2", display_name="another", entity_id="ent-2", accessor="acc-2")
    forced = rotations.rotate("crm", other, force=True)
    pool.run()
    pool.run()
    row = rotations.history("crm")[0]
    assert (row.rotation_id, row.cause) == (forced.rotation_id, "force")
    assert (row.request_id, row.display_name, row.entity_id, row.accessor) == ("req-2", "another", "ent-2", "acc-2")


@pytest.mark.parametrize(
    ("caller", "told"),
    [
        (Caller(display_name="reader", request_id="req-2"), ("reader", "req-2")),
        (Caller(), ("lease", "")),
        (None, ("lease", "")),
    ],
)
def test_a_leases_end_is_known_by_who_was_lent_it(caller, told):
    stage = Stage()
    rotations = stage.enrolled()
    assert rotations.request("crm", "lease", 1, None, caller)
    row = rotations.history("crm")[0]
    assert (row.cause, row.display_name, row.request_id) == ("lease", *told)


def test_one_that_is_queued_is_not_begun_twice():
    stage = Stage()
    rotations, pool = late(stage)
    rotations.rotate("crm", CALLER)
    rotations.rotate("crm", CALLER, force=True)
    rotations.carrier.after_rest = lambda *_: None
    pool.run()
    queued = rotations.carrier.reread(stage.role.username)
    account = open_account(rotations.carrier.parts, "crm")
    rotations.rotate("crm", CALLER)
    pool.run()
    rotations.beginning.queued(account, queued)
    pool.run()
    assert stage.published["version"] == 3


def test_what_is_queued_outlives_a_moment_without_vault():
    stage = Stage()
    rotations = stage.enrolled()

    def seal():
        stage.creds_kv.sealed = True

    stage.org.script["change"] = deque([lambda: rotations.rotate("crm", CALLER, force=True)])
    push = rotations.carrier.chores.push
    rotations.carrier.chores.push = lambda *given: (push(*given), seal())[0]
    rotations.rotate("crm", CALLER)
    assert stage.entry["queued"]
    rotations.carrier.chores.push = push
    stage.creds_kv.sealed = False
    for _ in range(10):
        rotations.tick()
        stage.clock.seconds += 1
    assert stage.published["version"] == 3


def test_one_that_may_not_begin_any_more_is_in_the_history_with_the_reason():
    """Found by the fault tests: its id had been given out, and nothing told what became of it."""
    stage = Stage()
    rotations = stage.enrolled()
    told = []
    stage.org.script["change"] = deque([lambda: told.append(rotations.rotate("crm", CALLER, force=True))])
    push = rotations.carrier.chores.push

    def spoil(*given):
        push(*given)
        rotations.carrier.chores.push = push
        stage.creds_kv.write("creds/crm", {"password": "somebody's own"}, stage.published["version"])

    rotations.carrier.chores.push = spoil
    rotations.rotate("crm", CALLER)
    assert not stage.entry["queued"]
    assert stage.person.changes == 1
    (row,) = [row for row in rotations.history("crm") if row.rotation_id == told[0].rotation_id]
    assert (row.cause, row.outcome, row.display_name) == ("force", "withdrawn", CALLER.display_name)
    assert "not one that this engine published" in row.reason


def test_one_more_needs_the_same_consent_as_the_first():
    stage = Stage(token_from="manual", untrusted=True)
    stage.enrolled()
    rotations = stage.sidecar(pool=LatePool())
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    with pytest.raises(CallerError) as refused:
        rotations.rotate("crm", CALLER, force=True)
    assert refused.value.code == "allow_security_token_wait"
    assert not stage.entry.get("queued")


def test_a_rotation_whose_first_write_nobody_heard_of_has_begun():
    stage = Stage()
    rotations = stage.enrolled()
    stage.engine_kv.lost_writes = 1
    assert rotations.rotate("crm", CALLER, wait=10).done
    assert stage.person.changes == 1


def test_an_error_promises_that_nothing_was_begun():
    stage = Stage()
    rotations = stage.enrolled()
    before = stage.entry
    write = stage.engine_kv.write

    def refuse(*_):
        raise KvUnavailable("Vault is sealed", nothing_done=True)

    stage.engine_kv.write = refuse
    with pytest.raises(KvUnavailable):
        rotations.rotate("crm", CALLER)
    stage.engine_kv.write = write
    for _ in range(40):
        rotations.tick()
        stage.clock.seconds += 1
    assert stage.entry == before


def test_a_first_write_that_arrives_after_the_error_finds_its_place_taken():
    """The connection broke, the caller was told that nothing began, and then the server read what was in its socket."""
    stage = Stage()
    rotations = stage.enrolled()
    before, write, late = stage.entry, stage.engine_kv.write, []

    def lose(path, data, cas):
        stage.engine_kv.write = write
        late.append((path, data, cas))
        raise KvUnavailable("the connection broke")

    stage.engine_kv.write = lose
    with pytest.raises(KvUnavailable):
        rotations.rotate("crm", CALLER)
    with pytest.raises(Conflict):
        write(*late[0])
    for _ in range(40):
        rotations.tick()
        stage.clock.seconds += 1
    assert stage.entry == before
    assert stage.person.changes == 0


def test_no_5xx_where_vault_never_says_whether_a_rotation_was_written_down():
    stage = Stage()
    rotations = stage.enrolled()
    write, late = stage.engine_kv.write, []

    def lose(*sent):
        late.append(sent)
        raise KvUnavailable("the connection broke")

    stage.engine_kv.write = lose
    with pytest.raises(OutcomeUnknown) as unknown:
        rotations.rotate("crm", CALLER)
    assert unknown.value.status == 424
    stage.engine_kv.write = write
    write(*late[0])  # it arrives, and is carried on
    for _ in range(40):
        rotations.tick()
        stage.clock.seconds += 1
    assert stage.published["version"] == 2
    assert stage.person.changes == 1


def test_a_schedule_that_was_changed_elsewhere_a_moment_ago_begins_nothing():
    stage = Stage()
    rotations = stage.enrolled()
    stage.roles.put("crm", replace(stage.role, rotation_period=7200), 1)
    stage.clock.seconds = 3750
    rotations.tick()
    assert stage.published["version"] == 1
    assert 7200 <= (rotations.carrier.roster.next_rotation("crm") - START).total_seconds() <= 7500


def test_a_rotation_goes_on_by_itself_after_vault_was_sealed_for_minutes():
    for operation in ("change", "find_user", "log_in"):
        stage = Stage()
        rotations = stage.enrolled()

        def seal(stage=stage):
            stage.engine_kv.sealed = stage.creds_kv.sealed = True

        stage.org.script[operation] = deque([seal])
        view = rotations.rotate("crm", CALLER)
        assert (view.done, view.state) == (False, "rotating"), "it has begun, so it is no error"
        for _ in range(300):
            rotations.tick()
            stage.clock.seconds += 1
        stage.engine_kv.sealed = stage.creds_kv.sealed = False
        for _ in range(60):
            rotations.tick()
            stage.clock.seconds += 1
        assert stage.entry["state"] == "settled", operation
        assert stage.is_live
        assert stage.person.logins <= 3
        assert stage.person.lockouts == 0


def test_who_waits_for_a_job_that_never_began_is_told_when_the_sidecar_stops():
    stage = Stage()
    rotations, _ = late(stage)
    rotations.rotate("crm", CALLER)
    rotations.stop(0)
    before = stage.clock.seconds
    view = rotations.waiting.watch(
        open_account(rotations.carrier.parts, "crm"), stage.entry["rotation_id"], 10, joined=True
    )
    assert view.state == "rotating"
    assert stage.clock.seconds - before < 1


def test_a_refused_rotation_that_needs_consent_names_it_in_its_next_step():
    stage = Stage(token_from="manual", untrusted=True)
    rotations = stage.enrolled()
    stage.org.script["change"] = deque([NEW_PASSWORD])
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    assert rotations.status("crm").next_step == "vault write sf/rotate/crm allow_security_token_wait=true"


def test_a_rotation_that_came_to_nothing_says_so_also_later():
    stage = Stage()
    rotations = stage.enrolled()
    stage.org.script["change"] = deque([NEW_PASSWORD])
    refused = rotations.rotate("crm", CALLER)
    rotations.rotate("crm", CALLER)
    view = rotations.rotate("crm", CALLER, rotation_id=refused.rotation_id)
    assert (view.done, view.warning) == (False, "it ended withdrawn: refused; see: vault read sf/status/crm")


def test_what_was_queued_at_one_sidecar_can_be_watched_at_the_one_that_rotates():
    stage = Stage()
    rotations, pool = late(stage)
    rotations.rotate("crm", CALLER)
    forced = stage.sidecar("two").rotate("crm", CALLER, force=True)
    watched = rotations.rotate("crm", CALLER, rotation_id=forced.rotation_id)
    assert (watched.done, watched.state) == (False, "rotating")
    pool.run()
    assert rotations.rotate("crm", CALLER, rotation_id=forced.rotation_id).done
