"""The REST calls: build a request, decipher its answer. PURE."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.salesforce import faults
from vault_salesforce_sidecar.salesforce.interface import Lost, OrgRefused, Session
from vault_salesforce_sidecar.salesforce.message import Answer, Request

USER_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_OK, _NO_CONTENT, _SERVER_ERROR = 200, 204, 500
_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_USER_FIELDS = ("Id", "Username", "IsActive", "LastPasswordChangeDate")

Record = Mapping[str, Any]


def same_user(one: str, other: str) -> bool:
    """Whether two ids, of 15 or 18 characters, are one user's: the last three are a checksum."""
    return one[:15] == other[:15]


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
    if not USER_ID.fullmatch(user_id):
        raise ValueError("not a user id")
    return Request(
        "POST",
        f"{session.instance_url}/services/data/v{api_version}/sobjects/User/{user_id}/password",
        {**_authorization(session), "Content-Type": "application/json"},
        json.dumps({"NewPassword": new.reveal()}).encode(),
    )


def literal(text: str) -> str:
    """A text as SOQL writes it."""
    return f"'{text.translate(_ESCAPES)}'"


def records(answer: Answer) -> list[Record]:
    """The records that a query found. Raises: OrgRefused, or Lost where the answer is not Salesforce's."""
    _raise_for_fault(answer)
    try:
        found = json.loads(answer.body)["records"] if answer.status == _OK else None
    except (ValueError, KeyError, TypeError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(record, dict) for record in found):
        raise Lost(f"the org answered with status {answer.status} and no records")
    return found


def password_was_set(answer: Answer) -> None:
    """Make sure that the password was set.

    Raises:
        OrgRefused: It was not.
        Lost: It may have been: any status from 500, whatever its code, and whatever is not Salesforce's.
    """
    if answer.status == _NO_CONTENT:
        return
    if answer.status < _SERVER_ERROR:
        _raise_for_fault(answer, changes=True)
    raise Lost(f"the org answered with status {answer.status}, which leaves the change open")


def _raise_for_fault(answer: Answer, *, changes: bool = False) -> None:
    fault = None if answer.status == _OK else faults.decipher_rest(answer.body)
    if fault and not (changes and fault.code in faults.MAY_HAVE_APPLIED):
        raise OrgRefused(fault)


def _query(session: Session, api_version: str, soql: str) -> Request:
    url = f"{session.instance_url}/services/data/v{api_version}/query?q={quote(soql, safe='')}"
    return Request("GET", url, _authorization(session))


def _authorization(session: Session) -> dict[str, str]:
    return {"Authorization": f"Bearer {session.id.reveal()}", "Accept": "application/json"}
