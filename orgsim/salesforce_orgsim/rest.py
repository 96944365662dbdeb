"""The REST resources: records and queries over users, and the password resource."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Request, Response

from . import ids, soql, tables
from .changes import PasswordChange, Route, subject_of
from .exchange import Arrival, Exchange, World, handle
from .faults import FaultError, MessageError
from .misbehave import CHANGES
from .org import Org, Session
from .user import User

PAGE_ROWS = 2000
JSON_TYPE = "application/json;charset=UTF-8"

_FIRST_LABEL_VERSION, _FIRST_LABEL_YEAR = 62, 25
_SEASONS = ("Winter", "Spring", "Summer")
_CURSORS_KEPT = 100


@dataclass(frozen=True)
class Asked:
    """A request together with everything that answering it needs."""

    exchange: Exchange
    request: Request
    version: str

    @property
    def org(self) -> Org:
        """The org that is asked."""
        return self.exchange.org

    @property
    def base(self) -> str:
        """Path of this version's resources."""
        return f"/services/data/v{self.version}"

    def session(self, *, for_password: bool = False) -> Session:
        """Use the session of the Authorization header.

        Raises:
            FaultError: There is none, or it does not serve for this.
        """
        return self.org.use_session(session_id(self.request), for_password=for_password)

    def body(self) -> dict[str, Any]:
        """Read the JSON object in the body.

        Raises:
            FaultError: It is none, or is not called JSON.
        """
        if self.request.mimetype != "application/json":
            raise FaultError("UNSUPPORTED_MEDIA_TYPE")
        try:
            document = json.loads(self.request.get_data())
        except ValueError as error:
            raise FaultError("JSON_PARSER_ERROR") from error
        if not isinstance(document, dict):
            raise FaultError("JSON_PARSER_ERROR")
        return document


Work = Callable[[Asked], Response]


def session_id(request: Request) -> str:
    """Read what the Authorization header brings, after either word that Salesforce takes."""
    word, _, given = request.headers.get("Authorization", "").partition(" ")
    return given.strip() if word.lower() in {"bearer", "oauth"} else ""


def answer(world: World, arrival: Arrival, request: Request, *, version: str, operation: str, work: Work) -> Response:
    """Answer one REST request.

    Args:
        world: The org and everything around it.
        arrival: How the request came.
        request: The request.
        version: The version in the address, such as 64.0; empty for the list of versions.
        operation: What it does, by the SOAP name where there is one.
        work: Does it.
    """

    def do(exchange: Exchange) -> Response:
        settings = world.org.settings
        if version and not settings.min_version <= float(version) <= settings.current_version:
            raise FaultError("UNSUPPORTED_API_VERSION", f"Invalid API version specified: {version}")
        response = work(Asked(exchange, request, version))
        used, allowed = world.org.api_requests, settings.daily_api_limit
        response.headers["Sforce-Limit-Info"] = f"api-usage={used}/{allowed}"
        return response

    def refuse(error: FaultError | MessageError) -> Response:
        status = error.kind.status if isinstance(error, FaultError) else 400
        return to_json([{"message": getattr(error, "message", str(error)), "errorCode": error.code}], status)

    username = _about(world.org, request, operation)
    return handle(world, arrival, operation=operation, username=username, work=do, refuse=refuse)


def to_json(document: Any, status: int = 200) -> Response:
    """Make an answer of a JSON document."""
    return Response(json.dumps(document), status, content_type=JSON_TYPE)


def versions(asked: Asked) -> Response:
    """List the versions served; needs no session."""
    settings = asked.org.settings
    return to_json(
        [
            {"label": _label(number), "url": f"/services/data/v{number}.0", "version": f"{number}.0"}
            for number in range(settings.min_version, settings.current_version + 1)
        ]
    )


def resources(asked: Asked) -> Response:
    """List the resources of one version."""
    asked.session()
    return to_json({name: f"{asked.base}/{name}" for name in ("sobjects", "query")})


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


def query(asked: Asked) -> Response:
    """Run a query and give its first page."""
    session = asked.session()
    text = asked.request.args.get("q", "")
    records = tables.run(asked.org, session.user, soql.parse(text), asked.base)
    return to_json(_page(asked, records, 0))


