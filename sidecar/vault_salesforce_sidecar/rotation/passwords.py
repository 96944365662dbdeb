"""New passwords that satisfy the strictest org and hurt no consumer, and what is wrong with one of a Vault policy."""

import re
import secrets
import string
from typing import Final

from vault_plugin_sdk.framework.secretstr import SecretStr

# The longest that a password policy of Salesforce's may ask for; 8 is what it asks for unless told otherwise.
LENGTH: Final = 50
SHORTEST: Final = 8
LONGEST_BYTES: Final = 16_000
# Of the special characters that every Salesforce policy counts (! # $ % - _ = + < >), those that mean nothing in a URL,
# in XML, in a JDBC connection string, or to a shell: no # % + = (URLs, JDBC), no < > (XML), no $ ! (shells).
SPECIALS: Final = "-_"
# No vowels, and no digits that are read as such: so there is no word in it that is easy to guess.
DIGITS: Final = "256789"
UPPER: Final = "".join(letter for letter in string.ascii_uppercase if letter not in "AEIOUY")
LOWER: Final = UPPER.lower()
SHORTEST_NAME: Final = 3  # a shorter one is in most random texts
_CLASSES: Final = (UPPER, LOWER, DIGITS, SPECIALS)
_ALPHABET: Final = "".join(_CLASSES)
_BETWEEN_NAMES: Final = re.compile(r"[^a-z0-9]+")


def new_password(username: str, length: int = LENGTH) -> SecretStr:
    """A random password: begins with a letter, has all four kinds of character, and no part of the user name.

    Args:
        username: The Salesforce user.
        length: Number of characters, at least 8.

    Source: Salesforce's password policies: complexity up to "number, upper, lower and special", a minimum length of up
    to 50, and neither the user name, a name of the user's, nor a common word.
    """
    while True:
        first = secrets.choice(UPPER + LOWER)
        text = first + "".join(secrets.choice(_ALPHABET) for _ in range(length - 1))
        if text[-1] in SPECIALS or not all(any(one in kind for one in text) for kind in _CLASSES):
            continue
        if not _contains(text.lower(), username.lower()):
            return SecretStr(text)


def unfit(password: SecretStr) -> str | None:
    """Why a password that a Vault password policy made is not sent to Salesforce, as half a sentence; None: it is."""
    text = password.reveal()
    if len(text) < SHORTEST:
        return f"it makes passwords of {len(text)} characters, and Salesforce wants {SHORTEST} or more"
    if len(text.encode(errors="surrogatepass")) > LONGEST_BYTES:
        return f"it makes passwords of more than {LONGEST_BYTES} bytes"
    if not text.isprintable() or text != text.strip():
        return "it makes passwords with control characters, or with blanks at an end, which do not get through a login"
    return None


def _contains(text: str, username: str) -> bool:
    return any(len(name) >= SHORTEST_NAME and name in text for name in _BETWEEN_NAMES.split(username))
