"""PermissionSet, PermissionSetAssignment and Profile: which permission a user has, and whence."""

from collections.abc import Iterable
from dataclasses import dataclass

from salesforce_orgsim import ids
from salesforce_orgsim.org import Org
from salesforce_orgsim.soql import Literal
from salesforce_orgsim.tables import Column, Look, Table
from salesforce_orgsim.user import User
from salesforce_orgsim.user_settings import PERMISSIONS

from .people import sees_profile, user_by_id, user_by_name

# The release in which a column came; the others are older than every version served.
_SINCE = {"PermissionsUseAnyApiAuth": 67}
_WITH_API_ACCESS_CONTROL = {"PermissionsUseAnyApiClient"}


@dataclass(frozen=True)
class _Set:
    """What a user is granted by the profile, or beside it by a permission set."""

    user: User
    by_profile: bool

    @property
    def number(self) -> int:
        return 2 * self.user.number - self.by_profile

    @property
    def name(self) -> str:
        return f"X{ids.numbered(ids.PERMISSION_SET, self.number)}"

    def grants(self, setting: str) -> bool:
        by_set = setting in self.user.settings.granted_by_permission_set
        return bool(getattr(self.user.settings, setting)) and by_set is not self.by_profile


def _sets_of(user: User) -> Iterable[_Set]:
    yield _Set(user, by_profile=True)
    if user.settings.granted_by_permission_set:
        yield _Set(user, by_profile=False)


def _sets(org: Org) -> Iterable[_Set]:
    return [one for user in org.users.values() for one in _sets_of(user)]


def _sets_by_id(org: Org, record_id: str) -> Iterable[_Set]:
    return [one for user in user_by_id(org, record_id) for one in _sets_of(user)]


def _sets_by_name(org: Org, username: str) -> Iterable[_Set]:
    return [one for user in user_by_name(org, username) for one in _sets_of(user)]


def _sees_set(look: Look, row: _Set) -> bool:
    return row.user is look.viewer or look.viewer.settings.manage_users or look.viewer.settings.view_setup


def _profile_id(look: Look, row: _Set) -> Literal:
    return look.org.profile_id(row.user.settings.profile) if row.by_profile else None


def _profile_name(look: Look, row: _Set) -> Literal:
    profile = row.user.settings.profile
    return profile if row.by_profile and sees_profile(look, profile) else None


def _present(column: str, org: Org) -> bool:
    if column in _WITH_API_ACCESS_CONTROL:
        return org.settings.api_access_control
    return org.settings.current_version >= _SINCE.get(column, 0)


def _permission(column: str, setting: str) -> Column:
    return Column("boolean", lambda _, row: row.grants(setting), present=lambda org: _present(column, org))


def _profile_permission(column: str, setting: str) -> Column:
    def read(look: Look, profile: str) -> Literal:
        members = (user for user in look.org.users.values() if user.settings.profile == profile)
        return any(_Set(user, by_profile=True).grants(setting) for user in members)

    return Column("boolean", read, present=lambda org: _present(column, org))


_GRANTS = {column: _permission(column, setting) for column, setting in PERMISSIONS.items()}

PERMISSION_SET = Table(
    "PermissionSet",
    {
        "Id": Column("id", lambda _, row: ids.numbered(ids.PERMISSION_SET, row.number)),
        "Name": Column("string", lambda _, row: row.name),
        "Label": Column("string", lambda _, row: row.name),
        "IsOwnedByProfile": Column("boolean", lambda _, row: row.by_profile),
        "ProfileId": Column("reference", _profile_id),
        "Profile.Name": Column("string", _profile_name),
        **_GRANTS,
    },
    _sets,
    sees=_sees_set,
)

PERMISSION_SET_ASSIGNMENT = Table(
    "PermissionSetAssignment",
    {
        "Id": Column("id", lambda _, row: ids.numbered(ids.PERMISSION_SET_ASSIGNMENT, row.number)),
        "AssigneeId": Column("reference", lambda _, row: row.user.id),
        "Assignee.Username": Column("string", lambda _, row: row.user.username),
        "PermissionSetId": Column("reference", lambda _, row: ids.numbered(ids.PERMISSION_SET, row.number)),
        **{
            f"PermissionSet.{name}": column
            for name, column in PERMISSION_SET.columns.items()
            if name not in {"Id", "Profile.Name"}
        },
        "PermissionSet.Profile.Name": Column("string", _profile_name),
    },
    _sets,
    index={"AssigneeId": _sets_by_id, "Assignee.Username": _sets_by_name},
    sees=_sees_set,
)

PROFILE = Table(
    "Profile",
    {
        "Id": Column("id", lambda look, profile: look.org.profile_id(profile)),
        "Name": Column("string", lambda _, profile: profile),
        "UserType": Column("picklist", lambda _look, _profile: "Standard"),
        **{column: _profile_permission(column, setting) for column, setting in PERMISSIONS.items()},
    },
    lambda org: sorted({user.settings.profile for user in org.users.values()}),
    sees=sees_profile,
)
