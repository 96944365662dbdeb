"""Secrets in Vault's sense."""

from datetime import UTC, datetime, timedelta

from vault_plugin_sdk.framework.secret import TYPE_KEY, Secret

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


async def nothing(*_):
    """Renews and revokes nothing."""


def test_a_lease_carries_its_kind_and_all_that_its_end_will_need():
    grant = Secret("api_key", nothing, nothing).grant(60, 600, issued=NOON, key="k1")

    assert grant.internal_data == {TYPE_KEY: "api_key", "key": "k1"}
    assert (grant.ttl_seconds, grant.max_ttl_seconds, grant.issued, grant.renewable) == (60, 600, NOON, True)


def test_a_lease_is_issued_now_where_nobody_says_otherwise():
    issued = Secret("api_key", nothing, nothing).grant(60, 600).issued
    assert timedelta(0) <= datetime.now(UTC) - issued < timedelta(minutes=1)
