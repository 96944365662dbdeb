"""The REST resources: records and queries over users, and the password resource."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Request, Response

from . import ids
from .exchange import Arrival, Exchange, World, handle
from .faults import FaultError, MessageError
from .knobs import CHANGES
from .org import Org
from .sessions import Session
from .user import User

JSON_TYPE = "application/json;charset=UTF-8"

_FIRST_LABEL_VERSION, _FIRST_LABEL_YEAR = 62, 25
_SEASONS = ("Winter", "Spring", "Summer")


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
        source = self.exchange.arrival.source
        return self.org.use_session(session_id(self.request), for_password=for_password, source=source)

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


def limits(asked: Asked) -> Response:
    """Show how much of the org's limits is left."""
    asked.session()
    allowed = asked.org.settings.daily_api_limit
    left = max(0, allowed - asked.org.api_requests)
    return to_json(
        {"DailyApiRequests": {"Max": allowed, "Remaining": left}, "SingleEmail": {"Max": 15, "Remaining": 15}}
    )


def not_found(_asked: Asked, **_address: str) -> Response:
    """Refuse an address that leads nowhere."""
    raise FaultError("NOT_FOUND")


def not_allowed(_asked: Asked, **_address: str) -> Response:
    """Refuse a method that the resource does not have."""
    raise FaultError("METHOD_NOT_ALLOWED")


def user_of_login(org: Org, record_id: str) -> User | None:
    """Find the user of a UserLogin record."""
    # The two ids of a user differ in their prefix only.
    prefix, number = record_id[: len(ids.USER)], ids.shorten(record_id)[len(ids.USER) :]
    return org.user_by_id(ids.USER + number) if prefix == ids.USER_LOGIN else None


def _about(org: Org, request: Request, operation: str) -> str:
    arguments = request.view_args or {}
    user = org.user_by_id(arguments.get("user_id", "")) or user_of_login(org, arguments.get("record_id", ""))
    if user is None and operation not in CHANGES:
        session = org.session(session_id(request))
        user = session.user if session else None
    return user.username if user else ""


def _label(version: int) -> str:
    releases = version - _FIRST_LABEL_VERSION
    return f"{_SEASONS[releases % 3]} '{_FIRST_LABEL_YEAR + releases // 3}"
