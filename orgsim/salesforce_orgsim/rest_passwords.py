"""The password resource of a user: is it expired, set it, reset it."""

from flask import Response

from .changes import PasswordChange, Route, subject_of
from .faults import FaultError
from .rest import Asked, session_id, to_json
from .user import User


def password_status(asked: Asked, user_id: str) -> Response:
    """Say whether a user's password has expired."""
    session = asked.session()
    subject = _subject(asked, user_id)
    if subject is not session.user and not session.user.may_set_passwords:
        raise FaultError("INSUFFICIENT_ACCESS")
    expired = subject.password_expired(asked.org.policy(subject), asked.org.clock.now())
    return to_json({"isExpired": expired})


def set_password(asked: Asked, user_id: str) -> Response:
    """Set a user's password."""
    session = asked.session(for_password=_is_own(asked, user_id))
    subject = _subject(asked, user_id)
    new = asked.body().get("NewPassword")
    if not isinstance(new, str):
        raise FaultError("JSON_PARSER_ERROR", "The body must hold NewPassword.")
    _change(asked, PasswordChange(Route.SET, session.user, subject, new=new))
    return Response(status=204)


def reset_password(asked: Asked, user_id: str) -> Response:
    """Give a user a temporary password."""
    session = asked.session()
    subject = _subject(asked, user_id)
    return to_json({"NewPassword": _change(asked, PasswordChange(Route.RESET, session.user, subject, mails_link=True))})


def _change(asked: Asked, change: PasswordChange) -> str:
    try:
        return asked.exchange.change_password(change).temporary_password
    except FaultError as fault:
        if fault.code == "INSUFFICIENT_ACCESS" and change.actor is change.subject:
            # Own id, and self-set is off: REST hides the resource where SOAP gives the reason.
            raise FaultError("NOT_FOUND") from fault
        raise


def _subject(asked: Asked, user_id: str) -> User:
    try:
        return subject_of(asked.org, user_id)
    except FaultError as fault:
        raise FaultError("NOT_FOUND") from fault


def _is_own(asked: Asked, user_id: str) -> bool:
    session = asked.org.session(session_id(asked.request))
    return session is not None and session.user is asked.org.user_by_id(user_id)
