"""Reading SOQL."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from salesforce_orgsim.faults import FaultError
from salesforce_orgsim.soql import Condition, Query, parse


def test_every_part_of_a_query_is_read():
    query = parse(
        "select Id, Profile.Name from User where Username = 'it\\'s \\n' and IsActive = true "
        "and NumberOfFailedLogins >= 3 and Email != null order by Username desc limit 5"
    )
    assert query == Query(
        fields=("Id", "Profile.Name"),
        table="User",
        conditions=(
            Condition("Username", "=", ("it's \n",)),
            Condition("IsActive", "=", (True,)),
            Condition("NumberOfFailedLogins", ">=", (3,)),
            Condition("Email", "!=", (None,)),
        ),
        order_by="Username",
        descending=True,
        limit=5,
    )


@pytest.mark.parametrize(
    "text",
    ["2026-11-21T20:00:00Z", "2026-11-21T20:00:00.000+0000", "2026-11-21T22:00:00+02:00", "2026-11-21T20:00:00 00:00"],
)
def test_datetimes_are_read_in_every_spelling(text):
    (condition,) = parse("SELECT Id FROM User WHERE LastLoginDate > ?".replace("?", text)).conditions
    assert condition.literals == (datetime(2026, 11, 21, 20, tzinfo=UTC),)


def test_a_list_of_values_is_read():
    (condition,) = parse("SELECT Id FROM User WHERE Id IN ('a', 'b') ORDER BY Id ASC").conditions
    assert condition == Condition("Id", "IN", ("a", "b"))


def test_less_or_greater_is_unequal():
    assert parse("SELECT Id FROM User WHERE Id <> -1.5").conditions == (Condition("Id", "!=", (-1.5,)),)


def test_offsets_are_kept():
    (condition,) = parse("SELECT Id FROM User WHERE D = 2026-11-21T20:00:00-05:00").conditions
    assert condition.literals[0] == datetime(2026, 11, 21, 20, tzinfo=timezone(-timedelta(hours=5)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT FROM User",
        "SELECT Id, FROM User WHERE",
        "SELECT Id FROM User WHERE Id",
        "SELECT Id FROM User WHERE Id ( 'a'",
        "SELECT Id FROM User WHERE Id = a",
        "SELECT Id FROM User WHERE Id =",
        "SELECT Id FROM User WHERE Id IN ('a'",
        "SELECT Id FROM User WHERE Id = 'a",
        "SELECT Id FROM User ORDER Id",
        "SELECT Id FROM User LIMIT many",
        "SELECT Id FROM User; DROP",
        "SELECT Id FROM User extra",
    ],
)
def test_anything_else_is_malformed(text):
    with pytest.raises(FaultError) as caught:
        parse(text)
    assert caught.value.code == "MALFORMED_QUERY"
