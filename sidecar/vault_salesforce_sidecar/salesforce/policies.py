"""The org's password policy, as its Health Check tells of it. PURE.

A profile may have a policy of its own, which no query shows: what is found here is at most a part of the truth.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

POLICY_SOQL: Final = "SELECT Setting, OrgValue FROM SecurityHealthCheckRisks WHERE SettingGroup = 'PasswordPolicies'"
_NUMBER = re.compile(r"[0-9]{1,3}")


def policy_of(records: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The settings by their names in small letters, with their values as people read them."""
    return {str(one.get("Setting")).lower(): str(one.get("OrgValue")) for one in records}


def lockout_limit(policy: Mapping[str, str]) -> int | None:
    """Failures that lock a user; None: it is not told, or there is no limit."""
    return _number(_found(policy, "invalid login attempts"))


def has_one_day_rule(policy: Mapping[str, str]) -> bool | None:
    """Whether a password must be a day old before it may be changed; None: it is not told."""
    value = _found(policy, "1 day password lifetime")
    return value.lower() in ("enabled", "true") if value else None


def _found(policy: Mapping[str, str], words: str) -> str:
    return next((value for name, value in policy.items() if words in name), "")


def _number(value: str) -> int | None:
    found = _NUMBER.search(value)
    return int(found[0]) or None if found else None
