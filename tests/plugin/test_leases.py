"""How long a lease may be, and what its end means: tables over the pure functions."""

import datetime as dt
from dataclasses import replace

import pytest

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.request import Caller, Lease
from vault_salesforce_contract.published import PublishedCredential
from vault_salesforce_plugin.leases import SECRET_TYPE, Lent, ending_grant, first_grant, is_due, lend, renewed_grant

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
LONG = 2_764_800  # what a mount allows unless it is told otherwise
LENT = lend("crm", HELD, brief=False, longest=LONG)
BRIEF = lend("crm", HELD, brief=True, longest=LONG)


def after(seconds):
    return NOON + dt.timedelta(seconds=seconds)


def kept(lent, *, allowed=3600.0, ttl=500.0):
    """A lease as the server hands it back; `allowed` is the MaxTTL of the grant before."""
    return Lease(lent.to_internal(), ttl, allowed, increment_seconds=9999, issued=NOON)


@pytest.mark.parametrize(
    ("held", "brief", "mount", "ttl", "longest"),
    [
        pytest.param(HELD, False, LONG, 600, 3600, id="the role's"),
        pytest.param(HELD, True, LONG, 9, 10, id="brief: ten seconds at the most"),
        pytest.param(replace(HELD, ttl=5), True, LONG, 5, 6, id="brief: never longer than the role's"),
        pytest.param(replace(HELD, ttl=600, max_ttl=60), False, LONG, 60, 60, id="within max_ttl"),
        # The server caps the TTL by the MaxTTL, and says so to the client.
        pytest.param(HELD, False, 120, 600, 120, id="the mount allows less"),
        pytest.param(HELD, True, 4, 9, 4, id="brief, and the mount allows even less"),
        # 0 would be the mount's default, 32 days.
        pytest.param(replace(HELD, ttl=0), False, LONG, 1, 3600, id="never 0"),
        pytest.param(replace(HELD, ttl=0, max_ttl=0), True, LONG, 1, 1, id="never 0, brief"),
    ],
)
def test_a_first_lease_is_as_long_as_the_role_says_and_brief_before_a_change(held, brief, mount, ttl, longest):
    grant = first_grant(lend("crm", held, brief=brief, longest=mount), held, NOON)
    assert (grant.ttl_seconds, grant.max_ttl_seconds, grant.issued, grant.renewable) == (ttl, longest, NOON, True)


def test_a_lease_remembers_who_was_lent_it_for_its_end_names_nobody():
    reader = Caller(request_id="req-1", display_name="userpass-ann", entity_id="ent-1", accessor="acc-1")
    lent = lend("crm", HELD, brief=False, longest=LONG, caller=reader)
    assert Lent.from_internal(lent.to_internal()).caller == reader
    assert Lent.from_internal({**LENT.to_internal(), "caller": None}).caller == Caller()


def test_internal_data_names_the_kind_of_lease_and_reads_back():
    lent = Lent("crm", 3, "third", 3600.0, rule="last", brief=True, record="3-9-ab")
    data = lent.to_internal()
    assert data["secret_type"] == SECRET_TYPE
    assert Lent.from_internal(data) == lent


def test_internal_data_of_an_older_release_is_read_and_of_a_newer_one_too():
    old = {"role": "crm", "version": 3, "rotation_id": "third", "max_ttl": 3600.0}
    assert Lent.from_internal(old) == Lent("crm", 3, "third", 3600.0)
    assert Lent.from_internal(LENT.to_internal() | {"something": "new"}) == LENT


@pytest.mark.parametrize("data", [{}, {"role": "crm"}, {"role": "crm", "version": "x", "rotation_id": "y"}])
def test_foreign_internal_data_is_told_apart(data):
    with pytest.raises((KeyError, TypeError, ValueError)):
        Lent.from_internal(data)


@pytest.mark.parametrize(
    ("held", "age", "ttl", "slack"),
    [
        pytest.param(HELD, 400, 600, 1, id="current: full length"),
        pytest.param(HELD, 3300, 300, 1, id="current: within what was lent"),
        pytest.param(HELD, 3600, 1, 0, id="current: never 0, which means 32 days"),
        pytest.param(replace(HELD, ttl=60), 400, 60, 1, id="current: the role's ttl of now"),
        pytest.param(replace(HELD, max_ttl=9999), 3300, 300, 1, id="a greater max_ttl is for leases to come"),
        pytest.param(NEWER, 400, 2, 0, id="newer held: two seconds"),
        pytest.param(replace(NEWER, deleted=True), 400, 2, 0, id="role deleted: two seconds"),
        pytest.param(replace(HELD, rotation_id="other"), 400, 2, 0, id="another rotation's version"),
        pytest.param(replace(HELD, version=2), 400, 600, 1, id="the copy lags: nothing newer to read"),
        pytest.param(None, 400, 500, 1, id="nothing held: as it was"),
    ],
)
def test_a_renewal_always_succeeds_and_is_short_once_there_is_something_newer(held, age, ttl, slack):
    lease = kept(LENT)
    grant = renewed_grant(LENT, lease, held, after(age), unrest=False)
    assert grant.ttl_seconds == ttl
    # The server puts the client's increment in place of the TTL, and caps it by MaxTTL alone.
    assert grant.max_ttl_seconds == age + ttl + slack
    assert (grant.internal_data, grant.issued, grant.renewable) == (lease.internal_data, NOON, True)


