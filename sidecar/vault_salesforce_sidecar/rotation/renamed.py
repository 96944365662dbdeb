"""What users are called now: a user keeps the id when somebody renames them."""

import re
from collections.abc import Callable, Collection

from vault_salesforce_contract.text import login_name_fault
from vault_salesforce_sidecar.rotation import findings
from vault_salesforce_sidecar.rotation.machine import Event
from vault_salesforce_sidecar.rotation.outcome import Outcome
from vault_salesforce_sidecar.rotation.parts import Account
from vault_salesforce_sidecar.salesforce.interface import Lost, NotSent, Org, OrgRefused, Session, User

ID_LENGTH = 15  # what follows is a checksum of the letters' case, which not every answer carries
AsAdmin = Callable[[Callable[[Session], dict[str, str]]], dict[str, str]]
_USER_ID = re.compile(r"005[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?")


def renamed_to(account: Account, user_id: str, as_admin: AsAdmin) -> str:
    """What an account's user is called now, where somebody may look; empty: as before, or nobody knows."""
    if not account.administered or not user_id:
        return ""
    try:
        names = as_admin(lambda admin: names_by_id(account.org, admin, (user_id,)))
    except (OrgRefused, Lost, NotSent):
        return ""
    name = names.get(user_id[:ID_LENGTH], "")
    return "" if name.lower() == account.username.lower() else name


def is_another(user: User, user_id: str) -> bool:
    """Whether the name has gone to another user than the one whose id is known; empty: none is."""
    return bool(user_id) and user.user_id[:ID_LENGTH] != user_id[:ID_LENGTH]


def gone(name: str, found: User | None = None) -> Outcome:
    """What comes of a user whom the org does not have under the role's name; empty: under no other one either.

    Args:
        name: What the user is called now.
        found: Who has the role's name instead.
    """
    if not name:
        return Outcome(Event.BLOCKED, findings.ANOTHER_USER if found else findings.NO_USER)
    return Outcome(Event.BLOCKED, findings.renamed(name), changes={"renamed_to": name})


def called_now(org: Org, user_ids: Collection[str]) -> dict[str, str]:
    """The same as the connection's own identity sees them; nothing where it has none. Raises: as `names_by_id`."""
    asked = [user_id for user_id in user_ids if user_id]
    admin = org.admin_session() if asked else None
    return names_by_id(org, admin, asked) if admin else {}


def names_by_id(org: Org, session: Session, user_ids: Collection[str]) -> dict[str, str]:
    """The login names of users, by the first fifteen characters of their ids; of some the org may say nothing.

    Raises: OrgRefused, Lost, NotSent.
    """
    asked = [user_id for user_id in user_ids if _USER_ID.fullmatch(user_id)]
    if not asked:
        return {}
    quoted = ", ".join(f"'{user_id}'" for user_id in asked)
    rows = org.query(session, f"SELECT Id, Username FROM User WHERE Id IN ({quoted})")  # noqa: S608 - ids alone
    found = {str(row.get("Id"))[:ID_LENGTH]: str(row.get("Username")) for row in rows}
    return {user_id: name for user_id, name in found.items() if login_name_fault(name) is None}
