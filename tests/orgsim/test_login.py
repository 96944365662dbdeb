"""The rules of login()."""

import pytest

from salesforce_orgsim.faults import FaultError
from salesforce_orgsim.login import LoginAttempt, log_in

RIGHT = "First-pass-1" + "T" * 24
OUTSIDE = "198.51.100.7"


def attempt(sim, secret=RIGHT, **how):
    return log_in(sim.org, LoginAttempt(sim.app, secret, **{"source": "127.0.0.1", **how}))


def refused(sim, secret=RIGHT, **how):
    with pytest.raises(FaultError) as caught:
        attempt(sim, secret, **how)
    return caught.value.code


def statuses(sim):
    return [row.status for row in sim.org.history]


def test_password_and_token_open_a_session(sim):
    entered = attempt(sim)
    assert entered.session.user.username == sim.app
    assert not entered.password_expired
    assert statuses(sim) == ["Success"]


def test_user_names_are_compared_without_regard_to_case(sim):
    assert log_in(sim.org, LoginAttempt(sim.app.upper(), RIGHT, "127.0.0.1"))


def test_the_right_password_without_its_token_says_so_and_counts(sim):
    assert refused(sim, "First-pass-1") == "LOGIN_MUST_USE_SECURITY_TOKEN"
    assert statuses(sim) == ["Failed: API security token required"]
    assert sim.user(sim.app).failed_count == 1


def test_a_missing_token_need_not_count_towards_the_lock(simulate):
    sim = simulate({"org": {"missing_token_counts_to_lockout": False}})
    refused(sim, "First-pass-1")
    assert sim.user(sim.app).failed_count == 0


@pytest.mark.parametrize("secret", ["wrong", "First-pass-1" + "t" * 24, "T" * 24, ""])
def test_every_other_secret_is_an_invalid_login(sim, secret):
    assert refused(sim, secret) == "INVALID_LOGIN"
    assert statuses(sim) == ["Invalid Password"]


@pytest.mark.parametrize("trusted", ["198.51.100.0/24", "198.51.100.1-198.51.100.9"])
def test_from_a_trusted_address_the_token_may_be_left_out(simulate, trusted):
    sim = simulate({"org": {"trusted_ranges": [trusted]}})
    assert attempt(sim, "First-pass-1", source=OUTSIDE)
    assert attempt(sim, RIGHT, source=OUTSIDE)
    assert refused(sim, "First-pass-1", source="127.0.0.1") == "LOGIN_MUST_USE_SECURITY_TOKEN"


def test_an_unknown_user_name_leaves_no_row(sim):
    with pytest.raises(FaultError, match="INVALID_LOGIN"):
        log_in(sim.org, LoginAttempt("nobody@crm.example", RIGHT, "127.0.0.1"))
    assert statuses(sim) == []


def test_too_many_failures_lock_even_the_right_password_out_until_the_interval_is_over(simulate):
    sim = simulate({"org": {"password_policy": {"max_login_attempts": 3, "lockout_interval": 15}}})
    assert [refused(sim, "wrong") for _ in range(3)] == ["INVALID_LOGIN"] * 3
    user = sim.user(sim.app)
    assert (user.counters.lockouts, user.failed_count) == (1, 0)
    assert refused(sim) == "INVALID_LOGIN"
    assert statuses(sim)[-1] == "Password Lockout"
    assert user.counters.logins_after_lock == 1
    sim.advance(15 * 60)
    assert attempt(sim)


def test_a_lock_for_ever_ends_with_no_interval(simulate):
    sim = simulate({"org": {"password_policy": {"max_login_attempts": 1, "lockout_interval": 0}}})
    refused(sim, "wrong")
    sim.advance(10 * 365 * 86_400)
    assert refused(sim) == "INVALID_LOGIN"
    sim.user(sim.app).unlock()
    assert attempt(sim)


def test_a_success_puts_the_counter_back(simulate):
    sim = simulate({"org": {"password_policy": {"max_login_attempts": 3}}})
    for _ in range(3):
        refused(sim, "wrong")
        refused(sim, "wrong")
        attempt(sim)
    assert sim.user(sim.app).counters.lockouts == 0


def test_without_a_limit_nobody_is_locked(simulate):
    sim = simulate({"org": {"password_policy": {"max_login_attempts": 0}}})
    for _ in range(20):
        refused(sim, "wrong")
    assert attempt(sim)


@pytest.mark.parametrize(
    ("flag", "code", "status"),
    [
        ({"active": False}, "INVALID_LOGIN", "User is Inactive"),
        ({"frozen": True}, "INVALID_LOGIN", "User is frozen"),
        ({"sso_enabled": True}, "INVALID_LOGIN", "Failed: single sign-on only"),
        ({"mfa_api": True}, "INVALID_LOGIN", "Failed: multi-factor code required"),
        ({"api_enabled": False}, "API_CURRENTLY_DISABLED", "Failed: API disabled"),
        ({"login_ranges": ["10.0.0.0/8"]}, "LOGIN_DURING_RESTRICTED_DOMAIN", "Restricted IP"),
        ({"login_hours": [8, 18]}, "LOGIN_DURING_RESTRICTED_TIME", "Restricted Time"),
    ],
)
def test_the_state_of_a_user_decides_before_or_beside_the_password(sim, flag, code, status):
    sim.control("PATCH", f"/users/{sim.app}", flag)
    assert refused(sim) == code
    assert statuses(sim) == [status]


def test_inside_the_profiles_ranges_and_hours_no_token_is_needed(sim):
    sim.control("PATCH", f"/users/{sim.app}", {"login_ranges": ["127.0.0.1"], "login_hours": [20, 21]})
    assert attempt(sim, "First-pass-1")


