"""The REST calls: build a request, decipher its answer. PURE."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.salesforce import faults
from vault_salesforce_sidecar.salesforce.ids import ID
from vault_salesforce_sidecar.salesforce.interface import Fault, LoginRow, Lost, OrgRefused, Session
from vault_salesforce_sidecar.salesforce.message import Answer, Request, json_of

MOST_DELETED = 100  # records that one call deletes; Salesforce takes 200, in an address twice as long
_MOST_ROWS = 200
_SOBJECT = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}", re.ASCII)
_PAGE = re.compile(r"/services/data/v[0-9.]{4,6}/query/[A-Za-z0-9_-]{1,200}", re.ASCII)
_LARGEST_PAGE, _LARGEST_DESCRIPTION = 8 << 20, 16 << 20
_OK, _NO_CONTENT, _SERVER_ERROR = 200, 204, 500
_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_USER_FIELDS = ("Id", "Username", "IsActive", "LastPasswordChangeDate")

# What the deletion of a session is answered with that has ended meanwhile, of itself or with its parent.
_GONE = frozenset({"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND"})

Record = Mapping[str, Any]


class Page(NamedTuple):
    """Some records of a query, and the path of those that follow; None: these are the last."""

    records: list[Record]
    next_path: str | None


def user_request(session: Session, api_version: str, username: str, *, with_failed_logins: bool) -> Request:
    """Ask for the user of that name.

    Args:
        session: Who asks.
        api_version: Such as `64.0`.
        username: Login name; capitals do not matter to Salesforce.
        with_failed_logins: Ask for NumberOfFailedLogins too, which not every org has.
    """
    fields = (*_USER_FIELDS, "NumberOfFailedLogins") if with_failed_logins else _USER_FIELDS
    soql = f"SELECT {', '.join(fields)} FROM User WHERE Username = {literal(username)}"  # noqa: S608 - escaped
    return _query(session, api_version, soql)


def user_login_request(session: Session, api_version: str, user_id: str) -> Request:
    """Ask whether a user is locked or frozen."""
    soql = f"SELECT IsFrozen, IsPasswordLocked FROM UserLogin WHERE UserId = {literal(user_id)}"  # noqa: S608 - escaped
    return _query(session, api_version, soql)


def set_password_request(session: Session, api_version: str, user_id: str, new: SecretStr) -> Request:
    """Set another user's password. Raises: ValueError where the id is none."""
    return Request(
        "POST",
        f"{_record_url(session, api_version, 'User', user_id)}/password",
        {**_authorization(session), "Content-Type": "application/json"},
        json.dumps({"NewPassword": new.reveal()}).encode(),
    )


def reset_password_request(session: Session, api_version: str, user_id: str) -> Request:
    """Have the org give another user a random password. Raises: ValueError where the id is none."""
    url = _record_url(session, api_version, "User", user_id)
    return Request("DELETE", f"{url}/password", _authorization(session))


def unlock_request(session: Session, api_version: str, user_login_id: str) -> Request:
    """Clear a user's lock. Raises: ValueError where the id is none."""
    url = _record_url(session, api_version, "UserLogin", user_login_id)
    headers = {**_authorization(session), "Content-Type": "application/json"}
    return Request("PATCH", url, headers, json.dumps({"IsPasswordLocked": False}).encode())


def delete_request(session: Session, api_version: str, ids: Sequence[str]) -> Request:
    """Delete up to `MOST_DELETED` records, each for itself. Raises: ValueError where an id is none."""
    if not all(map(ID.fullmatch, ids)):
        raise ValueError("not an id")
    url = f"{_base(session, api_version)}/composite/sobjects?ids={','.join(ids)}&allOrNone=false"
    return Request("DELETE", url, _authorization(session))


def describe_request(session: Session, api_version: str, sobject: str) -> Request:
    """Ask for the fields of an object. Raises: ValueError where the name is none."""
    if not _SOBJECT.fullmatch(sobject):
        raise ValueError("not the name of an object")
    url = f"{_base(session, api_version)}/sobjects/{sobject}/describe"
    return Request("GET", url, _authorization(session), largest_answer=_LARGEST_DESCRIPTION)


def query_request(session: Session, api_version: str, soql: str) -> Request:
    """Ask for the records of a query."""
    return _query(session, api_version, soql)


def tooling_query_request(session: Session, api_version: str, soql: str) -> Request:
    """Ask for the records of a query of the Tooling API."""
    url = f"{_base(session, api_version)}/tooling/query?q={quote(soql, safe='')}"
    return Request("GET", url, _authorization(session))


def next_page_request(session: Session, path: str) -> Request:
    """Ask for the records that follow."""
    return Request("GET", f"{session.instance_url}{path}", _authorization(session), largest_answer=_LARGEST_PAGE)


def sessions_soql(user_id: str, *, but_the_own: bool) -> str:
    """The sessions of a user; `but_the_own`: not the one that asks, which is the user's."""
    soql = f"SELECT Id FROM AuthSession WHERE UsersId = {literal(user_id)}"  # noqa: S608 - escaped
    return f"{soql} AND IsCurrent = false" if but_the_own else soql


def login_history_soql(user_id: str, since: datetime) -> str:
    """A user's logins since a time, newest first."""
    earliest = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        "SELECT LoginTime, Status, SourceIp, Application, LoginType, ApiType FROM LoginHistory "  # noqa: S608 - escaped
        f"WHERE UserId = {literal(user_id)} AND LoginTime >= {earliest} ORDER BY LoginTime DESC LIMIT {_MOST_ROWS}"
    )


