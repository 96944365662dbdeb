"""User, UserLogin and Organization."""

from collections.abc import Iterable

from salesforce_orgsim import ids
from salesforce_orgsim.org import Org
from salesforce_orgsim.soql import Literal
from salesforce_orgsim.tables import Column, Look, Table
from salesforce_orgsim.user import User


def users(org: Org) -> Iterable[User]:
    """Every user."""
    return org.users.values()


def user_by_id(org: Org, record_id: str) -> Iterable[User]:
    """The user of an id, if any."""
    user = org.user_by_id(record_id)
    return (user,) if user else ()


def user_by_name(org: Org, username: str) -> Iterable[User]:
    """The user of a name, if any."""
    user = org.user(username)
    return (user,) if user else ()


def sees_profile(look: Look, profile: str) -> bool:
    """Whether the viewer may know a profile by name."""
    viewer = look.viewer.settings
    return not look.org.settings.profile_filtering or viewer.view_all_profiles or viewer.profile == profile


def _sees_user(look: Look, user: User) -> bool:
    viewer = look.viewer.settings
    return look.org.settings.users_see_all_users or user is look.viewer or viewer.manage_users or viewer.view_all_data


def _profile_name(look: Look, user: User) -> Literal:
    return user.settings.profile if sees_profile(look, user.settings.profile) else None


USER = Table(
    "User",
    {
        "Id": Column("id", lambda _, user: user.id),
        "Username": Column("string", lambda _, user: user.username),
        "Email": Column("email", lambda _, user: user.settings.email),
        "Name": Column("string", lambda _, user: user.full_name),
        "FirstName": Column("string", lambda _, user: user.settings.first_name),
        "LastName": Column("string", lambda _, user: user.settings.last_name),
        "IsActive": Column("boolean", lambda _, user: user.settings.active),
        "UserType": Column("picklist", lambda _, user: user.settings.user_type),
        "ProfileId": Column("reference", lambda look, user: look.org.profile_id(user.settings.profile)),
        "Profile.Name": Column("string", _profile_name),
        "LastLoginDate": Column("datetime", lambda _, user: user.last_login),
        "LastPasswordChangeDate": Column("datetime", lambda _, user: user.last_password_change),
        "LastModifiedDate": Column("datetime", lambda _, user: user.last_modified),
        "NumberOfFailedLogins": Column("int", lambda _, user: user.failed_count),
        "PasswordExpirationDate": Column("datetime", lambda look, user: user.expires(look.org.policy(user))),
        "FederationIdentifier": Column("string", lambda _, user: user.settings.federation_identifier or None),
        "LanguageLocaleKey": Column("picklist", lambda _, user: user.settings.language),
        "LocaleSidKey": Column("picklist", lambda _, user: user.settings.language),
        "TimeZoneSidKey": Column("picklist", lambda _look, _user: "Europe/Berlin"),
        "UserPermissionsInteractionUser": Column("boolean", lambda _look, _user: False),
        "UserPermissionsMarketingUser": Column("boolean", lambda _look, _user: False),
        "UserPermissionsSupportUser": Column("boolean", lambda _look, _user: False),
    },
    users,
    index={"Id": user_by_id, "Username": user_by_name},
    sees=_sees_user,
)

USER_LOGIN = Table(
    "UserLogin",
    {
        "Id": Column("id", lambda _, user: ids.numbered(ids.USER_LOGIN, user.number)),
        "UserId": Column("reference", lambda _, user: user.id),
        "IsFrozen": Column("boolean", lambda _, user: user.settings.frozen, updateable=True),
        "IsPasswordLocked": Column("boolean", lambda look, user: user.locked(look.org.clock.now()), updateable=True),
        "LastModifiedDate": Column("datetime", lambda _, user: user.last_modified),
    },
    users,
    index={"UserId": user_by_id},
    exists=lambda look: look.viewer.settings.manage_users,
)

ORGANIZATION = Table(
    "Organization",
    {
        "Id": Column("id", lambda look, _: look.org.id),
        "Name": Column("string", lambda look, _: look.org.settings.name),
        "IsSandbox": Column("boolean", lambda look, _: look.org.settings.is_sandbox),
        "InstanceName": Column("string", lambda look, _: look.org.settings.instance_name),
        "OrganizationType": Column("picklist", lambda _look, _row: "Developer Edition"),
        "TrialExpirationDate": Column("datetime", lambda _look, _row: None),
        "NamespacePrefix": Column("string", lambda _look, _row: None),
    },
    lambda _org: (None,),
)
