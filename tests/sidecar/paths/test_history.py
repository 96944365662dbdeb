"""The rotations of a role."""

from datetime import UTC, datetime

from vault_salesforce_sidecar.records.history_entry import HistoryEntry


def test_each_rotation_is_answered_as_json(engine):
    entry = HistoryEntry("abc", "lease", began=datetime(2030, 1, 1, tzinfo=UTC), outcome="settled", version=3)
    engine.rotations.history = lambda role: (entry,)
    (rotation,) = engine.ask("read", "history/crm").data["rotations"]
    assert (rotation["rotation_id"], rotation["cause"], rotation["began"]) == ("abc", "lease", "2030-01-01T00:00:00Z")
