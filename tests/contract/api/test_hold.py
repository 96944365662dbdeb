"""The end of a hold, as people write it."""

from datetime import UTC, datetime, timedelta

import pytest

from vault_salesforce_contract.api.hold import HOLD, until_of

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("4h", NOW + timedelta(hours=4)),
        ("90", NOW + timedelta(seconds=90)),
        ("2030-01-31T09:00:00Z", datetime(2030, 1, 31, 9, tzinfo=UTC)),
        ("1893456060", NOW + timedelta(minutes=1)),
        ("", None),
    ],
)
def test_an_end_is_a_time_or_a_duration_from_now(text, until):
    assert until_of(text, NOW) == until


@pytest.mark.parametrize("text", ["tomorrow", "2030-01-31", "2030-01-31T09:00:00", "-4h"])
def test_anything_else_is_no_end(text):
    with pytest.raises(ValueError, match="must be a time such as"):
        until_of(text, NOW)
    with pytest.raises(ValueError, match="must be a time such as"):
        HOLD.fields["until"].read(text)


@pytest.mark.parametrize("text", ["", "  ", "two\nlines", "x" * 501])
def test_a_reason_is_one_line(text):
    with pytest.raises(ValueError, match="must be one line"):
        HOLD.fields["reason"].read(text)
