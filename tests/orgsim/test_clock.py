"""The org's clock moves on request and is shown as Salesforce shows it."""

from datetime import UTC, datetime, timedelta, timezone

from salesforce_orgsim.clock import OrgClock, soap_stamp, stamp

NOON = datetime(2026, 11, 21, 12, 0, 0, 987_654, tzinfo=UTC)


def test_an_advanced_clock_is_ahead_of_its_source_until_reset():
    clock = OrgClock(lambda: NOON)
    clock.advance(90)
    clock.advance(-30)
    assert clock.now() == NOON + timedelta(seconds=60)
    clock.reset()
    assert clock.now() == NOON


def test_without_a_source_the_clock_follows_the_machine():
    assert OrgClock().now() - datetime.now(UTC) < timedelta(seconds=5)


def test_rest_stamps_are_whole_seconds_in_utc():
    assert stamp(NOON.astimezone(timezone(timedelta(hours=2)))) == "2026-11-21T12:00:00.000+0000"


def test_soap_stamps_have_milliseconds():
    assert soap_stamp(NOON) == "2026-11-21T12:00:00.987Z"