def query_more(asked: Asked, locator: str) -> Response:
    """Give a further page of a query."""
    asked.session()
    cursor, _, place = locator.partition("-")
    records = asked.org.cursors.get(cursor)
    if records is None or not place.isdecimal():
        raise FaultError("INVALID_QUERY_LOCATOR")
    return to_json(_page(asked, records, int(place), cursor))


def describe(asked: Asked, name: str) -> Response:
    """Describe an object."""
    return to_json(tables.describe(tables.find(name, asked.session().user)))


def record(asked: Asked, name: str, record_id: str) -> Response:
    """Show one record with all its fields, or those that are asked for."""
    viewer = asked.session().user
    table = tables.find(name, viewer)
    wanted = asked.request.args.get("fields", "")
    fields = tuple(wanted.split(",")) if wanted else tuple(field for field in table.columns if "." not in field)
    by_id = soql.Condition("Id", "=", (record_id,))
    found = tables.run(asked.org, viewer, soql.Query(fields, name, (by_id,)), asked.base)
    if not found:
        raise FaultError("NOT_FOUND")
    return to_json(found[0])


def update(asked: Asked, name: str, record_id: str) -> Response:
    """Unlock, freeze or unfreeze a user; no other object can be written."""
    if name.lower() != tables.USER_LOGIN.name.lower():
        raise FaultError("METHOD_NOT_ALLOWED")
    if not asked.session().user.settings.manage_users:
        raise FaultError("INSUFFICIENT_ACCESS")
    subject = _user_of_login(asked.org, record_id)
    if subject is None:
        raise FaultError("NOT_FOUND")
    changes = asked.body()
    for column, value in changes.items():
        if column not in {"IsFrozen", "IsPasswordLocked"}:
            raise FaultError("INVALID_FIELD", f"No such column '{column}' on sobject of type UserLogin")
        if not isinstance(value, bool):
            raise FaultError("JSON_PARSER_ERROR")
    if changes.get("IsPasswordLocked"):
        raise FaultError("INVALID_FIELD_FOR_INSERT_UPDATE", "A user can be unlocked here, and not locked.")
    with asked.org.lock:
        if "IsPasswordLocked" in changes:
            subject.unlock()
        if "IsFrozen" in changes:
            asked.org.freeze(subject, frozen=changes["IsFrozen"])
    return Response(status=204)


def not_found(_asked: Asked, **_address: str) -> Response:
    """Refuse an address that leads nowhere."""
    raise FaultError("NOT_FOUND")


def not_allowed(_asked: Asked, **_address: str) -> Response:
    """Refuse a method that the resource does not have."""
    raise FaultError("METHOD_NOT_ALLOWED")


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


def _user_of_login(org: Org, record_id: str) -> User | None:
    # The two ids of a user differ in their prefix only.
    prefix, number = record_id[: len(ids.USER)], ids.shorten(record_id)[len(ids.USER) :]
    return org.user_by_id(ids.USER + number) if prefix == ids.USER_LOGIN else None


def _about(org: Org, request: Request, operation: str) -> str:
    arguments = request.view_args or {}
    user = org.user_by_id(arguments.get("user_id", "")) or _user_of_login(org, arguments.get("record_id", ""))
    if user is None and operation not in CHANGES:
        session = org.session(session_id(request))
        user = session.user if session else None
    return user.username if user else ""


def _page(asked: Asked, records: list[dict[str, Any]], start: int, cursor: str = "") -> dict[str, Any]:
    end = start + PAGE_ROWS
    page: dict[str, Any] = {"totalSize": len(records), "done": end >= len(records), "records": records[start:end]}
    if not page["done"]:
        cursor = cursor or _keep(asked.org, records)
        page["nextRecordsUrl"] = f"{asked.base}/query/{cursor}-{end}"
    return page


def _keep(org: Org, records: list[dict[str, Any]]) -> str:
    with org.lock:
        cursor = "01g" + secrets.token_hex(6)
        org.cursors[cursor] = records
        while len(org.cursors) > _CURSORS_KEPT:
            del org.cursors[next(iter(org.cursors))]
        return cursor


def _label(version: int) -> str:
    releases = version - _FIRST_LABEL_VERSION
    return f"{_SEASONS[releases % 3]} '{_FIRST_LABEL_YEAR + releases // 3}"
