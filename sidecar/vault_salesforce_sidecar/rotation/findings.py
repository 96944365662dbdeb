"""What we find by ourselves where Salesforce gives no fault: told in the same shape as its faults. PURE."""

from typing import Final

from vault_salesforce_sidecar.salesforce.interface import Fault, Verdict

# Codes of faults that say: this user, or this org, has no login() by API at all.
NO_WAY_IN: Final = frozenset(
    {"INVALID_OPERATION", "INSUFFICIENT_ACCESS", "API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED"}
)
DEAD_SESSION: Final = "INVALID_SESSION_ID"


def _finding(code: str, cause: str, remedy: str, verdict: Verdict = Verdict.BLOCKED) -> Fault:
    return Fault(code, cause, remedy, verdict, counts=False, retry_is_safe=False)


UNREACHABLE: Final = _finding(
    "unreachable",
    "Salesforce could not be reached.",
    "See that the sidecar's way to the login host is open, and rotate again.",
)
NO_ANSWER: Final = _finding(
    "no_answer",
    "Salesforce gave no readable answer, three times in a row.",
    "Look at Salesforce's status page, and rotate again.",
)
LOCKED: Final = _finding(
    "user_locked",
    "The user is locked in Salesforce after too many failed logins; none was made now.",
    "Unlock the user in Salesforce (Setup, Users, Unlock), and end the consumer that logs in with an old password.",
)
FROZEN: Final = _finding(
    "user_frozen", "The user is frozen in Salesforce.", "Unfreeze the user in Salesforce (Setup, Users, Unfreeze)."
)
INACTIVE: Final = _finding(
    "user_inactive", "The user is deactivated.", "Activate the user in Salesforce (Setup, Users, Edit, Active)."
)
NO_USER: Final = _finding(
    "no_such_user", "The org has no user of that name.", "Compare the role's username with Salesforce's."
)
NO_IDENTITY: Final = _finding(
    "no_identity",
    "The connection has no identity that could look or set a password.",
    "Give the connection an auth_method.",
)
OWN_USER: Final = _finding(
    "own_user",
    "The connection's identity is this very user, and nobody may set their own password so.",
    "Give the connection another user, or make the role self_managed.",
)
MAILBOX: Final = _finding(
    "mailbox_unavailable",
    "The mailbox for token mails cannot be read, so no change was begun.",
    "See that the connection's mailbox is there, and rotate again.",
)
EXPIRED: Final = _finding(
    "password_expired",
    "The password is right but has expired, so it is not published.",
    "Rotate the role, and give the user the permission Password Never Expires.",
    Verdict.REFUSED,
)
UNPROVABLE: Final = _finding(
    "no_way_in",
    "This user has no login by API, and the org's record does not prove this password.",
    "Give the user a way to log in, or rotate the role anew.",
)
