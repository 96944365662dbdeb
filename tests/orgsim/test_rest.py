"""The REST resources, as a client sees them."""

import pytest


def error(answer):
    (only,) = answer.get_json()
    return answer.status_code, only["errorCode"]


def test_the_versions_are_listed_without_a_session(sim):
    listed = sim.rest("GET", "/").get_json()
    assert listed[0]["version"] == "31.0"
    assert listed[-1] == {"label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0"}
    assert {"Winter '25", "Spring '25", "Summer '25"} == {
        row["label"] for row in listed if row["version"] in {"62.0", "63.0", "64.0"}
    }


def test_a_versions_resources_take_a_session_and_tell_the_limit(sim):
    assert error(sim.rest("GET", "/v68.0/")) == (401, "INVALID_SESSION_ID")
    answer = sim.rest("GET", "/v68.0", sim.session(sim.app))
    assert answer.get_json()["query"] == "/services/data/v68.0/query"
    assert answer.headers["Sforce-Limit-Info"] == "api-usage=1/100000"


def test_both_words_of_the_authorization_header_are_taken(sim):
    for word in ("Bearer", "OAuth"):
        headers = {"Authorization": f"{word} {sim.session(sim.app)}"}
        assert sim.vendor.get("/services/data/v68.0/", headers=headers).status_code == 200


@pytest.mark.parametrize(("version", "status"), [("30.0", 410), ("69.0", 410), ("68", 404), ("x.0", 404)])
def test_versions_that_are_not_served_are_refused(sim, version, status):
    assert sim.rest("GET", f"/v{version}/", sim.session(sim.app)).status_code == status


def test_the_limits_tell_what_is_left(sim):
    session = sim.session(sim.app)
    sim.org.use_session(session)
    shown = sim.rest("GET", "/v68.0/limits", session).get_json()
    assert shown["DailyApiRequests"] == {"Max": 100_000, "Remaining": 99_998}
