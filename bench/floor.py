"""The least that a rotation can be: its round trips by hand, over urllib3, with nothing around them."""

import json
import re
import secrets
import time
from typing import NamedTuple

import urllib3

_ENVELOPE = """<?xml version="1.0" encoding="utf-8"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:p="urn:partner.soap.sforce.com">
<s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"""
_LOGIN = "<p:login><p:username>{}</p:username><p:password>{}</p:password></p:login>"
_SESSION = "<p:SessionHeader><p:sessionId>{}</p:sessionId></p:SessionHeader>"
_CHANGE = (
    "<p:changeOwnPassword><p:oldPassword>{}</p:oldPassword><p:newPassword>{}</p:newPassword></p:changeOwnPassword>"
)
_SESSION_ID, _USER_ID = re.compile(r"<sessionId>([^<]+)</sessionId>"), re.compile(r"<userId>([^<]+)</userId>")


class Calls(NamedTuple):
    """How many calls of each kind."""

    reads: int
    writes: int
    looks: int  # queries of the user's record


LEAST = Calls(reads=1, writes=2, looks=0)  # read; pending, promoted


class User(NamedTuple):
    """A Salesforce user."""

    username: str
    password: str


class Place(NamedTuple):
    """Where a rotation's calls go: the org, with the PEM of its authority where it speaks TLS, and Vault."""

    org_url: str
    ca_cert: str
    vault_url: str
    token: str


class Session(NamedTuple):
    """A session, and whose."""

    session_id: str
    user_id: str


class Floor:
    """Rotations by hand of one user, one after another, on kept-alive connections.

    Args:
        place: Where its calls go.
        user: Whose password is changed.
        admin: Who sets it; None: the user changes it themself.
    """

    def __init__(self, place: Place, user: User, admin: User | None = None) -> None:
        self._org = urllib3.PoolManager(retries=False, ca_cert_data=place.ca_cert or None)
        self._vault = urllib3.PoolManager(retries=False)
        self._org_url, _, self._vault_url, self._token = place
        self._username, self._password = user
        self._version = 0
        self._admin = self._log_in(*admin) if admin else None
        self._user_id = self._log_in(self._username, self._password).user_id

    def rotate(self, calls: Calls) -> tuple[float, float]:
        """One rotation. Returns: its CPU time and its wall time, in seconds."""
        cpu, wall = time.thread_time(), time.perf_counter()
        path = f"{self._vault_url}/v1/salesforce-engine/data/bench/{self._username}"
        new = f"Bench-1-{secrets.token_urlsafe(12)}"
        for _ in range(calls.reads):
            self._ask_vault("GET", path)
        for _ in range(calls.writes - 1):
            self._write(path, new)
        session = self._admin or self._log_in(self._username, self._password)
        for _ in range(calls.looks):
            self._look(session)
        if self._admin:
            self._set_password(self._admin, new)
        else:
            self._soap(_SESSION.format(session.session_id), _CHANGE.format(self._password, new))
        self._password = new
        self._log_in(self._username, new)
        self._write(path, new)
        return time.thread_time() - cpu, time.perf_counter() - wall

    def _log_in(self, username: str, password: str) -> Session:
        text = self._soap("", _LOGIN.format(username, password))
        session_id, user_id = _SESSION_ID.search(text), _USER_ID.search(text)
        if session_id is None or user_id is None:
            raise RuntimeError(text)
        return Session(session_id[1], user_id[1])

    def _soap(self, header: str, body: str) -> str:
        content = _ENVELOPE.format(header=header, body=body).encode()
        headers = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'}
        url = f"{self._org_url}/services/Soap/u/64.0"
        return self._org.request("POST", url, body=content, headers=headers).data.decode()

    def _set_password(self, admin: Session, new: str) -> None:
        url = f"{self._org_url}/services/data/v64.0/sobjects/User/{self._user_id}/password"
        headers = {"Authorization": f"Bearer {admin.session_id}", "Content-Type": "application/json"}
        answer = self._org.request("POST", url, body=json.dumps({"NewPassword": new}), headers=headers)
        if answer.status != 204:  # noqa: PLR2004 - No Content
            raise RuntimeError(answer.data)

    def _look(self, session: Session) -> None:
        soql = f"SELECT+Id,LastPasswordChangeDate+FROM+User+WHERE+Username='{self._username}'"
        url = f"{self._org_url}/services/data/v64.0/query?q={soql}"
        answer = self._org.request("GET", url, headers={"Authorization": f"Bearer {session.session_id}"})
        json.loads(answer.data)["records"]

    def _write(self, path: str, password: str) -> None:
        document = {"data": {"password": password}, "options": {"cas": self._version}}
        self._version = self._ask_vault("POST", path, document)["version"]

    def _ask_vault(self, method: str, path: str, document: object = None) -> dict[str, int]:
        body = None if document is None else json.dumps(document)
        answer = self._vault.request(method, path, body=body, headers={"X-Vault-Token": self._token})
        return json.loads(answer.data).get("data") or {}
