"""The org's switches, those that are not a matter of another module's tests."""

import pytest

from salesforce_orgsim.org_settings import OrgSettings
from salesforce_orgsim.reading import SettingsError, change


@pytest.mark.parametrize(("mode", "on"), [("pre-W26", True), ("W26-new-org", False), ("S26-permission", True)])
def test_the_login_switch_follows_the_retirement_unless_set(mode, on):
    assert OrgSettings(retire_mode=mode).soap_login is on
    assert OrgSettings(retire_mode=mode, soap_login_enabled=not on).soap_login is not on


def test_a_profiles_policy_lies_over_the_orgs():
    org = change(OrgSettings(), {"profile_policies": {"Robots": {"lockout_interval": 0}}}, "org")
    assert org.policy_for("Robots").lockout_interval == 0
    assert org.policy_for("Humans").lockout_interval == 15


@pytest.mark.parametrize(
    "document",
    [
        {"instance_url": "crm.my.salesforce.com"},
        {"absent_columns": ["NumberOfFailedLogins"]},
        {"transaction_security": "on"},
        {"invalid_client_status": 403},
        {"mail_format": "pdf"},
    ],
)
def test_values_that_make_no_sense_are_refused(document):
    with pytest.raises(SettingsError):
        change(OrgSettings(), document, "org")
