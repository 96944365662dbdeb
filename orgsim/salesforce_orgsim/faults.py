"""What Salesforce answers when it refuses: each code with its text, its REST status and its SOAP fault element."""

from dataclasses import dataclass

LOGIN_FAULT = "LoginFault"
UNEXPECTED_FAULT = "UnexpectedErrorFault"
NEW_PASSWORD_FAULT = "InvalidNewPasswordFault"  # noqa: S105 -- an element name
OLD_PASSWORD_FAULT = "InvalidOldPasswordFault"  # noqa: S105 -- an element name
ID_FAULT = "InvalidIdFault"

INVALID_LOGIN_TEXT = "Invalid username, password, security token; or user locked out."


@dataclass(frozen=True)
class Kind:
    """One code: its usual message, its REST status, and the element of the SOAP detail that carries it."""

    message: str
    status: int = 400
    element: str = UNEXPECTED_FAULT


KINDS: dict[str, Kind] = {
    "INVALID_LOGIN": Kind(INVALID_LOGIN_TEXT, 400, LOGIN_FAULT),
    "LOGIN_MUST_USE_SECURITY_TOKEN": Kind(
        f"{INVALID_LOGIN_TEXT} Are you at a new location? When accessing Salesforce--either via a desktop client or "
        "the API--from outside of your company's trusted networks, you must add a security token to your password "
        "to log in.",
        400,
        LOGIN_FAULT,
    ),
    "LOGIN_DURING_RESTRICTED_DOMAIN": Kind("cannot log in from current domain", 400, LOGIN_FAULT),
    "LOGIN_DURING_RESTRICTED_TIME": Kind("cannot log in during restricted time", 400, LOGIN_FAULT),
    "PASSWORD_LOCKOUT": Kind("password lockout", 400, LOGIN_FAULT),
    "INACTIVE_OWNER_OR_USER": Kind("operation performed with inactive user"),
    "API_DISABLED_FOR_ORG": Kind("API is not enabled for this Organization or Partner", 403, LOGIN_FAULT),
    "API_CURRENTLY_DISABLED": Kind("API is disabled for this User", 403, LOGIN_FAULT),
    "INVALID_OPERATION": Kind("The operation is not available.", 400),
    "INVALID_OPERATION_WITH_EXPIRED_PASSWORD": Kind("Your password has expired. Please reset your password.", 401),
    "INVALID_NEW_PASSWORD": Kind("The new password is not acceptable.", 400, NEW_PASSWORD_FAULT),
    "INVALID_OLD_PASSWORD": Kind("The old password is not right.", 400, OLD_PASSWORD_FAULT),
    "INSUFFICIENT_ACCESS": Kind("You do not have permission to view this record.", 403),
    "INVALID_ID_FIELD": Kind("invalid id", 404, ID_FAULT),
    "MALFORMED_ID": Kind("malformed id", 404, ID_FAULT),
    "INVALID_CROSS_REFERENCE_KEY": Kind("invalid cross reference id", 404, ID_FAULT),
    "INVALID_SESSION_ID": Kind("Session expired or invalid", 401),
    "UNSUPPORTED_API_VERSION": Kind("The API version is not supported.", 410),
    "REQUEST_LIMIT_EXCEEDED": Kind("TotalRequests Limit exceeded.", 403),
    "SERVER_UNAVAILABLE": Kind("The server is unavailable.", 503),
    "LOGIN_CHALLENGE_ISSUED": Kind("A proof of identity was asked for.", 400, LOGIN_FAULT),
    "LOGIN_CHALLENGE_PENDING": Kind("A proof of identity is still outstanding.", 400, LOGIN_FAULT),
    "CLIENT_NOT_ACCESSIBLE_FOR_USER": Kind("The client is not allowed for this user.", 403, LOGIN_FAULT),
    "MUTUAL_AUTHENTICATION_FAILED": Kind("A client certificate is required.", 403, LOGIN_FAULT),
    "TXN_SECURITY_NO_ACCESS": Kind("A transaction security policy forbids this.", 403),
    "TXN_SECURITY_TWO_FA_REQUIRED": Kind("A transaction security policy demands another factor.", 403),
    "TXN_SECURITY_END_A_SESSION": Kind("A transaction security policy demands that a session be ended.", 403),
    "ORG_NOT_OWNED_BY_INSTANCE": Kind("The organization is not on this instance.", 403, LOGIN_FAULT),
    "ORG_LOCKED": Kind("The organization is locked.", 403, LOGIN_FAULT),
    "ORG_IN_MAINTENANCE": Kind("The organization is in maintenance.", 503, LOGIN_FAULT),
    "TRIAL_EXPIRED": Kind("The trial has ended.", 403, LOGIN_FAULT),
    "UNKNOWN_EXCEPTION": Kind("An unexpected error occurred.", 500),
    "FUNCTIONALITY_TEMPORARILY_UNAVAILABLE": Kind("The function is temporarily unavailable.", 503),
    "UNABLE_TO_LOCK_ROW": Kind("unable to obtain exclusive access to this record", 400),
    "MALFORMED_QUERY": Kind("The query cannot be read.", 400),
    "INVALID_FIELD": Kind("No such column.", 400),
    "INVALID_TYPE": Kind("The object is not supported.", 400),
    "INVALID_QUERY_LOCATOR": Kind("invalid query locator", 400),
    "INVALID_FIELD_FOR_INSERT_UPDATE": Kind("The field cannot be written.", 400),
    "ENTITY_IS_DELETED": Kind("entity is deleted", 404),
    "EXCEEDED_ID_LIMIT": Kind("Too many ids.", 400),
    "JSON_PARSER_ERROR": Kind("The body is not the JSON expected.", 400),
    "NOT_FOUND": Kind("The requested resource does not exist", 404),
    "METHOD_NOT_ALLOWED": Kind("The method is not allowed for this resource.", 405),
    "UNSUPPORTED_MEDIA_TYPE": Kind("The content type of the body is not supported.", 415),
}

_UNKNOWN = Kind("The request was refused.")


class FaultError(Exception):
    """Salesforce refuses a request.

    Args:
        code: One of Salesforce's codes; one that is not in the table is sent with a general message.
        message: What to say instead of the code's usual message.
    """

    def __init__(self, code: str, message: str | None = None) -> None:
        self.code = code
        self.kind = KINDS.get(code, _UNKNOWN)
        self.message = self.kind.message if message is None else message
        super().__init__(f"{self.code}: {self.message}")


class MessageError(Exception):
    """The message itself cannot be used: no XML, no envelope, or no such operation; answered as soapenv:Client."""

    code = "soapenv:Client"


UNAVAILABLE_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>Service unavailable</title></head>"
    "<body><h1>We are down for maintenance.</h1><p>Please try again in a while.</p></body></html>\n"
)
