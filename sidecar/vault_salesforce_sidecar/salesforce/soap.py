"""The Partner and Enterprise APIs over SOAP. The only module that imports zeep.

What is called here has the same shape in both: one contract serves them, under the namespaces of either.
"""

import functools
import io
import logging
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any, NamedTuple

import zeep
import zeep.transports
from lxml import etree
from zeep.wsdl import Document

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.salesforce import faults
from vault_salesforce_sidecar.salesforce.ids import ID
from vault_salesforce_sidecar.salesforce.interface import Fault, Lost, OrgRefused
from vault_salesforce_sidecar.salesforce.message import Answer, Request
from vault_salesforce_sidecar.salesforce.transport import Transport

_LETTERS = {"partner": "u", "enterprise": "c"}  # of an endpoint, as Salesforce has them in its address
_ENTERPRISE_PATH = re.compile(r"https?://[^/]+/services/Soap/c/")
# zeep writes; what comes back from outside is read here, by one hardened parser, at a tenth of the cost.
_SETTINGS = zeep.Settings(raw_response=True, forbid_dtd=True, forbid_entities=True, forbid_external=True)
_LARGEST_ANSWER = 256 * 1024  # the answer to a login is about 2 KiB
_OK = 200
_Headers = dict[str, Mapping[str, Any]]
_NO_MAIL: _Headers = {
    "EmailHeader": {"triggerAutoResponseEmail": False, "triggerOtherEmail": False, "triggerUserEmail": False},
}
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_SESSION_ID = re.compile(r"[!-~]{1,8192}")  # opaque, but it goes into a header
_XML_TEXT = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")

# At DEBUG it prints whole envelopes, passwords included.
_LOGGER = logging.getLogger("zeep.transports")
_LOGGER.setLevel(logging.INFO)


class LoginResult(NamedTuple):
    """What `login` answers, as far as it is used."""

    session_id: SecretStr
    server_url: str
    password_expired: bool
    user_id: str
    organization_id: str
    is_sandbox: bool | None = None


class Soap:
    """The calls, each sent once.

    Every call raises OrgRefused where the org answers with a fault (its status is 500, as a rule), Lost where the
    answer is none of Salesforce's, and NotSent.

    Args:
        transport: Carries the bytes.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def login(self, address: str, username: str, secret: SecretStr, seconds: float) -> LoginResult:
        """Open a session.

        Args:
            address: Endpoint, with the version.
            username: Login name.
            secret: Password with the security token right behind it.
            seconds: Limit of the whole call.
        """
        call = _Call(self._transport, seconds)
        answer = call.make(address, "login", {"username": username, "password": secret.reveal()})
        found = _login_result(_at(answer, "result"))
        if found is None:
            raise Lost("the answer to the login cannot be read")
        told = _text(answer, "result", "userInfo", "userName")
        if told is not None and told.lower() != username.lower():
            raise Lost("the answer to the login is about another user")
        return found

    def change_own_password(
        self, address: str, session_id: SecretStr, old: SecretStr, new: SecretStr, seconds: float
    ) -> None:
        """Change the password of the session's user. A fault that leaves open whether it was changed is Lost."""
        arguments = {"oldPassword": old.reveal(), "newPassword": new.reveal()}
        self._change(address, "changeOwnPassword", arguments, _session_header(session_id), seconds)

    def set_password(self, address: str, session_id: SecretStr, user_id: str, new: SecretStr, seconds: float) -> None:
        """Set another user's password. A fault that leaves open whether it was set is Lost."""
        arguments = {"userId": user_id, "password": new.reveal()}
        self._change(address, "setPassword", arguments, _session_header(session_id), seconds)

    def reset_password(self, address: str, session_id: SecretStr, user_id: str, seconds: float) -> SecretStr:
        """Have the org give another user a random password, without a mail to them.

        Lost where it may have been reset and the new password is not known.
        """
        headers = _session_header(session_id) | _NO_MAIL
        answer = self._change(address, "resetPassword", {"userId": user_id}, headers, seconds)
        password = _text(answer, "result", "password")
        if not password:
            raise Lost("the answer to the reset holds no password")
        return SecretStr(password)

    def _change(
        self, address: str, operation: str, arguments: Mapping[str, str], headers: _Headers, seconds: float
    ) -> etree._Element:
        try:
            return _Call(self._transport, seconds).make(address, operation, arguments, headers)
        except OrgRefused as refused:
            if refused.fault.code in faults.MAY_HAVE_APPLIED:
                raise Lost(f"the org answered {refused.fault.code}, which leaves the change open") from refused
            raise


def endpoint(url: str, kind: str, api_version: str) -> str:
    """The address of an org's SOAP API.

    Args:
        url: Scheme and host.
        kind: `partner` or `enterprise`.
        api_version: Such as `64.0`.
    """
    return f"{url.rstrip('/')}/services/Soap/{_LETTERS[kind]}/{api_version}"


