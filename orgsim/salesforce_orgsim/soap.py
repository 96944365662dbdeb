"""The SOAP operations: a parsed call in, an envelope out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from flask import Response

from . import envelope, objects, paging, soql
from .changes import PasswordChange, Route, subject_of
from .clock import soap_stamp
from .envelope import Call, Dialect, Fields, SObject
from .exchange import Arrival, Exchange, World, handle
from .faults import FaultError, MessageError
from .ids import shorten
from .login import LoginAttempt, log_in
from .org import Org
from .sessions import Session
from .tables import Look, run
from .user import User

Results: TypeAlias = Sequence[Fields]

_EMPTY_RESULT: Results = ((),)
ILLEGAL_SESSION = "Invalid Session ID found in SessionHeader: Illegal Session"


@dataclass(frozen=True)
class Asked:
    """A call together with everything that answering it needs."""

    exchange: Exchange
    dialect: Dialect
    version: str
    base_url: str
    call: Call

    @property
    def org(self) -> Org:
        """The org that is asked."""
        return self.exchange.org

    @property
    def session_id(self) -> str:
        """What the SessionHeader brought."""
        return self.call.headers.get("SessionHeader", {}).get("sessionId", "")

    def session(self, *, for_password: bool = False) -> Session:
        """Use the session.

        Raises:
            FaultError: There is none, or it does not serve for this.
        """
        try:
            source = self.exchange.arrival.source
            return self.org.use_session(self.session_id, for_password=for_password, source=source)
        except FaultError as fault:
            if fault.code == "INVALID_SESSION_ID" and fault.message == fault.kind.message:
                raise FaultError(fault.code, ILLEGAL_SESSION) from fault
            raise

    def is_own(self, user_id: str) -> bool:
        """Say whether an id is that of the session's own user."""
        session = self.org.session(self.session_id)
        return session is not None and session.user is self.org.user_by_id(user_id)

    def argument(self, name: str) -> str:
        """Read an argument.

        Raises:
            MessageError: It is missing.
        """
        if name not in self.call.arguments:
            raise MessageError(f"The element {name} is missing from {self.call.operation}.")
        return self.call.arguments[name]


def answer(world: World, arrival: Arrival, body: bytes, *, dialect: Dialect, version: str, base_url: str) -> Response:
    """Answer one SOAP request.

    Args:
        world: The org and everything around it.
        arrival: How the request came.
        body: The message.
        dialect: Which of the two forms of the API.
        version: The version in the address, such as 64.0.
        base_url: Scheme and host by which the client reached us.
    """
    problem: MessageError | None = None
    try:
        call = envelope.parse(body)
    except MessageError as error:
        problem, call = error, Call("", "unknown", {}, {})
    known = call.operation if call.operation in OPERATIONS else "unknown"

    def work(exchange: Exchange) -> Response:
        if problem:
            raise problem
        if known == "unknown" or call.namespace != dialect.namespace:
            raise MessageError(f"There is no operation {call.operation} in the namespace {call.namespace}.")
        _check_version(world.org, version)
        asked = Asked(exchange, dialect, version, base_url, call)
        results = OPERATIONS[known](asked)
        limit = None if known == "login" else (world.org.api_requests, world.org.settings.daily_api_limit)
        return Response(envelope.success(dialect, known, results, limit), content_type=envelope.CONTENT_TYPE)

    def refuse(error: FaultError | MessageError) -> Response:
        prefixed = world.org.settings.faultcode_style == "prefixed"
        fault = envelope.refusal(dialect, known, error, prefixed=prefixed)
        return Response(fault, 500, content_type=envelope.CONTENT_TYPE)

    return handle(world, arrival, operation=known, username=_about(world.org, call), work=work, refuse=refuse)


def _about(org: Org, call: Call) -> str:
    """Name the user a call is about: who logs in, whose password it is, or else whose session."""
    if call.operation == "login":
        user = org.user(call.arguments.get("username", ""))
        return user.username if user else ""
    if "userId" in call.arguments:
        user = org.user_by_id(call.arguments["userId"])
        return user.username if user else ""
    session = org.session(call.headers.get("SessionHeader", {}).get("sessionId", ""))
    return session.user.username if session else ""


def _check_version(org: Org, version: str) -> None:
    if not org.settings.min_version <= float(version) <= org.settings.current_version:
        raise FaultError("UNSUPPORTED_API_VERSION", f"Invalid API version specified: {version}")


def _login(asked: Asked) -> Results:
    arrival = asked.exchange.arrival
    attempt = LoginAttempt(
        username=asked.argument("username"),
        secret=asked.argument("password"),
        source=arrival.source,
        host=arrival.host,
        api_type=asked.dialect.api_type,
        api_version=asked.version,
        application=asked.call.headers.get("CallOptions", {}).get("client") or "N/A",
    )
    entered = log_in(asked.org, attempt)
    base_url = asked.org.settings.instance_url.rstrip("/") or asked.base_url
    user, services = entered.session.user, f"{base_url}/services/Soap"
    tail = f"{asked.version}/{shorten(asked.org.id)}"
    result = (
        ("metadataServerUrl", f"{services}/m/{tail}"),
        ("passwordExpired", entered.password_expired),
        ("sandbox", asked.org.settings.is_sandbox),
        ("serverUrl", f"{services}/{asked.dialect.letter}/{tail}"),
        ("sessionId", entered.session.id),
        ("userId", user.id),
        ("userInfo", _user_info(asked.org, user)),
    )
    return (result,)


