"""The org's password policy, as its Health Check tells of it."""

import pytest

from vault_salesforce_sidecar.salesforce.policies import has_one_day_rule, lockout_limit, policy_of


def policy(setting, value):
    return policy_of([{"Setting": setting, "OrgValue": value}])


@pytest.mark.parametrize(("told", "limit"), [("3", 3), ("10", 10), ("No Limit", None), ("5 attempts", 5)])
def test_the_failures_that_lock_are_a_number_or_unlimited(told, limit):
    assert lockout_limit(policy("Maximum invalid login attempts", told)) == limit


@pytest.mark.parametrize(("told", "rule"), [("Enabled", True), ("Disabled", False)])
def test_the_one_day_rule_is_on_or_off(told, rule):
    assert has_one_day_rule(policy("Require a minimum 1 day password lifetime", told)) is rule


def test_what_is_not_told_is_not_known():
    assert lockout_limit({}) is None
    assert has_one_day_rule(policy("Minimum password length", "8")) is None
