"""What Salesforce's fault codes mean: ONE table, code → cause, remedy, verdict, counts?, retry is safe? PURE.

A code's verdict must hold at a login too, where it decides over a password. So REFUSED is only what no gate in front of
the password can answer; whatever a permission, a limit or a policy may cause is BLOCKED.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from vault_salesforce_sidecar.salesforce.interface import Fault, Verdict
from vault_salesforce_sidecar.salesforce.message import json_of

REST_CODE = re.compile(r"[A-Z][A-Z0-9_]{2,79}")
# SOAP's own codes (Client, Server) and a proxy's words before a colon have no underscore; every one of these has.
_SOAP_CODE = re.compile(r"(?=[A-Z0-9_]{3,80}$)[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")


def _refused(code: str, cause: str, remedy: str, *, counts: bool = False) -> Fault:
    return Fault(code, cause, remedy, Verdict.REFUSED, counts=counts, retry_is_safe=False)


def _blocked(code: str, cause: str, remedy: str, *, counts: bool = False, retry: bool = False) -> Fault:
    return Fault(code, cause, remedy, Verdict.BLOCKED, counts=counts, retry_is_safe=retry)


_WAIT = "Wait; it is tried again later."
_ASK_ADMIN = "Ask the org's administrator."
_OAUTH = "or let its consumers log in by OAuth"
_NO_MORE = "Log in by OAuth: self_login=jwt_bearer on the role, or jwt_bearer or client_credentials on the connection."
_READ_RECORD = "Look at the user's LastPasswordChangeDate before anything is sent again."

_FAULTS: Final = (
    # The credential.
    _refused(
        "INVALID_LOGIN",
        "Salesforce does not say which: a wrong user name, password or security token, a locked, inactive or frozen "
        "user, or the wrong login host.",
        "Read the Status of this login in the user's Login History (Setup, Users, the user) before anything is tried "
        "again.",
        counts=True,
    ),
    Fault(
        "LOGIN_MUST_USE_SECURITY_TOKEN",
        "The password is right, but from this address it needs the security token behind it.",
        "Hand in the user's security token, or add the sidecar's address to the org's trusted IP ranges (Setup, "
        "Network Access).",
        Verdict.TOKEN_NEEDED,
        counts=True,  # not proven either way
        retry_is_safe=False,
    ),
    _refused(
        "INVALID_OLD_PASSWORD",
        "The old password that came with the change is not the user's.",
        "Find out which password is live; resync the role with it.",
        counts=True,
    ),
    # The new password.
    _refused(
        "INVALID_NEW_PASSWORD",
        "The org's password policy does not accept the new password: its form, a password used before, or a change "
        "within the last 24 hours.",
        "Compare the role's password_policy with the password policies of the user's profile (Setup, Profiles).",
    ),
    # The user.
    _blocked(
        "PASSWORD_LOCKOUT",
        "The user is locked after too many failed logins.",
        "Unlock the user (Setup, Users, Unlock), or wait until the lockout interval is over.",
        counts=True,  # so that nothing more is tried until somebody unlocks
    ),
    _blocked(
        "INACTIVE_OWNER_OR_USER",
        "The user is deactivated.",
        "Activate the user in Salesforce (Setup, Users, Edit, Active).",
    ),
    _blocked(
        "INVALID_OPERATION_WITH_EXPIRED_PASSWORD",
        "The user's password has expired, or is a temporary one: its session may set a password and nothing else.",
        "Rotate the role, and give integration users the permission Password Never Expires.",
    ),
    # The way in.
    _blocked(
        "LOGIN_DURING_RESTRICTED_DOMAIN",
        "The Login IP Ranges of the user's profile do not include the sidecar's address.",
        "Add the sidecar's address to the profile's Login IP Ranges (Setup, Profiles).",
    ),
    _blocked(
        "LOGIN_DURING_RESTRICTED_TIME",
        "The login hours of the user's profile do not include this hour.",
        "Wait for the login hours, or widen them on the profile (Setup, Profiles).",
    ),
    _blocked(
        "LOGIN_CHALLENGE_ISSUED",
        "Salesforce wants to verify the user's identity before this login.",
        "Add the sidecar's address to the org's trusted IP ranges (Setup, Network Access).",
    ),
    _blocked(
        "LOGIN_CHALLENGE_PENDING",
        "Salesforce still waits for the user to verify their identity.",
        "Add the sidecar's address to the org's trusted IP ranges (Setup, Network Access).",
    ),
    _blocked(
        "API_DISABLED_FOR_ORG",
        "The org's edition has no API, or the user lacks the permission API Enabled.",
        "Give the user API Enabled; if that does not help, the org's edition needs the API.",
    ),
    _blocked(
        "API_CURRENTLY_DISABLED",
        "The user may not use the API now.",
        "Give the user the permission API Enabled (Setup, Profiles or Permission Sets).",
    ),
    _blocked(
        "INVALID_OPERATION",
        "The org does not do this operation.",
        "Check the connection's api_version, and that SOAP API login() is enabled in Setup > User Interface.",
    ),
    _blocked(
        "INSUFFICIENT_ACCESS",
        "The session's user lacks a permission for this, or the org holds changes back for a day.",
        "Give the connection's user the permission Reset User Passwords and Unlock Users.",
    ),
    _blocked(
        "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
        "The session's user has no access to that user.",
        "Give the connection's user the permission Reset User Passwords and Unlock Users.",
    ),
    *(
        _blocked(
            code,
            "The org does not serve this version of the API, or no longer serves login() in it.",
            f"Set the connection's api_version to 64.0, {_OAUTH}.",
        )
        for code in ("UNSUPPORTED_API_VERSION", "GONE")
    ),
    _blocked(
        "INVALID_SESSION_ID",
        "The session has ended, or does not belong to this host.",
        "Nothing: another session is opened.",
    ),
    _blocked(
        "MUTUAL_AUTHENTICATION_FAILED",
        "The org demands a client certificate.",
        "Give the connection client_cert and client_key, and its login_url the port 8443.",
    ),
    *(
        _blocked(code, "A transaction security policy of the org forbids this.", "Exempt the user in that policy.")
        for code in ("TXN_SECURITY_NO_ACCESS", "TXN_SECURITY_TWO_FA_REQUIRED", "TXN_SECURITY_END_A_SESSION")
    ),
    *(
        _blocked(code, "The org does not let this client program in.", "Allow it in the org's API Access Control.")
        for code in (
            "CLIENT_NOT_ACCESSIBLE_FOR_USER",
            "CLIENT_REQUIRE_UPDATE_FOR_USER",
            "INVALID_CLIENT",
            "UNSUPPORTED_CLIENT",
        )
    ),
    *(
        _blocked(code, "The org's single sign-on service does not answer.", "Mend the org's delegated authentication.")
        for code in ("INVALID_SSO_GATEWAY_URL", "SSO_SERVICE_DOWN")
    ),
    *(
        _blocked(
            code, "The user belongs to a portal, which this login does not reach.", "Use a user of the org itself."
        )
        for code in ("PORTAL_NO_ACCESS", "INACTIVE_PORTAL")
    ),
    # The org.
    *(
        _blocked(code, "Salesforce has locked the org.", "Ask Salesforce's support.")
        for code in ("ORG_LOCKED", "ORG_ADMIN_LOCKED")
    ),
    _blocked("TRIAL_EXPIRED", "The org's trial is over.", "Ask Salesforce's support."),
    _blocked("ORG_IN_MAINTENANCE", "The org is under maintenance.", _WAIT, retry=True),
    _blocked(
        "ORG_NOT_OWNED_BY_INSTANCE",
        "The org is not at this host any more.",
        "Set the connection's login_url to the org's My Domain.",
    ),
    _blocked("SERVER_UNAVAILABLE", "Salesforce is overloaded or under maintenance.", _WAIT, retry=True),
    _blocked(
        "REQUEST_LIMIT_EXCEEDED",
        "The org's API requests of the day are used up.",
        "Wait until the limit is renewed, or find out who uses it up.",
    ),
    _blocked("LIMIT_EXCEEDED", "A limit of the org is used up.", "Wait an hour, or find out who uses it up."),
    # The server's own trouble.
    _blocked("FUNCTIONALITY_TEMPORARILY_UNAVAILABLE", "The org has this function switched off for now.", _WAIT),
    _blocked("REQUEST_RUNNING_TOO_LONG", "The org broke the request off because it took too long.", _READ_RECORD),
    _blocked("UNABLE_TO_LOCK_ROW", "Somebody else was changing the same user.", _READ_RECORD),
    # Counts, for nothing says how far the login had come.
    _blocked("UNKNOWN_EXCEPTION", "The org failed in a way it does not explain.", _READ_RECORD, counts=True),
    # The request itself.
    *(
        _refused(code, "The org knows no user with this id, or shows it to nobody but others.", _ASK_ADMIN)
        for code in ("NOT_FOUND", "INVALID_ID_FIELD", "MALFORMED_ID", "INVALID_CROSS_REFERENCE_KEY")
    ),
    *(
        _refused(code, "The org does not show this object or field to the session's user.", _ASK_ADMIN)
        for code in ("INVALID_FIELD", "INVALID_TYPE")
    ),
    *(
        _refused(code, "The org could not read the request.", "Check the connection's api_version.")
        for code in ("MALFORMED_QUERY", "JSON_PARSER_ERROR", "METHOD_NOT_ALLOWED", "UNSUPPORTED_MEDIA_TYPE")
    ),
)

TABLE: Final[Mapping[str, Fault]] = {fault.code: fault for fault in _FAULTS}

# One code, several meanings: told apart by words that its message holds, in lower case; the first that fits.
BY_MESSAGE: Final[tuple[tuple[str, Fault], ...]] = (
    (
        "not available in the api version",
        _blocked(
            "INVALID_OPERATION",
            "The org serves SOAP login() in no version of the API that it is called at, 64.0 or below.",
            _NO_MORE,
        ),
    ),
    ("retired", _blocked("INVALID_OPERATION", "Salesforce has retired SOAP login().", _NO_MORE)),
    (
        "disabled by default",
        _blocked(
            "INVALID_OPERATION",
            "The org has SOAP API login() switched off.",
            f"Enable it in Setup > User Interface, {_OAUTH}.",
        ),
    ),
    (
        "use any api auth",
        _blocked(
            "INSUFFICIENT_ACCESS",
            "The user lacks the permission Use Any API Auth, without which SOAP login() is closed.",
            f"Give the user the permission Use Any API Auth, {_OAUTH}.",
        ),
    ),
    (
        "not valid for use with the rest api",
        _blocked(
            "INVALID_SESSION_ID",
            "The org does not accept this kind of session: it demands a high-assurance one, another address, or "
            "another app.",
            "Look at the session settings of the user's profile; another login does not cure it.",
        ),
    ),
    (
        "concurrent",
        _blocked("REQUEST_LIMIT_EXCEEDED", "Too many long requests run in the org at once.", _WAIT, retry=True),
    ),
    (
        "login rate exceeded",
        _blocked("REQUEST_LIMIT_EXCEEDED", "This user logged in too often within an hour.", "Wait an hour."),
    ),
)

# What we find ourselves; the codes are ours, and so in small letters.
OWN_USER: Final = _refused(
    "own_user",
    "The connection's own user cannot set its own password this way.",
    "Make the role self_managed, or use a connection with another user.",
)
HOST_NOT_ALLOWED: Final = _blocked(
    "host_not_allowed",
    "The login was accepted, but its session lives on a host that this connection does not allow.",
    "Add that host to the connection's allowed_hosts, if it is the org's.",
)


def sent_elsewhere(host: str) -> Fault:
    """A login was answered with a redirect to this host, which gets no secret."""
    return _blocked(
        "sent_elsewhere",
        f"The login host sends us on to {host}, which no secret follows.",
        "Set the connection's login_url to the org's My Domain, after a look at where that is.",
        counts=True,  # nothing says how far the login had come
    )


NOT_FOR_XML: Final = _refused(
    "not_for_xml",
    "The user name or a secret holds a character that XML cannot carry; it was not sent.",
    "Hand in what Salesforce can have accepted.",
)
SESSIONS_NOT_SHOWN: Final = _blocked(
    "sessions_not_shown",
    "The session's user is not shown the sessions of others, so it cannot end them.",
    "Give the connection's user the permission Manage Users, or let the user end their own by self_login=jwt_bearer.",
)
NO_ATTEMPTS_LEFT: Final = _blocked(
    "no_attempts_left",
    "Two logins of the connection's own user failed, or may have: more could lock it.",
    "Check the user in Salesforce, then write the connection again with the password that is right.",
)
SESSIONS_DO_NOT_LAST: Final = _blocked(
    "sessions_do_not_last",
    "The sessions of the connection's own user end as soon as they are used.",
    "Look at the session settings of the user's profile; another login does not cure it.",
)

# A change that is answered so may have been applied, or may be yet.
MAY_HAVE_APPLIED: Final = frozenset(
    {
        "FUNCTIONALITY_TEMPORARILY_UNAVAILABLE",
        "REQUEST_RUNNING_TOO_LONG",
        "SERVER_UNAVAILABLE",
        "UNABLE_TO_LOCK_ROW",
        "UNKNOWN_EXCEPTION",
    }
)


def fault_of(code: str, message: str = "") -> Fault:
    """The fault of a code.

    Args:
        code: Salesforce's code, without prefix.
        message: Salesforce's message: only told apart by, never handed on; it may be in the user's language.
    """
    lowered = message.lower()
    for words, fault in BY_MESSAGE:
        if fault.code == code and words in lowered:
            return fault
    # An unknown code says nothing of the password, but may have been counted: it stops us, and it is paid for.
    return TABLE.get(code) or _blocked(
        code, "Salesforce refused with a code that is not known here.", _ASK_ADMIN, counts=True
    )


def decipher_soap(exception_code: str | None, faultcode: str | None, faultstring: str | None) -> Fault | None:
    """The fault of a SOAP answer, or None where it is not one of Salesforce's.

    Args:
        exception_code: Text of `exceptionCode` in the detail; None where there is none.
        faultcode: With or without a prefix.
        faultstring: `CODE: message`.
    """
    before, colon, message = (faultstring or "").partition(":")
    for text in (exception_code, (faultcode or "").rpartition(":")[2], before if colon else None):
        if text and _SOAP_CODE.fullmatch(text.strip()):
            return fault_of(text.strip(), message or before)
    return None


def decipher_rest(body: bytes) -> Fault | None:
    """The fault of a REST answer, or None where it is not one of Salesforce's.

    Args:
        body: A JSON array of objects with `errorCode` and `message`; a bare object is taken as well.
    """
    try:
        document: Any = json_of(body)
    except ValueError:
        return None
    first = document[0] if isinstance(document, list) and document else document
    if not isinstance(first, dict):
        return None
    code, message = first.get("errorCode"), first.get("message")
    if not isinstance(code, str) or not REST_CODE.fullmatch(code):
        return None
    return fault_of(code, message if isinstance(message, str) else "")