class _Call(zeep.transports.Transport):
    """One call: what zeep takes for its transport, and the place where the answer stays."""

    def __init__(self, transport: Transport, seconds: float) -> None:
        # Without zeep's own __init__ and __del__: they open and close a requests session, which nothing here uses.
        self.logger = _LOGGER
        self._transport, self._seconds = transport, seconds
        self._answer: Answer | None = None

    def __del__(self) -> None:
        pass

    def post(self, address: str, message: bytes, headers: Mapping[str, str]) -> "_Response":
        """Send what zeep has written; zeep calls this."""
        request = Request("POST", address, headers, message, _LARGEST_ANSWER)
        self._answer = self._transport.send(request, self._seconds)
        return _Response(self._answer)

    def make(
        self,
        address: str,
        operation: str,
        arguments: Mapping[str, str],
        headers: _Headers | None = None,
    ) -> etree._Element:
        """The element that answers this very operation."""
        if not all(_XML_TEXT.fullmatch(text) for text in arguments.values()):
            raise OrgRefused(faults.NOT_FOR_XML)
        _service(address, self)[operation](**arguments, _soapheaders=headers)
        tree, status = self.tree(), self._answer.status if self._answer else 0
        if fault := _fault(tree):
            raise OrgRefused(fault)
        answer = _at(tree, "Body", f"{operation}Response")
        if status != _OK or answer is None:
            raise Lost(f"the org answered with status {status}, and neither as asked nor with a fault")
        return answer

    def tree(self) -> etree._Element | None:
        """The answer as XML, or None where it is none, or comes with a document type."""
        parser = etree.XMLParser(
            encoding="utf-8",  # which Salesforce writes, whatever else an answer says of itself
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
        )
        try:
            root = etree.fromstring(self._answer.body if self._answer else b"", parser)
        except (etree.XMLSyntaxError, ValueError):
            return None
        information: Any = root.getroottree().docinfo
        return None if information.doctype else root


class _Response:
    """An answer in the form in which zeep takes it from requests."""

    encoding = "utf-8"

    def __init__(self, answer: Answer) -> None:
        self.status_code, self.content = answer.status, answer.body
        self.headers = {"Content-Type": "text/xml"}  # whatever it says: nothing here comes in parts


class _NoTransport(zeep.transports.Transport):
    """For reading the contract, which needs nothing from outside."""

    def __init__(self) -> None:
        self.logger = _LOGGER

    def __del__(self) -> None:
        pass

    def load(self, url: str) -> bytes:
        raise RuntimeError(f"the contract is to be read from itself, not from {url}")


@functools.cache
def _contract(kind: str) -> Any:
    document: Any = Document  # zeep's annotation asks for a transport's class, and its code for a transport
    text = resources.files(__package__).joinpath("partner.wsdl").read_bytes()
    text = text.replace(b"partner.soap.sforce.com", f"{kind}.soap.sforce.com".encode())
    return document(io.BytesIO(text), _NoTransport(), settings=_SETTINGS)


def _service(address: str, transport: zeep.transports.Transport) -> Any:
    client: Any = zeep.Client  # without annotations
    kind = "enterprise" if _ENTERPRISE_PATH.match(address) else "partner"
    binding = f"{{urn:{kind}.soap.sforce.com}}SoapBinding"
    return client(_contract(kind), transport=transport, settings=_SETTINGS).create_service(binding, address)


def _session_header(session_id: SecretStr) -> _Headers:
    return {"SessionHeader": {"sessionId": session_id.reveal()}}


def _login_result(result: etree._Element | None) -> LoginResult | None:
    session_id, server_url = _text(result, "sessionId"), _text(result, "serverUrl")
    user_id, organization_id = _text(result, "userId"), _text(result, "userInfo", "organizationId")
    password_expired = _FLAGS.get(_text(result, "passwordExpired") or "")
    if not session_id or not _SESSION_ID.fullmatch(session_id) or not server_url or password_expired is None:
        return None
    if not user_id or not ID.fullmatch(user_id):
        return None
    return LoginResult(
        session_id=SecretStr(session_id),
        server_url=server_url,
        password_expired=password_expired,
        user_id=user_id,
        organization_id=organization_id if organization_id and ID.fullmatch(organization_id) else "",
        is_sandbox=_FLAGS.get(_text(result, "sandbox") or ""),
    )


def _fault(root: etree._Element | None) -> Fault | None:
    fault = _at(root, "Body", "Fault")
    detail = _at(fault, "detail")
    code = None if detail is None else next((_text(kind, "exceptionCode") for kind in detail.iterchildren("*")), None)
    return faults.decipher_soap(code, _text(fault, "faultcode"), _text(fault, "faultstring"))


def _at(node: etree._Element | None, *path: str) -> etree._Element | None:
    """Go down by local names, whatever the prefixes and namespaces are; what is there twice says nothing.

    Salesforce adds elements and moves them, at which a reading by the contract would stop.
    """
    for name in path:
        if node is None:
            return None
        found = list(node.iterchildren("{*}" + name))
        node = found[0] if len(found) == 1 else None
    return node


def _text(node: etree._Element | None, *path: str) -> str | None:
    found = _at(node, *path)
    return found.text.strip() if found is not None and found.text else None
