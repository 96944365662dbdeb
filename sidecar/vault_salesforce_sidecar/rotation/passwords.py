"""New passwords that satisfy the strictest org and hurt no consumer."""

import secrets
import string
from typing import Final

from vault_plugin_sdk.framework.secretstr import SecretStr

LENGTH: Final = 32
# Of the special characters that every Salesforce policy counts (! # $ % - _ = + < >), those that mean nothing in a URL,
# in XML, in a JDBC connection string, or to a shell: no # % + = (URLs, JDBC), no < > (XML), no $ ! (shells).
SPECIALS: Final = "-_"
SHORTEST_NAME: Final = 3  # a shorter one is in most random texts
_CLASSES: Final = (string.ascii_uppercase, string.ascii_lowercase, string.digits, SPECIALS)
_ALPHABET: Final = "".join(_CLASSES)


def new_password(username: str, length: int = LENGTH) -> SecretStr:
    """A random password: begins with a letter, has all four kinds of character, does not contain the user name.

    Args:
        username: The Salesforce user; its part before the @ must not occur either.
        length: Number of characters, at least 8.

    Source: Salesforce's password policies: complexity up to "number, upper, lower and special", length up to 50, and
    neither the user name nor a common word.
    """
    while True:
        first = secrets.choice(string.ascii_letters)
        text = first + "".join(secrets.choice(_ALPHABET) for _ in range(length - 1))
        if text[-1] in SPECIALS or not all(any(one in kind for one in text) for kind in _CLASSES):
            continue
        if not _contains(text, username):
            return SecretStr(text)


def _contains(text: str, username: str) -> bool:
    names = (username.lower(), username.lower().partition("@")[0])
    return any(len(name) >= SHORTEST_NAME and name in text.lower() for name in names)
