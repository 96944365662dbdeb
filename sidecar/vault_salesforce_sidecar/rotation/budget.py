"""May this login be tried? A failed login counts towards a lockout of the user, ours as anybody's. PURE."""

from typing import Final

# Salesforce lets an administrator choose 3, 5, 10 or no limit, and tells it to nobody who has no more than a session.
UNKNOWN_LIMIT: Final = 5
# Failures that we cannot see: a stale consumer's, or a late call of ours.
RESERVE: Final = 1
# How long Salesforce locks a user unless told otherwise.
LOCKOUT_SECONDS: Final = 15 * 60


def may_log_in(charges: int, limit: int = UNKNOWN_LIMIT, reserve: int = RESERVE) -> bool:
    """Whether one more failure would still leave the user unlocked.

    A login is charged before it is sent; a success clears all, a fault that does not count takes its charge back.

    Args:
        charges: Logins that failed, or may have, since the last one that succeeded.
        limit: Failures that lock the user.
        reserve: Failures that are left to others.
    """
    return charges + 1 + reserve < limit


def limit_of(told: int | None) -> int:
    """The failures that lock a user, by what the org's policy tells; None: nothing.

    A laxer policy is not relied on: the user's profile may have a stricter one, which nobody is shown.
    """
    return UNKNOWN_LIMIT if told is None else min(told, UNKNOWN_LIMIT)


def logins_left(charges: int, limit: int = UNKNOWN_LIMIT, reserve: int = RESERVE) -> int:
    """How many logins may still fail one after the other."""
    return max(0, limit - reserve - 1 - charges)


def forgivable(failed_logins: int, limit: int = UNKNOWN_LIMIT, reserve: int = RESERVE) -> int | None:
    """How much of the org's own count an operator's word takes away: as much as one more login needs.

    Args:
        failed_logins: What the org counts of a user who is not locked.
        limit: Failures that lock the user.
        reserve: Failures that are left to others.

    Returns: None where one more failure would lock the user, whoever looked into the ones before.
    """
    if failed_logins + 1 >= limit:
        return None
    return max(0, failed_logins - max(0, limit - reserve - 2))


def known_charges(ours: int, failed_logins: int | None) -> int:
    """The org's own counter in place of ours, where somebody could read it."""
    return ours if failed_logins is None else failed_logins


def unforgiven(failed_logins: int | None, forgiven: int) -> int | None:
    """The org's own counter without what somebody has looked into; a counter below that began anew since.

    Args:
        failed_logins: What the org counts; None: nobody could read it.
        forgiven: What it had counted when somebody said that the user is not locked.
    """
    if failed_logins is None or failed_logins < forgiven:
        return failed_logins
    return failed_logins - forgiven
