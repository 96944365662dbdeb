"""The password rules of an org or a profile: what may be chosen, how long it lives, when a user is locked."""

import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

LONGEST_PASSWORD_BYTES = 16_000
COMMON_WORDS = frozenset({"password", "password1", "passw0rd", "salesforce", "salesforce1", "qwertyuiop", "letmein1"})

REPEATED = "invalid repeated password"

_MIX = "Your password must have a mix of letters and numbers."
_COMPLEXITY_MESSAGES = {
    1: _MIX,
    2: "Your password must have a mix of letters, numbers and special characters.",
    3: "Your password must have a mix of numbers, uppercase and lowercase letters.",
    4: "Your password must have a mix of numbers, uppercase and lowercase letters, and special characters.",
    5: "Your password must have three of: numbers, uppercase letters, lowercase letters, special characters.",
}


@dataclass(frozen=True)
class PasswordPolicy:
    """Password and lockout rules, by the names and numbers of Salesforce's ProfilePasswordPolicy metadata.

    Attributes:
        minimum_password_length: Shortest password, in characters.
        password_complexity: 0 anything; 1 letter and digit; 2 letter, digit and special; 3 digit, upper and lower;
            4 digit, upper, lower and special; 5 any three of those four.
        password_history: How many passwords, the present one included, may not be chosen again; 0 to 24.
        password_expiration: Life of a password, in days; 0 is for ever.
        max_login_attempts: Failures that lock a user; 0 is no limit.
        lockout_interval: How long a lock lasts, in minutes; 0 is until an administrator unlocks.
        minimum_password_lifetime: Refuse a second change within a day, an administrator's included.
    """

    minimum_password_length: int = 8
    password_complexity: int = field(default=1, metadata={"choices": tuple(range(6))})
    password_history: int = 3
    password_expiration: int = 90
    max_login_attempts: int = 10
    lockout_interval: int = 15
    minimum_password_lifetime: bool = False

    @property
    def minimum_lifetime(self) -> timedelta:
        """How long a password must be kept before the next."""
        return timedelta(days=1) if self.minimum_password_lifetime else timedelta(0)

    def objection(self, password: str, *, names: Sequence[str], earlier: Sequence[str]) -> str | None:
        """Say why a password may not be chosen.

        Args:
            password: The password proposed.
            names: User name, first name and last name of the user, in this order.
            earlier: Every password the user has had, the present one last.

        Returns:
            The message of the refusal, or None when the password is acceptable.
        """
        if len(password.encode()) > LONGEST_PASSWORD_BYTES:
            return f"Your password cannot be longer than {LONGEST_PASSWORD_BYTES} bytes."
        if len(password) < self.minimum_password_length:
            return f"Your password must be at least {self.minimum_password_length} characters long."
        if not self._complex_enough(password):
            return _COMPLEXITY_MESSAGES.get(self.password_complexity, _MIX)
        if _easy_to_guess(password, names):
            return "Your password cannot be easy to guess. Please choose a different one."
        if self.password_history and password in earlier[-self.password_history :]:
            return REPEATED
        return None

    def _complex_enough(self, password: str) -> bool:
        upper = any(letter in string.ascii_uppercase for letter in password)
        lower = any(letter in string.ascii_lowercase for letter in password)
        digit = any(letter in string.digits for letter in password)
        special = any(not letter.isalnum() for letter in password)
        letter = any(letter.isalpha() for letter in password)
        return {
            0: True,
            1: letter and digit,
            2: letter and digit and special,
            3: digit and upper and lower,
            4: digit and upper and lower and special,
            5: [upper, lower, digit, special].count(False) <= 1,
        }[self.password_complexity]


def _easy_to_guess(password: str, names: Sequence[str]) -> bool:
    folded = password.casefold()
    username, *others = (name.casefold() for name in names)
    return folded in COMMON_WORDS or username in folded or folded in others
