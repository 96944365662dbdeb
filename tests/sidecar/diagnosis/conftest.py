"""What was seen of a healthy connection and role, for a test to spoil."""

import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.api.config import Config
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.diagnosis.facts import API_ENABLED, MANAGE_USERS, ConnectionFacts, RoleFacts, UserFacts
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.salesforce.interface import Session, User
from vault_salesforce_sidecar.salesforce.probe import Reach

sys.path.insert(0, str(Path(__file__).parent))

from seen import NOW, USERNAME, login


@pytest.fixture
def connection():
    """One whose identity manages users."""
    config = Config(
        login_url="https://acme.my.salesforce.com",
        auth_method="jwt_bearer",
        username="admin@acme.example",
        client_id="key",
        admin_may_rotate=("*@acme.example",),
    )
    session = Session(SecretStr("s"), "https://acme.my.salesforce.com/x", "admin@acme.example", "005A", "00DA")
    own = UserFacts({}, frozenset({API_ENABLED, MANAGE_USERS}), frozenset(), (login(0), login(20)), {})
    reach = Reach(
        ("203.0.113.7",),
        not_after=NOW + timedelta(days=90),
        tls_version="TLSv1.3",
        skew_seconds=0.2,
        versions=("63.0", "64.0"),
    )
    organization = {"Id": "00DA", "Name": "Acme", "IsSandbox": False, "InstanceName": "USA1"}
    return ConnectionFacts("prod", config, NOW, "sf", reach, (), "", session, organization, own)


@pytest.fixture
def role(connection):
    """One whose password is five days old."""
    entry = JournalEntry(
        username=USERNAME,
        role="crm",
        state="settled",
        evidence="login",
        cause="manual",
        rotation_id="r",
        published_id="r",
        published_version=3,
        last_rotation=NOW - timedelta(days=5),
        proven_record="2026-11-17T12:00:00.000+0000",
    )
    user = User("005B", USERNAME, True, "2026-11-17T12:00:00.000+0000", 0, False, False)
    seen = UserFacts({"UserType": "Standard"}, frozenset({API_ENABLED}), frozenset(), (login(5),), {})
    return RoleFacts("crm", StaticRole(config="prod", username=USERNAME), connection, entry, user, seen, "")


@pytest.fixture
def spoil():
    """Changes part of what was seen; `config__x` reaches into a record."""

    def change(facts, **changes):
        for name, value in changes.items():
            holder, _, member = name.partition("__")
            setattr(facts, holder, replace(getattr(facts, holder), **{member: value}) if member else value)
        return facts

    return change
