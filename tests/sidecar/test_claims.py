"""Who owns a name or an account."""

from datetime import UTC, datetime, timedelta

import pytest

from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_sidecar.claims import ACCOUNT, FRESH, ROLE_NAME, Claims
from vault_salesforce_sidecar.clock import SystemClock


class ManualClock(SystemClock):
    """A clock that the test moves."""

    time = datetime(2030, 1, 1, tzinfo=UTC)

    def now(self):
        return self.time


@pytest.fixture
def existing():
    return {("static-roles/crm", ACCOUNT, "a@example.com")}


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def claims(memory_kv, existing, clock):
    return Claims(memory_kv, clock, lambda *claim: (*claim[:2], claim[2].lower()) in existing)


def test_what_is_taken_names_its_owner_whatever_the_case(claims, clock):
    claims.take(ACCOUNT, "a@example.com", "static-roles/crm")
    claims.take(ACCOUNT, "a@example.com", "static-roles/crm")
    clock.time += FRESH
    with pytest.raises(CallerError, match=r"A@Example.com is already taken, by static-roles/crm") as caught:
        claims.take(ACCOUNT, "A@Example.com", "static-roles/erp")
    assert caught.value.status == 409


def test_kinds_do_not_meet(claims):
    claims.take(ACCOUNT, "crm", "static-roles/crm")
    claims.take(ROLE_NAME, "crm", "static-roles/crm2")


def test_what_was_given_up_is_free(claims):
    claims.take(ROLE_NAME, "crm", "static-roles/crm")
    claims.release(ROLE_NAME, "CRM", "static-roles/CRM")  # not its owner
    with pytest.raises(CallerError):
        claims.take(ROLE_NAME, "CRM", "static-roles/CRM")
    claims.release(ROLE_NAME, "crm", "static-roles/crm")
    claims.take(ROLE_NAME, "CRM", "static-roles/CRM")


def test_a_claim_lapses_when_its_owner_never_came(claims, clock):
    claims.take(ROLE_NAME, "erp", "static-roles/erp")
    with pytest.raises(CallerError):
        claims.take(ROLE_NAME, "ERP", "static-roles/ERP")  # it may be on its way
    clock.time += FRESH + timedelta(seconds=1)
    claims.take(ROLE_NAME, "ERP", "static-roles/ERP")


def test_a_claim_lapses_when_its_owner_is_about_something_else(claims, clock):
    """Its owner wanted it, and then was not written."""
    claims.take(ACCOUNT, "b@example.com", "static-roles/crm")
    clock.time += FRESH
    claims.take(ACCOUNT, "b@example.com", "static-roles/erp")
