"""Record ids: 15 characters that tell upper from lower case, and 3 more for readers that do not."""

import string

ORGANIZATION = "00D"
USER = "005"
USER_LOGIN = "0Yw"
LOGIN_HISTORY = "0Ya"
PROFILE = "00e"
PERMISSION_SET = "0PS"
PERMISSION_SET_ASSIGNMENT = "0Pa"
AUTH_SESSION = "0Ak"
OAUTH_TOKEN = "0CQ"  # noqa: S105 -- a prefix
LOGIN_IP = "710"
APP = "0xI"
CONSUMER = "888"

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SHORT, _LONG = 15, 18
_SUFFIX = string.ascii_uppercase + "012345"


def numbered(prefix: str, number: int) -> str:
    """Make the 18-character id of the numbered record of one kind.

    Args:
        prefix: The three characters that name the kind of record.
        number: Which record, from 1.
    """
    digits = ""
    while number:
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return lengthen(f"{prefix}Qk0" + digits.rjust(9, "0"))


def lengthen(short: str) -> str:
    """Add the suffix that tells which of the 15 characters are capitals, five to a character."""
    suffix = ""
    for start in (0, 5, 10):
        block = short[start : start + 5]
        suffix += _SUFFIX[sum(1 << place for place, letter in enumerate(block) if letter in string.ascii_uppercase)]
    return short + suffix


def shorten(record_id: str) -> str:
    """Cut an id of either length to the 15 characters on which ids are compared."""
    return record_id[:_SHORT]


def well_formed(record_id: str) -> bool:
    """Say whether the text can be an id at all: 15 characters, or 18 with the right suffix."""
    if not record_id.isascii() or not record_id.isalnum():
        return False
    return len(record_id) == _SHORT or (len(record_id) == _LONG and lengthen(shorten(record_id)) == record_id)
