"""Whatever the schedule, the zone, and the moments at which somebody looks: each time comes once, and nothing early."""

import zoneinfo
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import schedule
from vault_salesforce_sidecar.rotation.schedule import is_replanned, next_due, planned

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Pacific/Chatham",
    "Africa/Casablanca",
)
BEGIN = datetime(2027, 1, 1, tzinfo=UTC)
instants = st.integers(0, 4 * 366 * 86_400).map(lambda seconds: BEGIN + timedelta(seconds=seconds))
daily = st.builds("{} {} * * *".format, st.integers(0, 59), st.integers(0, 23))
expressions = st.one_of(
    daily,
    st.builds("*/{} * * * *".format, st.integers(5, 59)),
    st.builds("{} */{} * * *".format, st.integers(0, 59), st.integers(1, 12)),
    st.builds("{} 1-3 * * {}".format, st.integers(0, 59), st.sampled_from(["SUN", "MON-FRI", "*", "0,6"])),
    st.builds("0 3 {} {} *".format, st.sampled_from(["1", "29", "31", "L"]), st.sampled_from(["*", "2,3", "12"])),
)
windows = st.one_of(st.none(), st.integers(3600, 2 * 86_400))
moments = st.lists(st.integers(1, 12 * 86_400), min_size=1, max_size=12)


@st.composite
def roles(draw):
    username = f"user{draw(st.integers(0, 999))}@acme.example"
    if draw(st.booleans()):
        return StaticRole(config="demo", username=username, rotation_period=draw(st.integers(60, 90 * 86_400)))
    return StaticRole(
        config="demo",
        username=username,
        rotation_schedule=draw(expressions),
        rotation_time_zone=draw(st.sampled_from(ZONES)),
        rotation_window=draw(windows),
    )


@st.composite
def rotated_roles(draw):
    role = draw(roles().filter(lambda role: not schedule.faults(role)))
    return role, settled(role, draw(instants))


def settled(role, now, before=None):
    before = before or JournalEntry(username=role.username, role="crm", state="settled", published_version=1)
    return planned(replace(before, last_rotation=now), role, now)


@settings(max_examples=150, deadline=None)
@given(rotated_roles())
def test_the_next_time_is_after_the_last_rotation_and_inside_its_window(drawn):
    role, record = drawn
    due = next_due(role, record, record.last_rotation)
    if due is None:
        return
    assert due.at > record.last_rotation
    if due.until is not None:
        assert due.until - timedelta(seconds=role.rotation_window) <= due.at
        assert due.at <= due.until - timedelta(seconds=role.rotation_window) / 2


@settings(max_examples=120, deadline=None)
@given(rotated_roles(), moments)
def test_whoever_looks_whenever_each_time_brings_one_rotation_at_most(drawn, steps):
    role, record = drawn
    now, slots = record.last_rotation, []
    for step in steps:
        now += timedelta(seconds=step)
        due = next_due(role, record, now)
        if due is None or due.at > now:
            continue
        if due.until is not None:
            assert now <= due.until
            slots.append(due.until)
        record = settled(role, now, record)
        again = next_due(role, record, now)  # a restart, or another replica, a moment later
        assert again is None or again.at > now
    assert len(slots) == len(set(slots))


@settings(max_examples=120, deadline=None)
@given(rotated_roles(), moments)
def test_looking_moves_no_time_back_and_stores_nothing_new(drawn, steps):
    role, record = drawn
    now, before = record.last_rotation, record.last_rotation
    for step in steps:
        due = next_due(role, record, now)
        assert planned(record, role, now) == record
        assert due is None or due.at >= before
        before = due.at if due else before
        now += timedelta(seconds=step)


@settings(max_examples=120, deadline=None)
@given(rotated_roles(), roles(), st.integers(0, 60 * 86_400))
def test_another_schedule_is_due_after_it_was_set_and_never_at_once(drawn, other, seconds):
    role, record = drawn
    now = record.last_rotation + timedelta(seconds=seconds)
    other = replace(other, username=role.username)
    if schedule.faults(other) or not is_replanned(record, other):
        return
    stored = planned(record, other, now)
    assert stored.next_rotation is None or stored.next_rotation > now


@settings(max_examples=120, deadline=None)
@given(daily, st.sampled_from(ZONES), instants)
def test_a_daily_schedule_comes_once_on_each_day_of_its_zone_and_at_its_time_where_the_clock_shows_it(
    expression, name, begin
):
    zone = zoneinfo.ZoneInfo(name)
    minute, hour = map(int, expression.split()[:2])
    role = StaticRole(config="demo", username="a@b.example", rotation_schedule=expression, rotation_time_zone=name)
    record, found = settled(role, begin), []
    for _ in range(9):
        due = next_due(role, record, record.last_rotation)
        found.append(due.at.astimezone(zone))
        record = settled(role, due.at, record)
    days = [one.date() for one in found]
    assert days == [days[0] + timedelta(days=number) for number in range(9)]
    for one in found:
        shown = datetime(one.year, one.month, one.day, hour, minute, tzinfo=zone)
        exists = shown.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == shown.replace(tzinfo=None)
        if exists:
            assert one == shown
            assert one.fold == 0
        else:  # the first moment after the gap
            before = one.astimezone(UTC) - timedelta(minutes=1)
            assert before.astimezone(zone).replace(tzinfo=None) < shown.replace(tzinfo=None) < one.replace(tzinfo=None)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=40), st.text("0123456789*/,-#LW ", max_size=30)), st.text(max_size=20))
def test_no_text_breaks_the_check_of_a_schedule(expression, zone):
    role = StaticRole(config="demo", username="a@b.example", rotation_schedule=expression, rotation_time_zone=zone)
    for sentence in schedule.faults(role):
        assert "\n" not in sentence
