"""A hold as it is stored."""

from datetime import UTC, datetime, timedelta

import pytest

from vault_salesforce_sidecar.records.hold import Hold, dump, load
from vault_salesforce_sidecar.records.schema import NewerSchema

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_what_is_stored_reads_back():
    hold = Hold("why", "same_fault", NOW, NOW + timedelta(hours=1), "ann", code="X", roles=("a", "b"), is_sandbox=True)
    assert load(dump(hold)) == hold
    assert dump(hold)["schema"] == 1


@pytest.mark.parametrize(
    ("hold", "over"),
    [
        (Hold("why"), None),
        (Hold("why", until=NOW + timedelta(seconds=1)), None),
        (Hold("why", until=NOW), NOW),
        (Hold("why", until=NOW + timedelta(hours=1), released_at=NOW - timedelta(hours=1)), NOW - timedelta(hours=1)),
    ],
)
def test_a_hold_is_on_until_somebody_ends_it_or_its_own_end_comes(hold, over):
    assert hold.over_since(NOW) == over
    assert hold.is_on(NOW) is (over is None)


def test_what_cannot_be_read_is_said():
    with pytest.raises(NewerSchema):
        load({"schema": 2, "reason": "why"})
    with pytest.raises(ValueError, match="not of the shape"):
        load({"since": "2030-01-01T00:00:00Z"})
