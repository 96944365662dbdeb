"""A role's history: newest first, one row per rotation, bounded."""

from dataclasses import fields
from datetime import UTC, datetime

from vault_salesforce_sidecar.records.history_entry import MAX_ENTRIES, REVEALED, HistoryEntry, dump, load, remembered

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_rows_are_read_as_they_were_written():
    rows = (HistoryEntry("r1", cause="manual", began=NOW, ended=NOW, outcome="settled", version=2),)
    assert load(dump(rows)) == rows


def test_rows_of_an_earlier_release_are_read():
    stored = {"schema": 1, "rotations": [{"rotation_id": "r1", "cause": "manual", "began": "2030-01-01T00:00:00Z"}]}
    assert load(stored) == (HistoryEntry("r1", cause="manual", began=NOW),)


def test_a_full_history_is_a_request_that_the_server_accepts():
    full = {one.name: "x" * 64 for one in fields(HistoryEntry) if one.type == "str"} | {"began": NOW, "ended": NOW}
    rows = ()
    for number in range(2 * MAX_ENTRIES):
        outcome = REVEALED if number % 2 else "settled"
        rows = remembered(rows, HistoryEntry(**full | {"rotation_id": f"r{number}", "outcome": outcome}))
    assert len(rows) == 2 * MAX_ENTRIES
    assert strings(dump(rows)) < 1000
    assert load(dump(rows)) == rows


def strings(value):
    """How many strings a JSON value holds, names included, as OpenBao counts them."""
    if isinstance(value, dict):
        return len(value) + sum(map(strings, value.values()))
    return sum(map(strings, value)) if isinstance(value, list) else int(isinstance(value, str))


def test_a_rotation_that_goes_on_replaces_its_row():
    rows = remembered((HistoryEntry("r2", outcome="stuck"), HistoryEntry("r1")), HistoryEntry("r2", outcome="settled"))
    assert [(row.rotation_id, row.outcome) for row in rows] == [("r2", "settled"), ("r1", "")]


def test_who_helped_a_rotation_on_has_a_row_beside_who_began_it():
    began = HistoryEntry("r1", cause="manual", outcome="stuck", request_id="q1")
    helped = HistoryEntry("r1", cause="unlock", outcome="settled", request_id="q2")
    assert remembered((began,), helped) == (helped, began)


def test_the_oldest_rows_fall_off():
    rows = ()
    for number in range(MAX_ENTRIES + 10):
        rows = remembered(rows, HistoryEntry(f"r{number}"))
    assert len(rows) == MAX_ENTRIES
    assert rows[0].rotation_id == f"r{MAX_ENTRIES + 9}"


def test_each_reading_has_a_row_and_none_pushes_a_rotation_out():
    rows = (HistoryEntry("r1", cause="manual"),)
    for number in range(MAX_ENTRIES + 10):
        rows = remembered(rows, HistoryEntry("r1", cause="reveal", outcome=REVEALED, request_id=f"q{number}"))
    assert len(rows) == MAX_ENTRIES + 1
    assert rows[-1] == HistoryEntry("r1", cause="manual")
    again = remembered(rows, HistoryEntry("r1", cause="manual", outcome="settled"))
    assert len(again) == MAX_ENTRIES + 1
    assert again[0].outcome == "settled"
