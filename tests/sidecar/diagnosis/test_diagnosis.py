"""What a preflight asks, and what it leaves alone."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from seen import NOW

from vault_salesforce_sidecar.diagnosis.diagnosis import Diagnosis
from vault_salesforce_sidecar.diagnosis.facts import IDENTITY, WAY
from vault_salesforce_sidecar.diagnosis.rows import Result
from vault_salesforce_sidecar.salesforce.probe import Reach


def rows_of(config, reach, org=None):
    parts = SimpleNamespace(
        clock=SimpleNamespace(now=lambda: NOW),
        connections=SimpleNamespace(get=lambda _: SimpleNamespace(record=config)),
        open_org=lambda _: org,
        open_mailbox=lambda _: None,
    )
    diagnosis = Diagnosis(parts, SimpleNamespace(mount="sf"), lambda _: reach, list)
    return {row.check: row for row in diagnosis.of_connection("prod")}


UNREACHED = Reach(("203.0.113.7",), fault="no connection")


@pytest.mark.parametrize(
    "check", ["identity", "api_enabled", "address_trusted", "egress_address", "organization", "login_history"]
)
def test_where_no_way_leads_to_the_host_that_is_what_hides_the_rest(connection, check):
    rows = rows_of(connection.config, UNREACHED)
    assert rows["tls"].result is Result.FAILED
    assert (rows[check].result, rows[check].detail) == (Result.NOT_VISIBLE, f"needs {WAY}")


def test_a_connection_without_an_identity_lacks_none_where_the_host_is_away(connection):
    rows = rows_of(replace(connection.config, auth_method="none", admin_may_rotate=()), UNREACHED)
    assert rows["identity"].detail == "the connection has none (auth_method=none)"
    assert rows["address_trusted"].result is Result.SKIPPED


def test_without_an_identity_the_org_is_asked_for_nothing(connection):
    org = SimpleNamespace(admin_session=lambda: None)
    rows = rows_of(replace(connection.config, auth_method="none"), Reach(("203.0.113.7",)), org)
    assert rows["organization"].detail == f"needs {IDENTITY}"
