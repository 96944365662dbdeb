"""What the errors of Salesforce's token endpoint mean: ONE table, error and description → fault. PURE.

Salesforce has a dozen causes for one `error`, and tells them apart by `error_description` alone. A fault's code is the
error, and behind a slash the words of the description that it was known by.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from vault_salesforce_sidecar.salesforce.interface import Fault, Verdict
from vault_salesforce_sidecar.salesforce.message import json_of

_ERROR = re.compile(r"[a-z][a-z0-9_]{2,59}")
_NO_WORD = re.compile(r"[^a-z0-9]+")


class Row(NamedTuple):
    """One row: what it is known by, and what it means.

    Attributes:
        error: Salesforce's `error`.
        words: What the description holds, by small letters and single spaces; empty: whatever it holds.
        fault: Its meaning.
    """

    error: str
    words: str
    fault: Fault


def _row(error: str, words: str, cause: str, remedy: str, *, retry: bool = False) -> Row:
    code = f"{error}/{words.replace(' ', '_')}" if words else error
    return Row(error, words, Fault(code, cause, remedy, Verdict.BLOCKED, counts=False, retry_is_safe=retry))


_POLICIES = "(Setup, External Client App Manager, the app, Policies)"
_SETTINGS = "(Setup, External Client App Manager, the app, Settings)"
_LOCKED = ("The user is locked after too many failed logins, or frozen.", "Unlock the user (Setup, Users, Unlock).")
_INACTIVE = ("The user is deactivated.", "Activate the user in Salesforce (Setup, Users, Edit, Active).")
_ADDRESS = (
    "The Login IP Ranges of the user's profile do not include the sidecar's address.",
    f"Add the sidecar's address to those ranges (Setup, Profiles), or relax them in the app {_POLICIES}.",
)
_HOURS = (
    "The login hours of the user's profile do not include this hour.",
    "Wait for the login hours, or widen them on the profile (Setup, Profiles).",
)
_RATE = ("This user logged in too often within an hour.", "Wait an hour, and find out who logs in so often.")
_AUDIENCE = (
    "The assertion was made for another kind of org: production and sandboxes take different ones.",
    "Set the connection's login_url to the org's My Domain.",
)
_APPROVAL = (
    "The user is not approved for the app in advance, or is not a user of this org.",
    f"Admit admin-approved users in the app, and give it the user's profile or permission set {_POLICIES}.",
)
_GRANT_SHUT = (
    "The org, or the app, does not allow this OAuth flow.",
    "Enable the flow in the app (the OAuth password flow: Setup, OAuth and OpenID Connect Settings), or use another.",
)

ROWS: Final = (
    # The user.
    _row("invalid_grant", "user is locked", *_LOCKED),
    _row("invalid_grant", "user is frozen", *_LOCKED),
    _row("invalid_grant", "inactive user", *_INACTIVE),
    _row("invalid_grant", "user is inactive", *_INACTIVE),
    _row("invalid_grant", "ip restricted", *_ADDRESS),
    _row("invalid_grant", "ip not allowed", *_ADDRESS),
    _row("invalid_grant", "restricted ip", *_ADDRESS),
    _row("invalid_grant", "restricted time", *_HOURS),
    _row("invalid_grant", "login hours", *_HOURS),
    _row("invalid_grant", "login rate exceeded", *_RATE),
    _row(
        "invalid_grant",
        "password has expired",
        "The user's password has expired.",
        "Rotate the role, and give integration users the permission Password Never Expires.",
    ),
    # The app and its users.
    _row("invalid_grant", "user hasn t approved this consumer", *_APPROVAL),
    _row("invalid_grant", "user has not approved this consumer", *_APPROVAL),
    _row(
        "invalid_app_access",
        "user is not admin approved to access this app",
        "The app admits only users whom an administrator has approved, and this one is not.",
        f"Give the app the user's profile or permission set {_POLICIES}.",
    ),
    _row(
        "invalid_grant",
        "no client credentials user enabled",
        "The app has no user to run as.",
        f"Enable the client credentials flow in the app and choose the user it runs as {_POLICIES}.",
    ),
    _row(
        "invalid_grant",
        "request not supported on this domain",
        "Client credentials are taken at the org's My Domain alone.",
        "Set the connection's login_url to https://<MyDomain>.my.salesforce.com.",
    ),
    _row(
        "invalid_client_id",
        "",
        "The org knows no app with this client_id; a new one takes up to ten minutes to be known.",
        f"Compare client_id with the app's consumer key {_SETTINGS}.",
    ),
    _row(
        "invalid_client",
        "app must be installed into org",
        "The app is of another org and not installed in this one.",
        "Install the app (Setup, Connected Apps OAuth Usage, Install), or give the user the permission Approve "
        "Uninstalled Connected Apps.",
    ),
    _row(
        "invalid_client",
        "invalid client credentials",
        "The client_secret is not the app's.",
        f"Write the connection with the app's consumer secret {_SETTINGS}.",
    ),
    _row(
        "invalid_client",
        "",
        "The org does not accept the app: a wrong client_id or client_secret.",
        f"Compare both with the app's consumer key and secret {_SETTINGS}.",
    ),
    # The assertion.
    _row("invalid_grant", "audience is invalid", *_AUDIENCE),
    _row("invalid_grant", "audience validation failed", *_AUDIENCE),
    _row(
        "invalid_grant",
        "invalid assertion",
        "The org cannot verify the assertion: the private_key does not belong to the certificate of the app.",
        f"Upload the certificate of this private_key to the app, Use digital signatures {_SETTINGS}.",
    ),
    _row(
        "invalid_grant",
        "expired authorization code",
        "The org takes the assertion for expired: the clocks differ.",
        "Set the sidecar's clock by a time server.",
    ),
    _row(
        "invalid_grant",
        "expired access refresh token",
        "The grant was revoked.",
        "Approve the app anew for this user.",
    ),
    # The flow.
    _row("unsupported_grant_type", "", *_GRANT_SHUT),
    _row("unauthorized_client", "", *_GRANT_SHUT),
    _row(
        "invalid_request",
        "scope parameter not supported",
        "The org takes no scope in this flow.",
        "Report it: the sidecar sends none.",
    ),
    # The org.
    _row("inactive_org", "", "The org is locked, closed or suspended.", "Ask Salesforce's support."),
    _row("rate_limit_exceeded", "", *_RATE),
    _row(
        "server_error", "", "The org failed in a way it does not explain.", "Wait; it is tried again later.", retry=True
    ),
    _row("temporarily_unavailable", "", "The org is busy.", "Wait; it is tried again later.", retry=True),
    # Anything: last, since the same words come for each of the causes above.
    _row(
        "invalid_grant",
        "authentication failure",
        "Salesforce does not say which: a user whom the app does not admit, a restricted address or hour, or a flow "
        "that is shut.",
        "Read the Status of this login in the user's Login History (Setup, Users, the user).",
    ),
)
"""Every row, in the order in which they are tried."""

_PASSWORD_REFUSED: Final = Fault(
    "invalid_grant/authentication_failure",
    "Salesforce does not say which: a wrong user name, password or security token, a locked or inactive user, a "
    "restricted address or hour, or an org that blocks the OAuth password flow.",
    "Read the Status of this login in the user's Login History (Setup, Users, the user) before anything is tried "
    "again.",
    Verdict.REFUSED,
    counts=True,
    retry_is_safe=False,
)

# A grant that is answered so need not be asked for again within the hour.
RATE_LIMITED: Final = frozenset({"invalid_grant/login_rate_exceeded", "rate_limit_exceeded"})

# What we find ourselves; the codes are ours.
NO_APP: Final = Fault(
    "no_app",
    "The connection has no app that could log in as its users.",
    "Give the connection the client_id and the private_key of an app.",
    Verdict.BLOCKED,
    counts=False,
    retry_is_safe=False,
)


def decipher_oauth(body: bytes, *, by_password: bool = False) -> Fault | None:
    """The fault of a token endpoint's answer, or None where it is not one of Salesforce's.

    Args:
        body: A JSON object with `error` and `error_description`.
        by_password: The grant was one by a user's password: then, and only then, a refusal may judge it and count.
    """
    try:
        document: Any = json_of(body)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    error, description = document.get("error"), document.get("error_description")
    if not isinstance(error, str) or not _ERROR.fullmatch(error):
        return None
    return fault_of(error, description if isinstance(description, str) else "", by_password=by_password)


def fault_of(error: str, description: str = "", *, by_password: bool = False) -> Fault:
    """The fault of an error.

    Args:
        error: Salesforce's `error`.
        description: Its `error_description`: only told apart by, never handed on.
        by_password: As in `decipher_oauth`.
    """
    words = _NO_WORD.sub(" ", description.lower())
    for row in ROWS:
        if row.error == error and row.words in words:
            if by_password and row.fault.code == _PASSWORD_REFUSED.code:
                return _PASSWORD_REFUSED
            return replace(row.fault, counts=by_password and row.fault.code in _COUNTED)
    return Fault(
        error,
        "Salesforce's token endpoint refused with words that are not known here.",
        "Read the Status of this login in the user's Login History (Setup, Users, the user).",
        Verdict.BLOCKED,
        counts=by_password,
        retry_is_safe=False,
    )


# With a password these stop everything until somebody looks: it may have been counted.
_COUNTED: Final = frozenset({"invalid_grant/user_is_locked", "server_error"})

TABLE: Final[Mapping[str, Fault]] = {row.fault.code: row.fault for row in ROWS} | {NO_APP.code: NO_APP}