@pytest.mark.parametrize(
    ("org", "version", "code"),
    [
        ({}, "65.0", "INVALID_OPERATION"),
        ({"retire_mode": "pre-W26", "soap_login_enabled": False}, "64.0", "INVALID_OPERATION"),
        ({"retire_mode": "W26-new-org"}, "64.0", "INVALID_OPERATION"),
        ({"retire_mode": "retired"}, "64.0", "INVALID_OPERATION"),
    ],
)
def test_a_closed_door_is_shut_before_the_credentials_are_looked_at(simulate, org, version, code):
    sim = simulate({"org": org})
    assert refused(sim, "wrong", api_version=version) == code
    assert sim.user(sim.app).failed_count == 0
    assert statuses(sim) == []
    assert sim.user(sim.app).counters.failed_logins == 1


def test_a_user_without_the_permission_is_told_which_one(sim):
    sim.control("PATCH", f"/users/{sim.app}", {"use_any_api_auth": False})
    with pytest.raises(FaultError, match="requires the Use Any API Auth user permission") as caught:
        attempt(sim)
    assert caught.value.code == "INSUFFICIENT_ACCESS"
    sim.control("PATCH", "/org", {"retire_mode": "pre-W26"})
    assert attempt(sim)


@pytest.mark.parametrize(
    ("org", "host", "enters"),
    [
        ({}, "login.salesforce.com", True),
        ({}, "test.salesforce.com", False),
        ({"is_sandbox": True}, "login.salesforce.com", False),
        ({"is_sandbox": True}, "test.salesforce.com:443", True),
        ({"my_domain_only_api": True}, "login.salesforce.com", False),
        ({"my_domain_only_api": True}, "crm.my.salesforce.com", True),
    ],
)
def test_the_login_host_must_fit_the_org(simulate, org, host, enters):
    sim = simulate({"org": org})
    if enters:
        assert attempt(sim, host=host)
    else:
        assert refused(sim, host=host) == "INVALID_LOGIN"
        assert statuses(sim) == ["Restricted Domain"]


def test_more_logins_than_the_rate_allows_are_refused_for_an_hour(simulate):
    sim = simulate({"org": {"login_rate": 2}})
    attempt(sim)
    attempt(sim)
    assert refused(sim) == "INVALID_LOGIN"
    assert statuses(sim)[-1] == "Login Rate Exceeded"
    sim.advance(3601)
    assert attempt(sim)


def test_a_source_with_too_many_failures_is_refused_for_good_credentials_too(simulate):
    sim = simulate({"org": {"locked_ip_after_failures": 2}})
    refused(sim, "wrong")
    refused(sim, "wrong")
    assert refused(sim) == "INVALID_LOGIN"
    assert attempt(sim, source=OUTSIDE)


def test_an_expired_password_still_opens_a_session(sim):
    sim.advance(90 * 86_400)
    assert attempt(sim).password_expired
    sim.control("PATCH", f"/users/{sim.app}", {"never_expires": True})
    assert not attempt(sim).password_expired


def test_network_clients_and_the_stale_consumer_are_counted_apart(sim):
    attempt(sim)
    refused(sim, "wrong", source=OUTSIDE)
    refused(sim, "wrong", source="203.0.113.77", stale=True)
    shown = sim.control("GET", f"/users/{sim.app}")
    assert (shown["logins"], shown["failed_logins"]) == (2, 1)
    assert (shown["stale_logins"], shown["stale_failed_logins"]) == (1, 1)
    assert shown["logins_by_client"] == {
        "127.0.0.1": {"logins": 1, "failed_logins": 0, "stale": False},
        OUTSIDE: {"logins": 1, "failed_logins": 1, "stale": False},
        "203.0.113.77": {"logins": 1, "failed_logins": 1, "stale": True},
    }


def test_a_lock_that_the_stale_consumer_tripped_is_told_from_others(simulate):
    sim = simulate({"org": {"password_policy": {"max_login_attempts": 2}}})
    refused(sim, "wrong")
    refused(sim, "wrong", stale=True)
    counters = sim.user(sim.app).counters
    assert (counters.lockouts, counters.stale_lockouts) == (1, 1)


def test_secrets_are_not_in_an_attempts_representation():
    assert "hidden" not in repr(LoginAttempt("a", "hidden", "127.0.0.1"))


def test_an_unknown_address_is_challenged_until_it_is_confirmed(simulate):
    sim = simulate({"org": {"device_activation": True}})
    assert refused(sim) == "LOGIN_CHALLENGE_ISSUED"
    assert refused(sim) == "LOGIN_CHALLENGE_PENDING"
    assert statuses(sim) == ["Failed: Computer activation required"] * 2
    assert sim.user(sim.app).failed_count == 0
    assert refused(sim, "wrong") == "INVALID_LOGIN"
    sim.control("POST", f"/users/{sim.app}/confirm-device", {"source": "127.0.0.1"})
    assert attempt(sim)
    assert refused(sim, source=OUTSIDE) == "LOGIN_CHALLENGE_ISSUED"
    sim.control("PATCH", "/org", {"trusted_ranges": [OUTSIDE]})
    assert attempt(sim, source=OUTSIDE)


def test_api_access_control_keeps_clients_without_an_app_out(simulate):
    sim = simulate({"org": {"api_access_control": True}})
    assert refused(sim) == "CLIENT_NOT_ACCESSIBLE_FOR_USER"
    assert statuses(sim) == []
    sim.control("PATCH", f"/users/{sim.app}", {"use_any_api_client": True})
    assert attempt(sim)