@pytest.mark.parametrize("later", [0, 1, 5, 60])
def test_renewing_again_within_the_two_seconds_gives_no_further_two(later):
    first = renewed_grant(LENT, kept(LENT), NEWER, after(400), unrest=False)
    again = renewed_grant(LENT, kept(LENT, allowed=first.max_ttl_seconds), NEWER, after(400 + later), unrest=False)
    assert first.max_ttl_seconds == again.max_ttl_seconds == 402


@pytest.mark.parametrize(
    ("held", "unrest", "age", "allowed", "longest"),
    [
        pytest.param(HELD, True, 7, 10, 17, id="still due: ten seconds more"),
        pytest.param(HELD, True, 3595, 3600, 3601, id="still due: within what was lent"),
        pytest.param(HELD, False, 7, 10, 10, id="the change was withdrawn: to its end, then a real lease"),
        pytest.param(NEWER, False, 7, 10, 9, id="newer held: two seconds"),
        pytest.param(NEWER, False, 9, 10, 10, id="newer held: no longer than it had"),
        pytest.param(None, False, 7, 10, 10, id="nothing held: to its end"),
    ],
)
def test_a_brief_lease_goes_on_in_short_steps_while_the_version_is_due(held, unrest, age, allowed, longest):
    grant = renewed_grant(BRIEF, kept(BRIEF, allowed=allowed, ttl=9), held, after(age), unrest=unrest)
    assert grant.max_ttl_seconds == longest
    assert 0 < grant.ttl_seconds <= 9


def test_a_lease_that_cannot_be_read_ends_soon_so_that_its_holder_reads_again():
    lease = replace(kept(LENT), internal_data={"from": "another release"})
    grant = ending_grant(lease, after(400))
    assert (grant.ttl_seconds, grant.max_ttl_seconds, grant.internal_data) == (2, 402, lease.internal_data)


def test_a_server_that_does_not_say_what_it_allowed_is_told_two_seconds_all_the_same():
    assert ending_grant(kept(LENT, allowed=0), after(400)).max_ttl_seconds == 402


@pytest.mark.parametrize("begun", [0.0, 0.3, 0.999])
@pytest.mark.parametrize("later", [0.0, 0.3, 0.999])
@pytest.mark.parametrize(("held", "wanted"), [(HELD, 600), (NEWER, 2)])
def test_a_server_that_counts_whole_seconds_takes_none_away(begun, later, held, wanted):
    issued = after(begun)
    lease = Lease(first_grant(LENT, HELD, issued).internal_data, 600, 3600, increment_seconds=600, issued=issued)
    now = after(400 + later)
    grant = renewed_grant(LENT, lease, held, now, unrest=False)
    left = int(issued.timestamp()) + grant.max_ttl_seconds - int(now.timestamp())
    assert wanted <= left <= wanted + (1 if held is HELD else 0)


@pytest.mark.parametrize("age", [3600.5, 3601, 9999])
def test_renewing_again_and_again_does_not_get_past_the_longest_length(age):
    assert renewed_grant(LENT, kept(LENT), HELD, after(age), unrest=False).max_ttl_seconds == 3601
    assert LENT.latest_end(NOON) == NOON.timestamp() + 3601


def test_a_mount_that_is_tuned_later_does_not_lengthen_what_was_lent():
    lent = lend("crm", HELD, brief=False, longest=120)
    assert renewed_grant(lent, kept(lent), HELD, after(100), unrest=False).max_ttl_seconds == 121


@pytest.mark.parametrize(
    ("lent", "triggers"),
    [
        (LENT, True),
        (BRIEF, False),
        (replace(LENT, rule="any"), True),
        (replace(LENT, rule="never"), False),
        (replace(LENT, rule=""), True),
    ],
)
def test_a_lease_keeps_to_the_rule_that_it_was_lent_under(lent, triggers):
    assert lent.triggers is triggers


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
