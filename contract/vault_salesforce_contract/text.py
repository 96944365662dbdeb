"""Text that people write: a name, a login name, one line. Each says what is wrong, or None where nothing is. PURE."""

import re
from typing import TypeVar

from vault_plugin_sdk.framework.path import MAX_NAME, NAME
from vault_plugin_sdk.framework.secretstr import SecretStr

Given = TypeVar("Given", SecretStr, SecretStr | None)

LONGEST_LOGIN_NAME = 80  # Source: Salesforce's field User.Username
LONGEST_GLOB = 128
_LINE_END = re.compile(r"\r?\n\Z")
_FIRST_PRINTABLE, _DELETE, _LAST_CONTROL = " ", "\x7f", "\x9f"


def name_fault(value: str) -> str | None:
    """Of a name that becomes a part of a path: `..` or a slash would lead elsewhere."""
    if len(value) > MAX_NAME or not NAME.fullmatch(value):
        return f"must be a name: 1 to {MAX_NAME} letters, digits, '_', '-' or '.'"
    return None


def optional_name_fault(value: str) -> str | None:
    """The same, where an empty text says "none"."""
    return name_fault(value) if value else None


def login_name_fault(value: str) -> str | None:
    """Of the name of a Salesforce user: it has the form of a mail address."""
    mailbox, at, host = value.rpartition("@")
    shaped = mailbox and at and host and value.isprintable() and " " not in value
    if not shaped or len(value) > LONGEST_LOGIN_NAME:
        return "must be a login name, such as integration@example.com"
    return None


def optional_login_name_fault(value: str) -> str | None:
    """The same, where an empty text says "none"."""
    return login_name_fault(value) if value else None


def secret_fault(value: SecretStr) -> str | None:
    """Of a secret that is sent to Salesforce, before `one_line`."""
    if any(map(_is_control, one_line(value).reveal())):
        return "must be one line without control characters: look for line breaks in a file"
    return None


def one_line(value: Given) -> Given:
    """The secret without the line end behind it: an editor leaves one at a file's end, and Return behind what is typed,
    and a login with it is a failed login.
    """
    return SecretStr(_LINE_END.sub("", value.reveal())) if value else value


def globs_fault(values: tuple[str, ...]) -> str | None:
    """Of patterns that names are matched with."""
    if any(len(value) > LONGEST_GLOB or not value.isprintable() for value in values):
        return f"must be patterns of at most {LONGEST_GLOB} printable characters"
    return None


def _is_control(char: str) -> bool:
    return char < _FIRST_PRINTABLE or _DELETE <= char <= _LAST_CONTROL
