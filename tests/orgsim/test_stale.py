"""Stale consumers lock the users whose credential they once had."""

import pytest

from salesforce_orgsim.stale import SOURCE

THREE = {"org": {"password_policy": {"max_login_attempts": 3}}}


def arm(sim, **plan):
    return sim.control("PATCH", f"/users/{sim.app}", {"stale_consumer": {"rate_per_second": 100, **plan}})


def change(sim):
    path = f"/v68.0/sobjects/User/{sim.user(sim.app).id}/password"
    sim.rest("POST", path, sim.session(sim.admin), json={"NewPassword": "Second-pass-2"})


def shown(sim):
    return sim.control("GET", f"/users/{sim.app}")


def test_after_the_next_change_the_old_credential_is_tried_until_the_user_is_locked(simulate, eventually):
    sim = simulate(THREE)
    assert arm(sim)["stale_consumer"] == "armed"
    assert shown(sim)["stale_logins"] == 0
    change(sim)
    eventually(lambda: shown(sim)["lockouts"] == 1)
    user = shown(sim)
    assert (user["locked"], user["stale_lockouts"], user["stale_consumer"]) == (True, 1, "running")
    assert (user["logins"], user["failed_logins"]) == (0, 0)
    assert user["logins_by_client"][SOURCE]["stale"] is True
    assert {row.source for row in sim.org.history} == {SOURCE}


def test_from_now_on_it_logs_in_well_until_the_password_changes(simulate, eventually):
    sim = simulate(THREE)
    arm(sim, **{"from": "now"})
    eventually(lambda: shown(sim)["stale_logins"] >= 2)
    assert shown(sim)["stale_failed_logins"] == 0
    change(sim)
    eventually(lambda: shown(sim)["locked"])


def test_it_stops_after_its_time(sim, eventually):
    arm(sim, **{"from": "now", "max_seconds": 0.05})
    eventually(lambda: shown(sim)["stale_consumer"] == "off")
    assert shown(sim)["stale_logins"] > 0


@pytest.mark.parametrize("state", ["armed", "running"])
def test_it_is_stopped_by_null(sim, state):
    arm(sim, **{"from": "now" if state == "running" else "next_change"})
    assert shown(sim)["stale_consumer"] == state
    assert sim.control("PATCH", f"/users/{sim.app}", {"stale_consumer": None})["stale_consumer"] == "off"
    change(sim)
    assert shown(sim)["stale_consumer"] == "off"


@pytest.mark.parametrize("state", ["armed", "running"])
def test_it_is_stopped_by_a_reset(sim, state):
    arm(sim, **{"from": "now" if state == "running" else "next_change"})
    sim.control("POST", "/reset")
    change(sim)
    assert shown(sim)["stale_consumer"] == "off"
    assert shown(sim)["stale_logins"] == 0


@pytest.mark.parametrize(
    "plan", [{"rate_per_second": 0}, {"rate_per_second": 101}, {"from": "yesterday"}, {"speed": 1}, 5]
)
def test_a_plan_that_makes_no_sense_is_refused(sim, plan):
    answer = sim.control("PATCH", f"/users/{sim.app}", {"stale_consumer": plan}, status=400)
    assert "stale_consumer" in answer["error"]
