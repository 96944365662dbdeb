"""The moment of these tests, its user, and rows of a login history."""

from datetime import UTC, datetime, timedelta

from vault_salesforce_sidecar.salesforce.interface import LoginRow

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
USERNAME = "crm@acme.example"


def login(days_ago, source="203.0.113.1", status="Success", login_type="Other Apex API"):
    return LoginRow(NOW - timedelta(days=days_ago), status, source, "N/A", login_type, "SOAP Partner")
