"""The rules of changing a password: who may, what is acceptable, what it does to the token, and which mail follows."""

import secrets
import string
from dataclasses import dataclass, field, replace
from enum import StrEnum

from . import ids
from .faults import FaultError
from .login import fail
from .mail import Letter, reset_link_letter, token_letter
from .org import ChangeSeen, Org, new_security_token
from .password_policy import REPEATED
from .user import User

_TEMPORARY_LENGTH = 9
TOO_SOON = "Your password cannot be reset at this time"


class Route(StrEnum):
    """How a password is changed; the names are those of the org's `token_reset` setting."""

    SET = "set"
    RESET = "reset"
    CHANGE_OWN = "change_own"
    UI = "ui"


@dataclass(frozen=True)
class PasswordChange:
    """A change that is asked for.

    Attributes:
        route: How it is made.
        actor: Who asks.
        subject: Whose password it is.
        new: The new password; empty for a reset, which makes one up.
        old: The present password, which changeOwnPassword must bring.
        mails_link: A reset sends the user a link.
    """

    route: Route
    actor: User
    subject: User
    new: str = field(default="", repr=False)
    old: str = field(default="", repr=False)
    mails_link: bool = False


@dataclass(frozen=True)
class Changed:
    """A change that was made: the password that a reset made up, and the letters to post."""

    temporary_password: str = field(repr=False)
    letters: tuple[Letter, ...]


def subject_of(org: Org, record_id: str) -> User:
    """Find the user whose password is to be changed.

    Raises:
        FaultError: The id is malformed, or is no user's.
    """
    if not ids.well_formed(record_id):
        raise FaultError("MALFORMED_ID")
    user = org.user_by_id(record_id)
    if user is None:
        raise FaultError("INVALID_CROSS_REFERENCE_KEY")
    return user


def check(org: Org, change: PasswordChange) -> None:
    """Refuse a change that the rules forbid; a wrong old password counts as a failed login.

    Raises:
        FaultError: The change is refused.
    """
    with org.lock:
        _check_right(org, change)
        policy = org.policy(change.subject)
        now = org.clock.now()
        # A password that must be changed may be changed at once, or its user could never come in again.
        must_change = change.subject.password_expired(policy, now)
        if now < change.subject.last_password_change + policy.minimum_lifetime and not must_change:
            raise FaultError(org.settings.one_day_rule_code, TOO_SOON)
        if change.route is Route.RESET:
            return
        settings = change.subject.settings
        objection = policy.objection(
            change.new,
            names=(settings.username, settings.first_name, settings.last_name),
            earlier=change.subject.earlier_passwords,
        )
        if objection:
            repeated = objection == REPEATED
            raise FaultError(org.settings.repeated_password_code if repeated else "INVALID_NEW_PASSWORD", objection)


def is_too_soon(change: PasswordChange, fault: FaultError) -> bool:
    """Say whether a fault is the one-day rule's, refusing an administrator's reset: of that the user gets a mail."""
    return fault.message == TOO_SOON and change.route is Route.RESET and change.actor is not change.subject


def apply(org: Org, change: PasswordChange) -> Changed:
    """Make a change, once it has been checked again.

    Raises:
        FaultError: The change is refused.
    """
    with org.lock:
        check(org, change)
        return replace_password(org, change)


def replace_password(org: Org, change: PasswordChange) -> Changed:
    """Make a change whatever the rules say, as the user's own page in the browser would after its own checks."""
    with org.lock:
        user, now = change.subject, org.clock.now()
        seen = ChangeSeen(user, user.password, user.security_token or "")
        new = change.new if change.route is not Route.RESET else _temporary_password()
        user.password = new
        user.earlier_passwords.append(new)
        user.last_password_change = user.last_modified = now
        user.temporary_password = change.route is Route.RESET
        user.expired_by_administrator = False
        user.counters.password_changes += 1
        if change.route is Route.RESET or (change.route is Route.SET and org.settings.set_password_unlocks):
            user.unlock()
        by_administrator = change.actor is not user
        if by_administrator and org.settings.terminate_user_sessions_when_admin_resets_password:
            org.end_sessions_of(user)
        letters = _end_token(org, change)
        if change.mails_link:
            letters = (*letters, reset_link_letter(user, now))
        org.tell(seen)
        return Changed(new if change.route is Route.RESET else "", letters)


def reset_token(org: Org, user: User) -> Letter:
    """Do what the user does in personal settings: a new security token, by mail."""
    with org.lock:
        user.settings = replace(user.settings, ever_reset_token_manually=True)
        return _renew_token(org, user)


def _check_right(org: Org, change: PasswordChange) -> None:
    if change.route is Route.CHANGE_OWN:
        if change.old != change.subject.password:
            if org.settings.wrong_old_password_counts_to_lockout:
                fail(org, change.subject)
            raise FaultError("INVALID_OLD_PASSWORD")
        return
    if not change.subject.settings.active:
        raise FaultError("INACTIVE_OWNER_OR_USER")
    if change.actor is not change.subject:
        if not change.actor.may_set_passwords:
            raise FaultError("INSUFFICIENT_ACCESS")
        return
    expired = change.subject.password_expired(org.policy(change.subject), org.clock.now())
    if change.route is Route.SET and not org.settings.self_set_password_allowed and not expired:
        raise FaultError("INSUFFICIENT_ACCESS", "Cannot set password for self")


def _end_token(org: Org, change: PasswordChange) -> tuple[Letter, ...]:
    user = change.subject
    if not (getattr(org.settings.token_reset, change.route) or user.token_ended_by_reset):
        return ()
    # A temporary password brings no token: the user gets one with the lasting password.
    user.token_ended_by_reset = change.route is Route.RESET
    if user.gets_token_by_mail and change.route is not Route.RESET:
        return (_renew_token(org, user),)
    user.counters.token_resets += user.security_token is not None
    user.security_token = None
    return ()


def _renew_token(org: Org, user: User) -> Letter:
    user.security_token = new_security_token()
    user.counters.token_resets += 1
    user.counters.token_mails += 1
    settings = org.settings
    return token_letter(
        user,
        user.security_token,
        org.clock.now(),
        wording=settings.mail_wording,
        brand=settings.mail_brand,
        parts=settings.mail_format,
    )


def _temporary_password() -> str:
    alphabet = string.ascii_letters + string.digits
    # One letter and one digit for certain, so that the org's usual rules would accept it too.
    return (
        secrets.choice(string.ascii_letters)
        + secrets.choice(string.digits)
        + "".join(secrets.choice(alphabet) for _ in range(_TEMPORARY_LENGTH - 2))
    )
