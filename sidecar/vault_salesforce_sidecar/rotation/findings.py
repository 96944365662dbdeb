"""What we find by ourselves where Salesforce gives no fault: told in the same shape as its faults. PURE."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from vault_salesforce_sidecar.records.organization import Organization
from vault_salesforce_sidecar.salesforce.interface import Fault, Verdict

# Codes of faults that say: this user, or this org, has no login() by API at all.
NO_WAY_IN: Final = frozenset(
    {
        "INVALID_OPERATION",
        "INSUFFICIENT_ACCESS",
        "API_DISABLED_FOR_ORG",
        "API_CURRENTLY_DISABLED",
        "UNSUPPORTED_API_VERSION",
        "unsupported_grant_type",
    }
)
DEAD_SESSION: Final = "INVALID_SESSION_ID"
OLD_PASSWORD: Final = "INVALID_OLD_PASSWORD"  # noqa: S105 - a code
NEW_PASSWORD: Final = "INVALID_NEW_PASSWORD"  # noqa: S105 - a code
# What any call but a change of password is answered in the session of an expired or temporary password.
EXPIRED_SESSION: Final = "INVALID_OPERATION_WITH_EXPIRED_PASSWORD"
# Codes by which the session of an expired password is refused changeOwnPassword, and setPassword wanted.
SET_WANTED: Final = frozenset({EXPIRED_SESSION, "INVALID_OPERATION", "INSUFFICIENT_ACCESS"})


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
ENOUGH_LOGINS: Final = _finding(
    "enough_logins",
    "Three logins were made for this rotation, and answers of Salesforce in between were lost; no more is made now.",
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
# Permissions with which no password is a way in.
NO_PASSWORD_LOGIN: Final[Mapping[str, Fault]] = {
    "PermissionsTwoFactorApi": _finding(
        "mfa_for_api_logins",
        "The user has the permission MFA for API Logins: a password and a security token do not log in.",
        "Take that permission from the user, or rotate with verify=record.",
    ),
    "PermissionsIsSsoEnabled": _finding(
        "single_sign_on_only",
        "The user logs in by single sign-on alone: a password does not log in.",
        "Take the permission Is Single Sign-On Enabled from the user, or rotate with verify=record.",
    ),
}
NO_USER: Final = _finding(
    "no_such_user", "The org has no user of that name.", "Compare the role's username with Salesforce's."
)
ANOTHER_USER: Final = _finding(
    "another_user",
    "The role's user name belongs to another user in Salesforce now.",
    "Delete the role, and create it anew for that user.",
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
UNSEEN_RIGHTS: Final = _finding(
    "rights_not_visible",
    "The connection's identity cannot see whether this user is privileged (Modify All Data, Manage Users, Customize "
    "Application, Author Apex), and only a glob of admin_may_rotate has the user.",
    "Name the user in admin_may_rotate without a glob, or give the identity View Setup and Configuration.",
)
NOBODY_ENDS: Final = _finding(
    "no_identity",
    "Nobody may end this user's sessions: the connection has no identity, and no app that opens one of the user's own.",
    "Give the connection an auth_method or an app; now end them by hand (Setup, Session Management).",
)
HELD: Final = "held"
ANOTHER_ORG: Final = "another_org"
RENAMED: Final = "user_renamed"


def held(sentence: str) -> Fault:
    """What a rotation that had sent nothing is told when the brake is pulled."""
    return _finding(HELD, f"{sentence[:1].upper()}{sentence[1:]}.", "Rotate again once the hold is over.")


def privileged(permissions: Iterable[str]) -> Fault:
    """What a user comes to who could take the org over, and whom only a glob names."""
    names = ", ".join(sorted(_spaced(name) for name in permissions))
    return _finding(
        "user_privileged",
        f"The user is privileged ({names}), and only a glob of admin_may_rotate has them.",
        "Name the user in admin_may_rotate without a glob, if an administrator may set this password.",
    )


def new_password_refused(fault: Fault, policy: str) -> Fault:
    """A refusal of the new password, with whose rules it is to be held against.

    Args:
        fault: What Salesforce said.
        policy: The Vault password policy that made it; empty: the built-in one.
    """
    if policy:
        cause = f"Salesforce refused a password that Vault's password policy {policy!r} made."
        remedy = (
            "Hold that policy against the password policies of the user's profile (Setup, Profiles), or leave the "
            "role's password_policy empty; else it is a change within 24 hours of the last one."
        )
    else:
        cause = (
            "Salesforce refused a password of 50 characters of all kinds, which no rule of length or complexity does: "
            "most likely the org allows one change in 24 hours."
        )
        remedy = (
            "Look at Minimum Password Lifetime in the password policies of the user's profile (Setup, Profiles), and "
            "rotate a day after the last change."
        )
    return replace(fault, cause=cause, remedy=remedy)


def _spaced(permission: str) -> str:
    """A column of PermissionSet as Setup calls it: `PermissionsModifyAllData` is Modify All Data."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", permission.removeprefix("Permissions"))


def another_org(connection: str, expected: Organization, found: Organization) -> Fault:
    """What a session of another org comes to; nothing is sent in it."""
    kind = {True: ", a sandbox", False: ", no sandbox", None: ""}
    return _finding(
        ANOTHER_ORG,
        f"The org behind the connection {connection!r} is {found.organization_id}{kind[found.is_sandbox]}, and not "
        f"{expected.organization_id}{kind[expected.is_sandbox]} any more: a sandbox was refreshed, or the connection "
        "leads elsewhere.",
        f"Where that is meant, write organization_id={found.organization_id} to config/{connection}; "
        "else mend the connection's login_url.",
    )


def renamed(username: str) -> Fault:
    """What a user who has another name now comes to."""
    return _finding(RENAMED, f"The user was renamed in Salesforce, to {username}.", "Move the role to that name.")


def no_mailbox(why: str) -> Fault:
    """`MAILBOX`, with what the mailbox said; that holds no secret."""
    return replace(MAILBOX, cause=f"The mailbox for token mails cannot be read, so no change was begun: {why}.")
