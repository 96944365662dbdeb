"""The objects that queries see: columns with their types, rows, and who may look."""

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from . import ids
from .clock import stamp
from .faults import FaultError
from .org import LoginRow, Org
from .soql import Condition, Literal, Query
from .user import User

_ORDERINGS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@dataclass(frozen=True)
class Column:
    """A field: its type as describe gives it, and how it is read from a record."""

    kind: str
    read: Callable[[Org, Any], Literal]


@dataclass(frozen=True)
class Table:
    """An object.

    Attributes:
        columns: By name, which may lead through a relationship.
        rows: Every record.
        index: Columns by which records are found without looking at every one of them.
        sees: Whether a viewer may see a record.
    """

    name: str
    columns: dict[str, Column]
    rows: Callable[[Org], Iterable[Any]]
    index: dict[str, Callable[[Org, str], Iterable[Any]]] = field(default_factory=dict)
    sees: Callable[[Org, User, Any], bool] = lambda _org, _viewer, _row: True

    def column(self, name: str) -> tuple[str, Column]:
        """Find a column, capitals or not; return its right name too.

        Raises:
            FaultError: There is none.
        """
        for known, column in self.columns.items():
            if known.lower() == name.lower():
                return known, column
        raise FaultError("INVALID_FIELD", f"No such column '{name}' on entity '{self.name}'.")


def run(org: Org, viewer: User, query: Query, base: str) -> list[dict[str, Any]]:
    """Run a query.

    Args:
        org: Where to look.
        viewer: Who looks.
        query: What for.
        base: Path of the REST version, for the addresses of the records.

    Returns:
        The records as REST answers show them.

    Raises:
        FaultError: The object or a field does not exist for this viewer.
    """
    table = find(query.table, viewer)
    fields = [table.column(name) for name in query.fields]
    tests = [(*table.column(condition.field), condition) for condition in query.conditions]
    with org.lock:
        rows = [
            row
            for row in _candidates(org, table, tests)
            if all(_holds(column.read(org, row), column.kind, condition) for _, column, condition in tests)
            and table.sees(org, viewer, row)
        ]
        if query.order_by:
            key = table.column(query.order_by)[1]
            # An empty field comes first, as in Salesforce unless a query says otherwise.
            rows.sort(key=lambda row: _order(key.read(org, row)), reverse=query.descending)
        return [_show(org, table, row, fields, base) for row in rows[: query.limit]]


def find(name: str, viewer: User) -> Table:
    """Find an object that the viewer may see.

    Raises:
        FaultError: There is none.
    """
    for table in TABLES:
        if table.name.lower() == name.lower() and (table is not USER_LOGIN or viewer.settings.manage_users):
            return table
    raise FaultError("INVALID_TYPE", f"sObject type '{name}' is not supported.")


def describe(table: Table) -> dict[str, Any]:
    """Describe an object as far as programs need it that ask which fields exist."""
    return {
        "name": table.name,
        "label": table.name,
        "queryable": True,
        "fields": [
            {"name": name, "type": column.kind, "nillable": name != "Id", "updateable": False}
            for name, column in table.columns.items()
            if "." not in name
        ],
    }


def _candidates(org: Org, table: Table, tests: list[tuple[str, Column, Condition]]) -> Iterable[Any]:
    for name, _, condition in tests:
        look_up = table.index.get(name)
        wanted = {literal for literal in condition.literals if isinstance(literal, str)}
        if look_up and condition.comparison in {"=", "IN"} and len(wanted) == len(condition.literals):
            return [row for literal in sorted(wanted) for row in look_up(org, literal)]
    return table.rows(org)


def _show(org: Org, table: Table, row: Any, fields: list[tuple[str, Column]], base: str) -> dict[str, Any]:
    record_id = table.columns["Id"].read(org, row)
    shown: dict[str, Any] = {"attributes": {"type": table.name, "url": f"{base}/sobjects/{table.name}/{record_id}"}}
    for name, column in fields:
        relation, _, last = name.rpartition(".")
        holder = shown.setdefault(relation, {"attributes": {"type": relation}}) if relation else shown
        value = column.read(org, row)
        holder[last] = stamp(value) if isinstance(value, datetime) else value
    return shown


def _holds(value: Literal, kind: str, condition: Condition) -> bool:
    wanted = [_comparable(literal, kind) for literal in condition.literals]
    found = _comparable(value, kind)
    if condition.comparison in {"=", "IN"}:
        return found in wanted
    if condition.comparison == "!=":
        return found not in wanted
    if found is None or wanted[0] is None:
        return False
    try:
        return bool(_ORDERINGS[condition.comparison](found, wanted[0]))
    except TypeError as error:
        message = f"The value does not fit the field {condition.field} of type {kind}."
        raise FaultError("INVALID_FIELD", message) from error


def _comparable(value: Literal, kind: str) -> Any:
    if isinstance(value, str):
        return ids.shorten(value) if kind in {"id", "reference"} else value.casefold()
    if isinstance(value, datetime):
        # The column is shown in whole seconds, so that is also how it compares.
        return value.replace(microsecond=0)
    return value


def _order(value: Literal) -> tuple[bool, Any]:
    return (value is not None, value.casefold() if isinstance(value, str) else value)


def _users(org: Org) -> Iterable[User]:
    return org.users.values()


def _user_by_id(org: Org, record_id: str) -> Iterable[User]:
    user = org.user_by_id(record_id)
    return (user,) if user else ()


