"""One user of the org as an administrator sets it up, as a frozen record."""

from dataclasses import dataclass, field, fields

from .addresses import check_ranges

LANGUAGES = ("en_US", "de", "fr", "es", "ja")


def _check_hours(hours: tuple[int, ...]) -> None:
    if hours and not (len(hours) == 2 and hours[0] < hours[1] <= 24):  # noqa: PLR2004 -- hours of a day
        raise ValueError("must be two hours of one day, the first before the second")


def _check_permissions(names: tuple[str, ...]) -> None:
    known = {spec.name for spec in fields(UserSettings) if spec.metadata.get("permission")}
    if wrong := [name for name in names if name not in known]:
        raise ValueError(f"must name permissions of a user, and not {wrong[0]!r}")


def _permission(column: str, *, on: bool = False) -> bool:
    granted: bool = field(default=on, metadata={"permission": f"Permissions{column}"})
    return granted


@dataclass(frozen=True)
class UserSettings:
    """One user, as an administrator sets it up.

    Attributes:
        username: Login name, unique without regard to capitals.
        password: The password the user has at the start.
        security_token: The token the user has at the start; null is none that anybody knows.
        email: Where the org's mail goes; the user name unless given.
        first_name: First name; no password may be equal to it.
        last_name: Last name; no password may be equal to it.
        profile: Name of the profile; the users of one profile share the password rules set for it.
        user_type: Kind of user, such as `Standard` or `CloudIntegrationUser`.
        language: Language of the org's mail to this user.
        federation_identifier: The user's name at an identity provider; empty is none.
        active: False: deactivated.
        frozen: Frozen by an administrator: no login, and no grant.
        api_enabled: API Enabled.
        api_only: API Only User: no browser, and no page for resetting the token.
        use_any_api_auth: Use Any API Auth: may call login().
        use_any_api_client: Use Any API Client: comes in without an app where API Access Control is on.
        approve_uninstalled_apps: Approve Uninstalled Connected Apps: may use an app that nobody installed.
        never_expires: Password Never Expires.
        mfa_api: MFA for API Logins: a token is no way in any more.
        sso_enabled: Single sign-on only: the password is no way in.
        bypass_mfa_for_ui_logins: Waive multi-factor authentication in the browser.
        manage_users: Manage Users: sees locks, sessions and the login history of everybody; sets passwords; unlocks.
        reset_passwords: Reset User Passwords and Unlock Users: sets the passwords of others.
        view_setup: View Setup and Configuration: sees everybody's permissions, and the health check.
        view_all_profiles: View All Profiles: sees the names of all profiles.
        monitor_login_history: Monitor Login History: sees everybody's logins.
        view_all_data: View All Data.
        modify_all_data: Modify All Data.
        customize_application: Customize Application.
        author_apex: Author Apex.
        view_client_secret: View Client Secret, and External Client App Developer: reads and rotates apps' secrets.
        granted_by_permission_set: Those of the permissions above that do not come with the profile but with a
            permission set of its own.
        high_assurance: The profile demands high-assurance sessions: no API call is possible with others.
        ever_reset_token_manually: The user once asked for a new token; only then does a change of password mail one.
        login_ranges: Addresses from which alone the user may log in; empty is from everywhere.
        login_hours: First and last hour (UTC, the last one excluded) between which the user may log in;
            empty is always.
        temporary_password: The password is one that a reset made up, and must be changed.
        password_age_days: Age of the password at the start.
    """

    username: str
    password: str = field(default="", repr=False)
    security_token: str | None = field(default=None, repr=False)
    email: str = ""
    first_name: str = "Integration"
    last_name: str = "User"
    profile: str = "Integration User"
    user_type: str = "Standard"
    language: str = field(default="en_US", metadata={"choices": LANGUAGES})
    federation_identifier: str = ""
    active: bool = True
    frozen: bool = False
    api_enabled: bool = _permission("ApiEnabled", on=True)
    api_only: bool = _permission("ApiUserOnly")
    use_any_api_auth: bool = _permission("UseAnyApiAuth", on=True)
    use_any_api_client: bool = _permission("UseAnyApiClient")
    approve_uninstalled_apps: bool = _permission("ApproveUninstalledConnectedApps")
    never_expires: bool = _permission("PasswordNeverExpires")
    mfa_api: bool = _permission("TwoFactorApi")
    sso_enabled: bool = _permission("IsSsoEnabled")
    bypass_mfa_for_ui_logins: bool = _permission("BypassMFAForUiLogins")
    manage_users: bool = _permission("ManageUsers")
    reset_passwords: bool = _permission("ResetPasswords")
    view_setup: bool = _permission("ViewSetup")
    view_all_profiles: bool = _permission("ViewAllProfiles")
    monitor_login_history: bool = _permission("MonitorLoginHistory")
    view_all_data: bool = _permission("ViewAllData")
    modify_all_data: bool = _permission("ModifyAllData")
    customize_application: bool = _permission("CustomizeApplication")
    author_apex: bool = _permission("AuthorApex")
    view_client_secret: bool = _permission("ViewClientSecret")
    granted_by_permission_set: tuple[str, ...] = field(default=(), metadata={"check": _check_permissions})
    high_assurance: bool = False
    ever_reset_token_manually: bool = False
    login_ranges: tuple[str, ...] = field(default=(), metadata={"check": check_ranges})
    login_hours: tuple[int, ...] = field(default=(), metadata={"check": _check_hours})
    temporary_password: bool = False
    password_age_days: float = 0.0


# Column of PermissionSet and Profile, to the setting of the user that decides it.
PERMISSIONS: dict[str, str] = {
    spec.metadata["permission"]: spec.name for spec in fields(UserSettings) if "permission" in spec.metadata
}
