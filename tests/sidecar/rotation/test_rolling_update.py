"""Sidecars are replaced one by one: a rotation that one release began, in any state, is ended by the next one."""

from collections import deque

import pytest
from fake_org import NEW_PASSWORD
from fakes import CALLER, JOURNAL, Killed
from stage import Stage

from vault_plugin_sdk.framework.fields import REQUIRED, declared
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import OperatorError
from vault_salesforce_sidecar.records.journal_entry import SCHEMA, JournalEntry
from vault_salesforce_sidecar.rotation.handed_in import HandedIn

KINDS = {
    "self": {},
    "self-token-mailed": {"token_from": "mailbox", "untrusted": True},
    "admin": {"self_managed": False},
    "admin-token-mailed": {"self_managed": False, "token_from": "mailbox", "untrusted": True},
}
IN_HAND = {"checking", "applying", "proving", "publishing"}
INVENTED = {"invented_later": {"deep": [1, "two"]}}
HOLD_SECONDS = 45


def run_out(stage, rotations, seconds=HOLD_SECONDS):
    for _ in range(seconds):
        rotations.tick()
        stage.clock.seconds += 1


def edit(stage, change):
    """Make the entry what another release would have written."""
    stage.engine_kv.versions[JOURNAL][-1] = change(dict(stage.entry))


def as_of_an_older_release(entry):
    """Without the members that this release would not miss."""
    defaults = {name: item.default for name, item in declared(JournalEntry).items() if item.default is not REQUIRED}
    return {name: value for name, value in entry.items() if name not in defaults or value not in ("", 0, False, [])}


def as_of_a_newer_release(entry):
    return entry | INVENTED


def stop_at(stage, rotations, number):
    """SIGTERM arrives during this outside call."""
    around = stage.accidents.around

    def stopping(name, call):
        if stage.accidents.calls + 1 == number:
            rotations.carrier.stopping.set()
        return around(name, call)

    stage.accidents.around = stopping


def kill_at(stage, rotations, number):
    stage.accidents.kill_at = number


def calls(kind):
    stage = Stage(**KINDS[kind])
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    run_out(stage, rotations)
    return stage.accidents.calls


@pytest.mark.parametrize("end", [stop_at, kill_at])
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_state_a_sidecar_leaves_behind_one_of_another_release_ends_the_rotation(kind, end):
    left = set()
    for number in range(1, calls(kind) + 1):
        written = (as_of_an_older_release, as_of_a_newer_release)[number % 2]
        stage = Stage(**KINDS[kind])
        one = stage.enrolled()
        end(stage, one, number)
        try:
            one.rotate("crm", CALLER, allow_security_token_wait=True)
            run_out(stage, one)
        except Killed:
            stage.accidents.kill_at = None
        begun, where = stage.entry["rotation_id"], (number, stage.entry["state"])
        left.add(stage.entry["state"])
        if end is stop_at:
            assert not stage.entry["holder"], where  # so nobody waits for its time to pass
        edit(stage, written)
        two = stage.sidecar("two")
        run_out(stage, two, 10 if end is stop_at else HOLD_SECONDS)
        assert stage.entry["state"] == "settled", where
        assert stage.entry["rotation_id"] == begun, where
        assert stage.is_live, where
        assert stage.pushed["crm"].version == stage.published["version"], where
        assert (stage.person.logins <= 3, stage.person.lockouts) == (True, 0), where
        assert two.history("crm")[0].rotation_id == begun, where
        assert "owed" not in stage.entry or not stage.entry["owed"], where
        if written is as_of_a_newer_release:
            assert stage.entry.items() >= INVENTED.items(), where
    assert left >= IN_HAND | {"settled"}


def awaiting(stage, rotations):
    stage.person.mails = False
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)


def stuck(stage, rotations):
    stage.org.script["change"] = deque(["lost", "lost", "lost"])
    rotations.rotate("crm", CALLER)
    run_out(stage, rotations)


def withdrawn(stage, rotations):
    stage.org.script["change"] = deque([NEW_PASSWORD])
    rotations.rotate("crm", CALLER)


def settled_and_owing(stage, rotations):
    stage.plugin_away = True
    rotations.rotate("crm", CALLER)
    stage.plugin_away = False


def deleted_and_owing(stage, rotations):
    stage.plugin_away = True
    rotations.delete("crm", CALLER)
    stage.plugin_away = False


def hand_in_the_token(stage, rotations):
    HandedIn(rotations).security_token("crm", SecretStr(stage.person.token), CALLER, 0)


def rotate(stage, rotations):
    rotations.rotate("crm", CALLER)


def nothing(stage, rotations):
    """Its ticker is all that is needed."""


# Kind of role, how it comes to rest, in which state, what the next sidecar is asked to do, where that ends.
RESTING = (
    ("self-token-mailed", awaiting, "awaiting_token", hand_in_the_token, "settled"),
    ("self", stuck, "stuck", rotate, "settled"),
    ("self", withdrawn, "withdrawn", rotate, "settled"),
    ("self", settled_and_owing, "settled", nothing, "settled"),
    ("self", deleted_and_owing, "deleted", nothing, "deleted"),
)


@pytest.mark.parametrize("written", [as_of_an_older_release, as_of_a_newer_release])
@pytest.mark.parametrize("case", RESTING, ids=[case[1].__name__ for case in RESTING])
def test_what_rests_with_one_release_goes_on_with_another(case, written):
    kind, arrange, state, go_on, end = case
    stage = Stage(**KINDS[kind])
    one = stage.enrolled()
    arrange(stage, one)
    one.stop(0)
    assert (stage.entry["state"], stage.entry["holder"]) == (state, "")
    edit(stage, written)
    two = stage.sidecar("two")
    go_on(stage, two)
    run_out(stage, two)
    assert stage.entry["state"] == end
    assert not stage.entry.get("owed")
    if end == "deleted":
        assert stage.pushed["crm"].deleted
    else:
        assert stage.is_live
        assert stage.pushed["crm"].version == stage.published["version"] == 2
    assert stage.person.lockouts == 0
    if written is as_of_a_newer_release:
        assert stage.entry.items() >= INVENTED.items()


def test_an_entry_of_a_newer_schema_is_left_alone_and_said_to_be_so():
    stage = Stage()
    one = stage.enrolled()
    stop_at(stage, one, 4)
    one.rotate("crm", CALLER)
    edit(stage, lambda entry: entry | {"schema": SCHEMA + 1, "state": "invented_later"})
    before, changes = dict(stage.entry), (stage.person.changes, stage.person.logins)
    two = stage.sidecar("two")
    run_out(stage, two)
    for ask in (lambda: two.rotate("crm", CALLER), lambda: two.status("crm")):
        with pytest.raises(OperatorError, match="written by a newer release") as refused:
            ask()
        assert (refused.value.status, refused.value.remedy) == (503, "run the release that wrote it, or a later one")
    assert two.request("crm", "lease", 1) is False  # the mark is not lost on a sidecar that cannot serve it
    assert stage.entry == before
    assert (stage.person.changes, stage.person.logins) == changes