def _user_by_name(org: Org, username: str) -> Iterable[User]:
    user = org.user(username)
    return (user,) if user else ()


def _logins_of(org: Org, record_id: str) -> Iterable[LoginRow]:
    user = org.user_by_id(record_id)
    return org.logins_of(user) if user else ()


def _sees_login(org: Org, viewer: User, row: LoginRow) -> bool:
    arrived = org.clock.now() - row.time >= timedelta(seconds=org.settings.login_history_delay)
    return arrived and (row.user is viewer or viewer.settings.manage_users)


def _permission(name: str) -> Column:
    return Column("boolean", lambda _, user: bool(getattr(user.settings, name)))


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
        "ProfileId": Column("reference", lambda org, user: org.profile_id(user.settings.profile)),
        "Profile.Name": Column("string", lambda _, user: user.settings.profile),
        "LastLoginDate": Column("datetime", lambda _, user: user.last_login),
        "LastPasswordChangeDate": Column("datetime", lambda _, user: user.last_password_change),
        "NumberOfFailedLogins": Column("int", lambda _, user: user.failed_count),
        "PasswordExpirationDate": Column("datetime", lambda org, user: user.expires(org.policy(user))),
        "FederationIdentifier": Column("string", lambda _org, _user: None),
        "LanguageLocaleKey": Column("picklist", lambda _org, _user: "en_US"),
    },
    _users,
    index={"Id": _user_by_id, "Username": _user_by_name},
)

USER_LOGIN = Table(
    "UserLogin",
    {
        "Id": Column("id", lambda _, user: ids.numbered(ids.USER_LOGIN, user.number)),
        "UserId": Column("reference", lambda _, user: user.id),
        "IsFrozen": Column("boolean", lambda _, user: user.settings.frozen),
        "IsPasswordLocked": Column("boolean", lambda org, user: user.locked(org.clock.now())),
        "LastModifiedDate": Column("datetime", lambda _, user: user.last_modified),
    },
    _users,
    index={"UserId": _user_by_id},
)

LOGIN_HISTORY = Table(
    "LoginHistory",
    {
        "Id": Column("id", lambda _, row: ids.numbered(ids.LOGIN_HISTORY, row.number)),
        "UserId": Column("reference", lambda _, row: row.user.id),
        "LoginTime": Column("datetime", lambda _, row: row.time),
        "LoginType": Column("picklist", lambda _, row: row.login_type),
        "LoginUrl": Column("string", lambda _, row: row.login_url),
        "SourceIp": Column("string", lambda _, row: row.source),
        "Status": Column("string", lambda _, row: row.status),
        "ApiType": Column("string", lambda _, row: row.api_type),
        "ApiVersion": Column("string", lambda _, row: row.api_version),
        "Application": Column("string", lambda _, row: row.application),
        "Browser": Column("string", lambda _org, _row: "Unknown"),
        "Platform": Column("string", lambda _org, _row: "Unknown"),
        "ClientVersion": Column("string", lambda _org, _row: "N/A"),
    },
    lambda org: org.history,
    index={"UserId": _logins_of},
    sees=_sees_login,
)

ORGANIZATION = Table(
    "Organization",
    {
        "Id": Column("id", lambda org, _: org.id),
        "Name": Column("string", lambda org, _: org.settings.name),
        "IsSandbox": Column("boolean", lambda org, _: org.settings.is_sandbox),
        "InstanceName": Column("string", lambda org, _: org.settings.instance_name),
        "OrganizationType": Column("picklist", lambda _org, _row: "Developer Edition"),
        "TrialExpirationDate": Column("datetime", lambda _org, _row: None),
        "NamespacePrefix": Column("string", lambda _org, _row: None),
    },
    lambda _org: (None,),
)

PERMISSION_SET_ASSIGNMENT = Table(
    "PermissionSetAssignment",
    {
        "Id": Column("id", lambda _, user: ids.numbered(ids.PERMISSION_SET_ASSIGNMENT, user.number)),
        "AssigneeId": Column("reference", lambda _, user: user.id),
        "Assignee.Username": Column("string", lambda _, user: user.username),
        "PermissionSetId": Column("reference", lambda _, user: ids.numbered(ids.PERMISSION_SET, user.number)),
        "PermissionSet.IsOwnedByProfile": Column("boolean", lambda _org, _user: True),
        "PermissionSet.ProfileId": Column("reference", lambda org, user: org.profile_id(user.settings.profile)),
        "PermissionSet.PermissionsApiEnabled": _permission("api_enabled"),
        "PermissionSet.PermissionsApiUserOnly": _permission("api_only"),
        "PermissionSet.PermissionsPasswordNeverExpires": _permission("never_expires"),
        "PermissionSet.PermissionsResetPasswords": _permission("reset_passwords"),
        "PermissionSet.PermissionsManageUsers": _permission("manage_users"),
        "PermissionSet.PermissionsUseAnyApiAuth": _permission("use_any_api_auth"),
        "PermissionSet.PermissionsTwoFactorApi": _permission("mfa_api"),
        "PermissionSet.PermissionsIsSsoEnabled": _permission("sso_enabled"),
    },
    _users,
    index={"AssigneeId": _user_by_id, "Assignee.Username": _user_by_name},
)

TABLES = (USER, USER_LOGIN, LOGIN_HISTORY, ORGANIZATION, PERMISSION_SET_ASSIGNMENT)