def _user_info(org: Org, user: User) -> Fields:
    return (
        ("accessibilityMode", False),
        ("chatterExternal", False),
        ("currencySymbol", "€"),
        ("orgAttachmentFileSizeLimit", 5_242_880),
        ("orgDefaultCurrencyIsoCode", "EUR"),
        ("orgDefaultCurrencyLocale", "de_DE"),
        ("orgDisallowHtmlAttachments", False),
        ("orgHasPersonAccounts", False),
        ("organizationId", org.id),
        ("organizationMultiCurrency", False),
        ("organizationName", org.settings.name),
        ("profileId", org.profile_id(user.settings.profile)),
        ("roleId", None),
        ("sessionSecondsValid", org.settings.session_timeout),
        ("userDefaultCurrencyIsoCode", None),
        ("userEmail", user.settings.email),
        ("userFullName", user.full_name),
        ("userId", user.id),
        ("userLanguage", user.settings.language),
        ("userLocale", "en_US"),
        ("userName", user.username),
        ("userTimeZone", "Europe/Berlin"),
        ("userType", user.settings.user_type),
        ("userUiSkin", "Theme3"),
    )


def _logout(asked: Asked) -> Results:
    asked.session(for_password=True)
    asked.org.end_session(asked.session_id)
    return ()


def _invalidate_sessions(asked: Asked) -> Results:
    asked.session()
    return tuple(_invalidate(asked, session_id) for session_id in asked.call.repeated)


def _invalidate(asked: Asked, session_id: str) -> Fields:
    if asked.org.session(session_id) is None:
        error = (("message", "Invalid session id"), ("statusCode", "INVALID_SESSION_ID"))
        return (("errors", error), ("success", False))
    asked.org.end_session(session_id)
    return (("success", True),)


def _get_user_info(asked: Asked) -> Results:
    return (_user_info(asked.org, asked.session().user),)


def _get_server_timestamp(asked: Asked) -> Results:
    asked.session()
    return ((("timestamp", soap_stamp(asked.org.clock.now())),),)


def _query(asked: Asked) -> Results:
    look = Look(asked.org, asked.session())
    parsed = soql.parse(asked.argument("queryString"))
    records = run(look, objects.find(look, parsed.table), parsed, "", written=soap_stamp)
    return (_query_result(paging.first(asked.org, records)),)


def _query_more(asked: Asked) -> Results:
    asked.session()
    return (_query_result(paging.more(asked.org, asked.argument("queryLocator"))),)


def _query_result(page: paging.Page) -> Fields:
    return (
        ("done", page.locator is None),
        ("queryLocator", page.locator),
        *(("records", _record(record)) for record in page.records),
        ("size", page.total),
    )


def _record(shown: Mapping[str, Any]) -> SObject:
    fields = [(name, value) for name, value in shown.items() if name != "attributes"]
    return SObject(
        shown["attributes"]["type"],
        [(name, _record(value) if isinstance(value, dict) else value) for name, value in fields],
    )


def _change_own_password(asked: Asked) -> Results:
    session = asked.session(for_password=asked.org.settings.expired_session_may_change_own)
    old, new = asked.argument("oldPassword"), asked.argument("newPassword")
    asked.exchange.change_password(PasswordChange(Route.CHANGE_OWN, session.user, session.user, new=new, old=old))
    return _EMPTY_RESULT


def _set_password(asked: Asked) -> Results:
    user_id = asked.argument("userId")
    session = asked.session(for_password=asked.is_own(user_id))
    subject = subject_of(asked.org, user_id)
    asked.exchange.change_password(PasswordChange(Route.SET, session.user, subject, new=asked.argument("password")))
    return _EMPTY_RESULT


def _reset_password(asked: Asked) -> Results:
    session = asked.session()
    subject = subject_of(asked.org, asked.argument("userId"))
    mails = asked.call.headers.get("EmailHeader", {}).get("triggerUserEmail") == "true"
    changed = asked.exchange.change_password(PasswordChange(Route.RESET, session.user, subject, mails_link=mails))
    return ((("password", changed.temporary_password),),)


OPERATIONS: dict[str, Callable[[Asked], Results]] = {
    "login": _login,
    "logout": _logout,
    "invalidateSessions": _invalidate_sessions,
    "getUserInfo": _get_user_info,
    "getServerTimestamp": _get_server_timestamp,
    "query": _query,
    "queryMore": _query_more,
    "changeOwnPassword": _change_own_password,
    "setPassword": _set_password,
    "resetPassword": _reset_password,
}
