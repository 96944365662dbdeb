"""A user as an administrator sets it up."""

import pytest

from salesforce_orgsim.reading import SettingsError, change
from salesforce_orgsim.user_settings import PERMISSIONS, UserSettings


def test_every_permission_is_a_setting_and_a_column():
    assert PERMISSIONS["PermissionsTwoFactorApi"] == "mfa_api"
    assert PERMISSIONS["PermissionsUseAnyApiAuth"] == "use_any_api_auth"
    assert all(isinstance(getattr(UserSettings("a"), name), bool) for name in PERMISSIONS.values())


@pytest.mark.parametrize(
    "document",
    [{"granted_by_permission_set": ["active"]}, {"language": "xx"}, {"login_hours": [9, 8]}, {"login_ranges": ["x"]}],
)
def test_values_that_make_no_sense_are_refused(document):
    with pytest.raises(SettingsError):
        change(UserSettings("a"), document, "user")
