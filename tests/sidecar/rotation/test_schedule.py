"""When a role is due, from its settings and the time of its last rotation alone."""

from datetime import UTC, datetime, timedelta

import pytest

from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.rotation.schedule import backoff, next_rotation

LAST = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)  # a Tuesday


def role(**settings):
    return StaticRole(config="demo", username="a@acme.example", **settings)


def test_a_period_counts_from_the_last_rotation():
    assert next_rotation(role(rotation_period=3600), LAST, LAST) == LAST + timedelta(hours=1)


def test_a_cron_expression_is_read_in_utc():
    assert next_rotation(role(rotation_schedule="0 3 * * SAT"), LAST, LAST) == datetime(2030, 1, 5, 3, tzinfo=UTC)


def test_without_a_window_a_missed_time_is_made_up_for():
    due = next_rotation(role(rotation_schedule="0 3 * * *"), LAST, LAST + timedelta(days=9))
    assert due == datetime(2030, 1, 2, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (datetime(2030, 1, 2, 4, 0, tzinfo=UTC), datetime(2030, 1, 2, 3, tzinfo=UTC)),
        (datetime(2030, 1, 2, 5, 1, tzinfo=UTC), datetime(2030, 1, 3, 3, tzinfo=UTC)),
        (datetime(2030, 1, 9, 3, 30, tzinfo=UTC), datetime(2030, 1, 9, 3, tzinfo=UTC)),
    ],
)
def test_a_time_whose_window_is_over_is_passed_over(now, due):
    assert next_rotation(role(rotation_schedule="0 3 * * *", rotation_window=7200), LAST, now) == due


def test_the_first_rotation_may_be_given_a_time():
    first = LAST + timedelta(days=3)
    given = role(rotation_period=3600, initial_rotation_at=first)
    assert next_rotation(given, LAST, LAST) == first
    assert next_rotation(given, first, first) == first + timedelta(hours=1)


@pytest.mark.parametrize(
    ("settings", "last"),
    [({}, LAST), ({"rotation_period": 60}, None), ({"rotation_period": 60, "disable_automated_rotation": True}, LAST)],
)
def test_nothing_is_due_by_itself_without_a_schedule_or_a_first_version(settings, last):
    assert next_rotation(role(**settings), last, LAST) is None


def test_the_pause_after_failures_doubles_up_to_a_day():
    pauses = [backoff(failures) for failures in (1, 2, 3, 8, 100)]
    assert pauses[:3] == [timedelta(minutes=10), timedelta(minutes=20), timedelta(minutes=40)]
    assert pauses[3:] == [timedelta(minutes=1280), timedelta(hours=24)]
