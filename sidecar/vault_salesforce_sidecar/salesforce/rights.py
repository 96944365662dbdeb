"""What a user may do in their org, by their profile and permission sets; and the queries that ask for it."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from vault_salesforce_sidecar.salesforce.ids import ID
from vault_salesforce_sidecar.salesforce.interface import Org, OrgRefused, Session

# Whoever holds one of these can become anybody in the org, or make code that does.
PRIVILEGES: Final = frozenset(
    {
        "PermissionsModifyAllData",
        "PermissionsManageUsers",
        "PermissionsCustomizeApplication",
        "PermissionsAuthorApex",
    }
)
# What an org answers where it does not show an object, or a field, to who asks.
NOT_SHOWN: Final = frozenset({"INVALID_FIELD", "INVALID_TYPE", "INSUFFICIENT_ACCESS", "NOT_FOUND"})
# Columns of every org: where these are not to be seen, the object is not either.
_EVERYWHERE: Final = frozenset({"PermissionsModifyAllData", "PermissionsManageUsers"})


def assignments_query(user_id: str, permissions: Iterable[str]) -> str:
    """Which of these permissions each of a user's permission sets gives; a profile counts as one of them.

    Args:
        user_id: 15 or 18 characters.
        permissions: Columns of PermissionSet that the org has: a query that names another one fails whole.

    Raises: ValueError where the id is none.
    """
    if not ID.fullmatch(user_id):
        raise ValueError("not a user id")
    columns = ", ".join(f"PermissionSet.{name}" for name in sorted(permissions))
    return f"SELECT {columns} FROM PermissionSetAssignment WHERE AssigneeId = '{user_id}'"  # noqa: S608 - an id


def granted(records: Iterable[Mapping[str, Any]], permissions: Collection[str]) -> frozenset[str]:
    """Which of these permissions the records of `assignments_query` give."""
    sets = [record.get("PermissionSet") for record in records]
    return frozenset(name for name in permissions for one in sets if isinstance(one, Mapping) and one.get(name) is True)


def permissions_of(org: Org, session: Session, user_id: str, wanted: Collection[str]) -> frozenset[str] | None:
    """Which of the wanted permissions a user has; a permission that the org does not know is nobody's.

    Args:
        org: Where.
        session: Who looks.
        user_id: Whom at.
        wanted: Columns of PermissionSet, such as `PermissionsApiEnabled`.

    Returns: None where this session does not see it.
    Raises: OrgRefused for another reason; Lost, NotSent.
    """
    try:
        columns = org.columns(session, "PermissionSet")
        if not columns >= _EVERYWHERE:
            return None
        asked = frozenset(wanted) & columns
        # A user always has a profile, so at least one row.
        records = org.query(session, assignments_query(user_id, asked or _EVERYWHERE))
    except OrgRefused as refused:
        if refused.fault.code in NOT_SHOWN:
            return None
        raise
    return granted(records, asked) if records else None


def privileges(org: Org, session: Session, user_id: str) -> frozenset[str] | None:
    """The privileges of `PRIVILEGES` that a user has. Returns, Raises: as `permissions_of`."""
    return permissions_of(org, session, user_id, PRIVILEGES)
