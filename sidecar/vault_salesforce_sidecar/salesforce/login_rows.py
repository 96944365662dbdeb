"""Who may read a user's Login History, and the one read of it."""

from datetime import datetime
from typing import Final

from vault_salesforce_sidecar.salesforce.ids import same_record
from vault_salesforce_sidecar.salesforce.interface import LoginRow, Org, OrgRefused, Session
from vault_salesforce_sidecar.salesforce.rights import NOT_SHOWN, permissions_of

# Either shows the logins of others; everybody sees their own.
MAY_LOOK: Final = frozenset({"PermissionsManageUsers", "PermissionsMonitorLoginHistory"})


def visible_logins(org: Org, session: Session, user_id: str, since: datetime) -> tuple[LoginRow, ...] | None:
    """A user's logins since a time of the org's clock, newest first.

    Args:
        org: Where.
        session: Who looks.
        user_id: Whom at.
        since: How far back.

    Returns: None where this session does not see them. An org shows somebody without the right no row, and no error.
    Raises: OrgRefused for another reason; Lost, NotSent.
    """
    try:
        rows = org.login_history(session, user_id, since)
    except OrgRefused as refused:
        if refused.fault.code in NOT_SHOWN:
            return None
        raise
    if rows or same_record(user_id, session.user_id):
        return rows
    return rows if permissions_of(org, session, session.user_id, MAY_LOOK) else None
