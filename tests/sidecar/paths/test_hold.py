"""`hold` and `hold/<config>`, through the router."""

from datetime import timedelta

import pytest

from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_sidecar.records.hold import ANOTHER_ORG, Hold


@pytest.mark.parametrize("path", ["hold", "hold/org"])
def test_a_hold_is_written_read_and_deleted(engine, org, path):
    assert engine.ask("read", path).data is None
    engine.ask("update", path, reason="release weekend", until="2h")
    data = engine.ask("read", path).data
    assert (data["reason"], data["held_by"], data["cause"]) == ("release weekend", "ann", "person")
    assert "released_at" not in data
    engine.ask("update", path, reason="longer than thought")
    assert engine.ask("read", path).data["until"] == data["until"]
    engine.ask("update", path, until="")
    assert "until" not in engine.ask("read", path).data
    engine.ask("delete", path)
    engine.ask("delete", path)
    assert engine.ask("read", path).data is None


def test_a_list_shows_why_and_by_whom(engine, org):
    engine.ask("update", "hold", reason="maintenance", until="4h")
    engine.ask("update", "hold/org", reason="release weekend")
    answer = engine.ask("list", "hold/")
    assert answer.data["keys"] == ["(all)", "org"]
    assert answer.data["key_info"]["org"] == {
        "reason": "release weekend",
        "since": answer.data["key_info"]["org"]["since"],
        "held_by": "ann",
        "cause": "person",
    }
    assert "until" in answer.data["key_info"]["(all)"]
    engine.ask("delete", "hold")
    assert engine.ask("list", "hold/").data["keys"] == ["org"]


@pytest.mark.parametrize(
    ("path", "given", "fault"),
    [
        ("hold/org", {}, "reason is missing"),
        ("hold/org", {"reason": "x", "until": "2020-01-01T00:00:00Z"}, "in the past"),
        ("hold/org", {"reason": "x", "until": "soon"}, "must be a time such as"),
        ("hold/nowhere", {"reason": "x"}, "there is no connection"),
        ("hold/-all", {"reason": "x"}, "must be 1 to 128 letters"),
    ],
)
def test_what_holds_nothing_is_refused(engine, org, path, given, fault):
    with pytest.raises(CallerError, match=fault):
        engine.ask("update", path, **given)
    assert engine.rotations.holds.names() == []


def test_an_end_for_the_hold_on_another_org_is_warned_of(engine, org):
    made = Hold("another org", ANOTHER_ORG, organization_id="00D000000000009AAA")
    engine.rotations.holds.pull("org", made)
    answer = engine.ask("update", "hold/org", until="1h")
    assert "held again" in answer.warnings[0]
    assert engine.rotations.holds.get("org").until - engine.clock.now() > timedelta(minutes=59)
