"""How long a lease may be, and what its end means: tables over the pure functions."""

import datetime as dt
from dataclasses import replace

import pytest

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.request import Lease
from vault_salesforce_contract.published import PublishedCredential
from vault_salesforce_plugin.leases import SECRET_TYPE, Lent, first_grant, is_due, lend, renewed_grant

NOON = dt.datetime(2030, 1, 1, 12, tzinfo=dt.UTC)
HELD = PublishedCredential(
    username="app@example.com",
    password=SecretStr("secret"),
    version=3,
    rotation_id="third",
    last_vault_rotation=NOON,
    login_url="https://login.example.com",
    ttl=600,
    max_ttl=3600,
)
NEWER = replace(HELD, version=4, rotation_id="fourth")
LENT = lend("crm", HELD, brief=False)


def after(seconds):
    return NOON + dt.timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("held", "brief", "ttl", "longest"),
    [
        (HELD, False, 600, 3600),
        (HELD, True, 10, 10),
        (replace(HELD, ttl=5), True, 5, 5),
        (replace(HELD, ttl=600, max_ttl=60), False, 60, 60),
        # 0 would be the mount's default, 32 days.
        (replace(HELD, ttl=0), False, 1, 3600),
        (replace(HELD, ttl=0, max_ttl=0), True, 1, 1),
    ],
)
def test_a_first_lease_is_as_long_as_the_role_says_and_brief_before_a_change(held, brief, ttl, longest):
    grant = first_grant(lend("crm", held, brief=brief), held, NOON)
    assert (grant.ttl_seconds, grant.max_ttl_seconds, grant.issued, grant.renewable) == (ttl, longest, NOON, True)


def test_internal_data_names_the_kind_of_lease_and_reads_back():
    lent = Lent("crm", 3, "third", 3600.0, brief=True, record="3-9-ab")
    data = lent.to_internal()
    assert data["secret_type"] == SECRET_TYPE
    assert Lent.from_internal(data) == lent


@pytest.mark.parametrize("data", [{}, {"role": "crm"}, {"role": "crm", "version": "x", "rotation_id": "y"}])
def test_foreign_internal_data_is_told_apart(data):
    with pytest.raises((KeyError, TypeError, ValueError)):
        Lent.from_internal(data)


@pytest.mark.parametrize(
    ("held", "brief", "age", "ttl"),
    [
        pytest.param(HELD, False, 400, 600, id="current: full length"),
        pytest.param(HELD, False, 3300, 300, id="current: within what was lent"),
        pytest.param(HELD, False, 3600, 1, id="current: never 0, which means 32 days"),
        pytest.param(replace(HELD, ttl=60), False, 400, 60, id="current: the role's ttl of now"),
        pytest.param(replace(HELD, max_ttl=9999), False, 3300, 300, id="a greater max_ttl is for leases to come"),
        pytest.param(NEWER, False, 400, 2, id="newer held: two seconds"),
        pytest.param(replace(NEWER, deleted=True), False, 400, 2, id="role deleted: two seconds"),
        pytest.param(replace(HELD, rotation_id="other"), False, 400, 2, id="another rotation's version"),
        pytest.param(replace(HELD, version=2), False, 400, 600, id="the copy lags: nothing newer to read"),
        pytest.param(None, False, 400, 500, id="nothing held: as it was"),
        pytest.param(HELD, True, 4, 6, id="brief: to its end"),
        pytest.param(NEWER, True, 4, 2, id="brief, newer held"),
    ],
)
def test_a_renewal_always_succeeds_and_is_short_once_there_is_something_newer(held, brief, age, ttl):
    lent = lend("crm", HELD, brief=brief)
    first = first_grant(lent, HELD, NOON)
    lease = Lease(first.internal_data, 500, first.max_ttl_seconds, increment_seconds=9999, issued=NOON)
    grant = renewed_grant(lent, lease, held, after(age))
    # The server puts the client's increment in place of the TTL, and caps it by MaxTTL alone.
    assert (grant.ttl_seconds, grant.max_ttl_seconds) == (ttl, age + ttl)
    assert grant.internal_data == first.internal_data
    assert grant.issued == NOON
    assert grant.renewable


@pytest.mark.parametrize("age", [3600.5, 3601, 9999])
def test_renewing_again_and_again_does_not_get_past_the_longest_length(age):
    first = first_grant(LENT, HELD, NOON)
    lease = Lease(first.internal_data, 1, first.max_ttl_seconds, increment_seconds=1, issued=NOON)
    assert renewed_grant(LENT, lease, HELD, after(age)).max_ttl_seconds == 3601


@pytest.mark.parametrize(
    ("rule", "others", "due"),
    [
        ("last", True, False),
        ("last", False, True),
        ("any", True, True),
        ("any", False, True),
        ("never", False, False),
    ],
)
def test_the_roles_rule_says_whose_end_makes_the_version_due(rule, others, due):
    assert is_due(3, replace(HELD, rotate_on_lease_end=rule), others=others) is due


@pytest.mark.parametrize("held", [None, NEWER, replace(HELD, deleted=True)])
def test_a_version_that_is_not_served_any_more_is_never_due(held):
    assert is_due(3, held, others=False) is False
