"""When a role is due: by its settings, its account's entry, and a moved clock alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import schedule
from vault_salesforce_sidecar.rotation.schedule import (
    MOST_FAILURES,
    backed_off,
    backoff,
    is_parked,
    is_replanned,
    next_due,
    planned,
)

LAST = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)  # a Tuesday
USER = "a@acme.example"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def role(username=USER, **settings):
    return StaticRole(config="demo", username=username, **settings)


def entry(last=LAST, **fields):
    return JournalEntry(
        username=USER, role="crm", state="settled", published_version=1, published_id="r", last_rotation=last, **fields
    )


def due(given, last=LAST, now=LAST, **fields):
    found = next_due(given, planned(entry(last, **fields), given, now), now)
    return found.at if found else None


def slots(expression, zone, first, count, **settings):
    """The times at which a role is rotated that is rotated at each of its times."""
    given, found = role(rotation_schedule=expression, rotation_time_zone=zone, **settings), [first]
    while len(found) <= count:
        found.append(due(given, found[-1], found[-1]))
    return found[1:]


def at(text):
    return datetime.fromisoformat(text)


def test_a_period_counts_from_the_last_rotation():
    own = due(role(rotation_period=3600)) - LAST - HOUR
    assert timedelta(0) <= own <= HOUR / 24
    assert due(role(rotation_period=3600), LAST + DAY) == LAST + DAY + HOUR + own


def test_a_thousand_accounts_of_one_period_are_not_due_together():
    found = sorted(due(role(f"user{n}@acme.example", rotation_period=30 * 86_400)) for n in range(1000))
    assert found[0] >= LAST + 30 * DAY
    assert found[-1] <= LAST + 30 * DAY + HOUR
    assert max(sum(1 for one in found if begin <= one < begin + HOUR / 60) for begin in found) < 50


def test_a_thousand_accounts_of_one_schedule_are_spread_over_half_of_its_window_and_without_one_not_at_all():
    def times(**window):
        users = [f"user{n}@acme.example" for n in range(1000)]
        return [due(role(user, rotation_schedule="0 3 * * *", **window)) for user in users]

    assert set(times()) == {at("2030-01-02T03:00Z")}
    found = sorted(times(rotation_window=4 * 3600))
    assert found[0] >= at("2030-01-02T03:00Z")
    assert at("2030-01-02T04:50Z") < found[-1] <= at("2030-01-02T05:00Z")
    assert max(sum(1 for one in found if begin <= one < begin + HOUR / 60) for begin in found) < 50


def test_a_window_that_is_longer_than_the_time_between_two_times_leaves_none_out():
    found = slots("0 * * * *", "UTC", LAST, 5, rotation_window=86_400)
    assert [one.hour for one in found] == [13, 14, 15, 16, 17]


def test_without_a_window_a_missed_time_is_made_up_for():
    assert due(role(rotation_schedule="0 3 * * *"), now=LAST + 9 * DAY) == at("2030-01-02T03:00Z")


@pytest.mark.parametrize(
    ("now", "first", "last"),
    [
        ("2030-01-02T04:00Z", "2030-01-02T03:00Z", "2030-01-02T04:00Z"),
        ("2030-01-02T05:00Z", "2030-01-03T03:00Z", "2030-01-03T04:00Z"),
        ("2030-01-09T03:30Z", "2030-01-09T03:00Z", "2030-01-09T04:00Z"),
    ],
)
def test_a_time_whose_window_is_over_is_passed_over(now, first, last):
    given = role(rotation_schedule="0 3 * * *", rotation_window=7200)
    stored = planned(entry(), given, LAST)
    assert at(first) <= next_due(given, stored, at(now)).at <= at(last)


def test_the_first_rotation_may_be_given_a_time():
    first = LAST + 3 * DAY
    given = role(rotation_period=3600, initial_rotation_at=first)
    assert due(given) == first
    assert due(given, first, first) >= first + HOUR


@pytest.mark.parametrize(
    ("settings", "last"),
    [({}, LAST), ({"rotation_period": 60}, None), ({"rotation_period": 60, "disable_automated_rotation": True}, LAST)],
)
def test_nothing_is_due_by_itself_without_a_schedule_or_a_first_version(settings, last):
    assert due(role(**settings), last) is None
    assert next_due(role(**settings), replace(entry(last), published_version=0), LAST) is None


def test_the_next_time_is_stored_and_stays_what_it_was_however_late_it_is_looked_at():
    given = role(rotation_period=3600)
    stored = planned(entry(), given, LAST)
    assert stored.next_rotation == due(given)
    for later in (LAST, LAST + DAY, LAST + 400 * DAY):
        assert planned(stored, given, later) == stored
        assert next_due(given, stored, later).at == stored.next_rotation


def test_an_entry_of_a_release_that_stored_no_time_has_the_one_that_follows_from_its_last_rotation():
    given = role(rotation_period=3600)
    assert not is_replanned(entry(), given)
    assert next_due(given, entry(), LAST + 9 * DAY).at == due(given)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"rotation_period": 30 * 86_400}, {"rotation_period": 7 * 86_400}),
        ({"rotation_period": 30 * 86_400}, {"rotation_schedule": "0 3 * * *"}),
        ({}, {"rotation_period": 86_400}),
        ({"rotation_period": 86_400, "disable_automated_rotation": True}, {"rotation_period": 86_400}),
        ({"rotation_schedule": "0 3 * * *"}, {"rotation_schedule": "0 3 * * *", "rotation_time_zone": "Asia/Tokyo"}),
    ],
)
def test_a_schedule_that_changed_counts_on_from_the_last_rotation_and_makes_nothing_due_at_once(before, after):
    now = LAST + 20 * DAY
    stored = planned(entry(), role(**before), LAST)
    assert is_replanned(stored, role(**after))
    again = planned(stored, role(**after), now)
    assert now < again.next_rotation <= now + 8 * DAY
    assert not is_replanned(again, role(**after))
    assert next_due(role(**after), again, now + 30 * DAY).at == again.next_rotation
    if period := after.get("rotation_period"):
        own = due(role(rotation_period=period)) - LAST - timedelta(seconds=period)
        assert (again.next_rotation - own - LAST) % timedelta(seconds=period) == timedelta(0)


def test_a_first_time_that_has_passed_is_what_the_operator_asked_for():
    stored = planned(entry(), role(rotation_period=30 * 86_400), LAST)
    told = role(rotation_period=30 * 86_400, initial_rotation_at=LAST + DAY)
    assert planned(stored, told, LAST + 2 * DAY).next_rotation == LAST + DAY


def test_a_schedule_that_changed_while_a_rotation_ran_counts_from_its_end():
    stored = planned(entry(), role(rotation_period=30 * 86_400), LAST)
    ended = replace(stored, last_rotation=LAST + DAY)
    assert planned(ended, role(rotation_schedule="0 3 * * *"), LAST + 9 * DAY).next_rotation == at("2030-01-03T03:00Z")


def test_the_orgs_expiry_comes_before_a_schedule_that_is_later_and_not_before_one_that_is_earlier():
    expires = LAST + 90 * DAY
    for settings in ({"rotation_period": 365 * 86_400}, {}, {"rotation_schedule": "0 3 1 1 *"}):
        found = due(role(**settings), planned_from=LAST, password_expires=expires)
        assert expires - 4 * DAY <= found <= expires - 3 * DAY
    sooner = due(role(rotation_period=86_400), password_expires=expires)
    assert sooner == due(role(rotation_period=86_400))
    manual = role(rotation_period=86_400, disable_automated_rotation=True)
    assert due(manual, planned_from=LAST, password_expires=expires) is None


def test_a_password_with_a_short_life_is_not_rotated_for_its_expiry_at_once():
    found = due(role(), planned_from=LAST, password_expires=LAST + 2 * DAY)
    assert found == LAST + 2 * DAY - DAY / 2


def test_what_expired_is_the_old_password_once_another_was_made():
    stored = planned(entry(planned_from=LAST - DAY, password_expires=LAST + DAY), role(), LAST)
    assert stored.password_expires is None


@pytest.mark.parametrize(
    ("zone", "expression", "after", "expected"),
    [
        # Clocks jump from 2:00 to 3:00: a time between is made up for when they have jumped.
        ("Europe/Berlin", "30 2 * * *", "2030-03-30T12:00Z", ["2030-03-31T01:00Z", "2030-04-01T00:30Z"]),
        ("America/New_York", "15,45 2 * * *", "2030-03-09T12:00Z", ["2030-03-10T07:00Z", "2030-03-11T06:15Z"]),
        # Clocks go back from 3:00 to 2:00: a time that is shown twice counts the first time.
        ("Europe/Berlin", "30 2 * * *", "2030-10-26T12:00Z", ["2030-10-27T00:30Z", "2030-10-28T01:30Z"]),
        ("America/New_York", "30 1 * * *", "2030-11-02T12:00Z", ["2030-11-03T05:30Z", "2030-11-04T06:30Z"]),
        # Half an hour from UTC, half an hour of summer time, and three quarters.
        ("Asia/Kolkata", "0 3 * * *", "2030-06-01T00:00Z", ["2030-06-01T21:30Z", "2030-06-02T21:30Z"]),
        ("Australia/Lord_Howe", "15 2 * * *", "2030-10-05T00:00Z", ["2030-10-05T15:30Z", "2030-10-06T15:15Z"]),
        ("Australia/Lord_Howe", "45 1 * * *", "2030-04-06T00:00Z", ["2030-04-06T14:45Z", "2030-04-07T15:15Z"]),
        ("Australia/Lord_Howe", "15 */2 * * *", "2030-04-06T14:00Z", ["2030-04-06T15:45Z", "2030-04-06T17:45Z"]),
        ("Asia/Kathmandu", "0 0 1 1 *", "2030-06-01T00:00Z", ["2030-12-31T18:15Z", "2031-12-31T18:15Z"]),
        # A whole day was left out.
        ("Pacific/Apia", "0 12 * * *", "2011-12-29T00:00Z", ["2011-12-29T22:00Z", "2011-12-30T10:00Z"]),
        ("UTC", "0 3 29 2 *", "2030-01-01T00:00Z", ["2032-02-29T03:00Z", "2036-02-29T03:00Z"]),
        ("UTC", "59 23 31 12 *", "2030-12-31T23:59Z", ["2031-12-31T23:59Z", "2032-12-31T23:59Z"]),
        ("Europe/London", "0 0 L * *", "2028-02-01T00:00Z", ["2028-02-29T00:00Z", "2028-03-30T23:00Z"]),
    ],
)
def test_a_schedule_follows_the_clock_on_the_wall(zone, expression, after, expected):
    assert slots(expression, zone, at(after), 2) == [at(one) for one in expected]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"rotation_period": 60, "rotation_schedule": "0 3 * * *"}, "give either rotation_period or"),
        ({"rotation_window": 3600}, "rotation_window needs a rotation_schedule"),
        ({"rotation_window": 3600, "rotation_period": 60}, "rotation_window needs a rotation_schedule"),
        ({"rotation_time_zone": "Asia/Tokyo"}, "rotation_time_zone needs a rotation_schedule"),
        ({"rotation_schedule": "0 3 * * *", "rotation_time_zone": "europe/berlin"}, "did you mean Europe/Berlin?"),
        ({"rotation_schedule": "0 3 * * *", "rotation_time_zone": "../../etc/passwd"}, "must be an IANA time zone"),
        ({"rotation_schedule": "0 3 * * *", "rotation_time_zone": "Europe"}, "must be an IANA time zone"),
        ({"rotation_schedule": "0 3 * * *", "rotation_time_zone": ""}, "must be an IANA time zone"),
        ({"rotation_schedule": "0 0 3 * * *"}, "cron expression of five fields"),
        ({"rotation_schedule": "@daily"}, "cron expression of five fields"),
        ({"rotation_schedule": "1," * 200 + "1 * * * *"}, "cron expression of five fields"),
        ({"rotation_schedule": "60 3 * * *"}, "not a cron expression: Bad minute"),
        ({"rotation_schedule": "0 3 30 2 *"}, "never comes"),
        ({"rotation_schedule": "0 3 31 4,6,9,11 *"}, "never comes"),
    ],
)
def test_a_wrong_schedule_is_refused_in_one_sentence(settings, sentence):
    (found,) = schedule.faults(role(**settings))
    assert sentence in found


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"rotation_period": 60},
        {"rotation_schedule": "0 3 29 2 *"},
        {"rotation_schedule": "0 3 * * MON-FRI", "rotation_time_zone": "America/St_Johns", "rotation_window": 3600},
    ],
)
def test_a_right_schedule_is_not_refused(settings):
    assert schedule.faults(role(**settings)) == []


def test_a_time_zone_that_this_machine_does_not_know_makes_nothing_due_and_is_made_up_for_where_it_is_known():
    given = role(rotation_schedule="0 3 * * *", rotation_time_zone="Mars/Olympus", rotation_window=3600)
    stored = planned(entry(), given, LAST)
    assert next_due(given, stored, LAST + DAY) is None
    assert due(replace(given, rotation_time_zone="UTC"), now=LAST) >= at("2030-01-02T03:00Z")


def test_the_pause_after_failures_doubles_up_to_a_day():
    pauses = [backoff(failures) for failures in (1, 2, 3, 8, 100)]
    assert pauses[:3] == [timedelta(minutes=10), timedelta(minutes=20), timedelta(minutes=40)]
    assert pauses[3:] == [timedelta(minutes=1280), timedelta(hours=24)]


def test_accounts_that_failed_together_try_apart():
    pauses = {backed_off(replace(entry(), username=f"u{n}@x.example"), LAST).not_before - LAST for n in range(50)}
    assert len(pauses) == 50
    assert timedelta(minutes=7.5) <= min(pauses) <= max(pauses) <= timedelta(minutes=10)


def test_after_eight_failures_in_a_row_a_role_is_parked():
    record, now, given = entry(), LAST, role(rotation_period=60)
    for _ in range(MOST_FAILURES):
        assert next_due(given, record, now).at <= now + DAY
        record = backed_off(replace(record, fault_code="INVALID_NEW_PASSWORD"), now)
        assert next_due(given, record, now) is None or next_due(given, record, now).at == record.not_before
        now = record.not_before
    assert is_parked(record)
    assert timedelta(hours=24) < now - LAST < timedelta(hours=48)
    assert next_due(given, record, now + 99 * DAY) is None


@pytest.mark.parametrize(
    ("code", "least", "most"), [("REQUEST_LIMIT_EXCEEDED", 60, 75), ("unreachable", 7.5, 75), ("no_answer", 7.5, 75)]
)
def test_what_time_mends_by_itself_parks_nothing_and_is_tried_about_every_hour(code, least, most):
    record = entry(fault_code=code)
    for _ in range(100):
        record = backed_off(record, LAST)
        assert timedelta(minutes=least) <= record.not_before - LAST <= timedelta(minutes=most)
    assert not is_parked(record)
    assert is_parked(backed_off(replace(record, fault_code="INVALID_NEW_PASSWORD"), LAST))
