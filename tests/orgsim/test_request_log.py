"""The list of requests."""

import pytest

from salesforce_orgsim.request_log import RequestLog


@pytest.fixture
def log():
    return RequestLog()


def add(log, operation):
    return log.add(
        time="now", channel="soap", operation=operation, username="", source="127.0.0.1", method="POST", path="/"
    )


def test_requests_are_numbered_and_listed_from_a_number_on(log):
    for operation in ("login", "logout", "login"):
        add(log, operation)
    assert [(row["n"], row["operation"]) for row in log.since(1)] == [(2, "logout"), (3, "login")]


def test_a_request_is_pending_until_its_outcome_is_known(log):
    entry = add(log, "login")
    assert log.since(0)[0]["outcome"] == "pending"
    log.update(entry, outcome="success", applied=True)
    assert (log.since(0)[0]["outcome"], log.since(0)[0]["applied"]) == ("success", True)


def test_numbers_go_on_after_the_list_is_cleared(log):
    add(log, "login")
    log.clear()
    add(log, "logout")
    assert [row["n"] for row in log.since(0)] == [2]