def user_login_id_soql(user_id: str) -> str:
    """The record that holds whether a user is locked."""
    return f"SELECT Id FROM UserLogin WHERE UserId = {literal(user_id)}"  # noqa: S608 - escaped


def literal(text: str) -> str:
    """A text as SOQL writes it."""
    return f"'{text.translate(_ESCAPES)}'"


def page(answer: Answer) -> Page:
    """What a query found. Raises: OrgRefused, or Lost where the answer is not Salesforce's."""
    document = _document(answer, "records")
    found, more = document.get("records"), document.get("nextRecordsUrl")
    if not isinstance(found, list) or not all(isinstance(record, dict) for record in found):
        raise Lost("the org answered with something else than records")
    if more is not None and not (isinstance(more, str) and _PAGE.fullmatch(more)):
        raise Lost("the org answered with a next page that is none")
    return Page([_plain(record) for record in found], more)


def id_of(record: Record) -> str:
    """The id of a record that was found. Raises: Lost where it is none."""
    found = record.get("Id")
    if not isinstance(found, str) or not ID.fullmatch(found):
        raise Lost("the org answered with a record whose id cannot be read")
    return found


def login_rows(found: Sequence[Record]) -> tuple[LoginRow, ...]:
    """Records of LoginHistory. Raises: Lost where the time of one cannot be read."""

    def text(record: Record, name: str) -> str:
        value = record.get(name)
        return value if isinstance(value, str) and value != "N/A" else ""

    try:
        return tuple(
            LoginRow(
                time=datetime.fromisoformat(text(record, "LoginTime")).astimezone(UTC),
                status=text(record, "Status"),
                source_ip=text(record, "SourceIp"),
                application=text(record, "Application"),
                login_type=text(record, "LoginType"),
                api_type=text(record, "ApiType"),
            )
            for record in found
        )
    except (ValueError, OverflowError) as exc:
        raise Lost("the org answered with a time that cannot be read") from exc


def columns(answer: Answer) -> frozenset[str]:
    """The names of the fields that were described. Raises: OrgRefused, or Lost where the answer is not Salesforce's."""
    fields = _document(answer, "fields").get("fields")
    names = [field.get("name") for field in fields if isinstance(field, dict)] if isinstance(fields, list) else []
    if not names:
        raise Lost("the org answered with no description of an object")
    return frozenset(name for name in names if isinstance(name, str))


def new_password(answer: Answer) -> SecretStr:
    """The password that a reset gave.

    Raises:
        OrgRefused: It was not reset.
        Lost: It may have been, and the new password is not known.
    """
    if answer.status == _OK:
        try:
            given = json_of(answer.body)["NewPassword"]
        except (ValueError, KeyError, TypeError):
            given = None
        if isinstance(given, str) and given:
            return SecretStr(given)
    raise _not_changed(answer)


def was_done(answer: Answer) -> None:
    """Make sure that a change was made.

    Raises:
        OrgRefused: It was not.
        Lost: It may have been: any status from 500, whatever its code, and whatever is not Salesforce's.
    """
    if answer.status != _NO_CONTENT:
        raise _not_changed(answer)


def were_deleted(answer: Answer, count: int) -> None:
    """Make sure that each of so many records is gone. Raises: as `was_done`; OrgRefused with the first refusal."""
    results = None
    if answer.status == _OK:
        try:
            results = json_of(answer.body)
        except ValueError:
            results = None
    if not isinstance(results, list) or len(results) != count or not all(isinstance(each, dict) for each in results):
        raise _not_changed(answer)
    for result in results:
        if result.get("success") is not True:
            fault = _fault_of(result)
            if fault is None:
                raise Lost("the org answered with a deletion that cannot be read")
            if fault.code not in _GONE:
                raise OrgRefused(fault)


def _fault_of(result: Record) -> Fault | None:
    """The first fault of one record's result."""
    errors = result.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    code = first.get("statusCode") if isinstance(first, dict) else None
    return faults.fault_of(code) if isinstance(code, str) and faults.REST_CODE.fullmatch(code) else None


def _not_changed(answer: Answer) -> Exception:
    """What is raised for the answer to a change that does not say that it was made."""
    if answer.status < _SERVER_ERROR and answer.status != _OK:
        fault = faults.decipher_rest(answer.body)
        if fault and fault.code not in faults.MAY_HAVE_APPLIED:
            return OrgRefused(fault)
    return Lost(f"the org answered with status {answer.status}, which leaves the change open")


def _document(answer: Answer, what: str) -> Mapping[str, Any]:
    fault = None if answer.status == _OK else faults.decipher_rest(answer.body)
    if fault:
        raise OrgRefused(fault)
    try:
        document = json_of(answer.body) if answer.status == _OK else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Lost(f"the org answered with status {answer.status} and no {what}")
    return document


def _plain(value: Any) -> Any:
    """A record without `attributes`, which every object of an answer carries."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if name != "attributes"}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _query(session: Session, api_version: str, soql: str) -> Request:
    url = f"{_base(session, api_version)}/query?q={quote(soql, safe='')}"
    return Request("GET", url, _authorization(session), largest_answer=_LARGEST_PAGE)


def _record_url(session: Session, api_version: str, sobject: str, record_id: str) -> str:
    if not ID.fullmatch(record_id):
        raise ValueError("not a user id" if sobject == "User" else "not an id")
    return f"{_base(session, api_version)}/sobjects/{sobject}/{record_id}"


def _base(session: Session, api_version: str) -> str:
    return f"{session.instance_url}/services/data/v{api_version}"


def _authorization(session: Session) -> dict[str, str]:
    return {"Authorization": f"Bearer {session.id.reveal()}", "Accept": "application/json"}
