"""The Partner API over SOAP. The only module that imports zeep."""

import functools
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
from vault_salesforce_sidecar.salesforce.interface import Fault, Lost, NotSent, OrgRefused
from vault_salesforce_sidecar.salesforce.message import Answer, Request
from vault_salesforce_sidecar.salesforce.transport import Transport

_BINDING = "{urn:partner.soap.sforce.com}SoapBinding"
_SETTINGS = zeep.Settings(strict=True, xml_huge_tree=False, forbid_dtd=True, forbid_entities=True, forbid_external=True)
_LARGEST_ANSWER = 256 * 1024  # the answer to a login is about 2 KiB
_OK = 200
_SESSION_ID = re.compile(r"[!-~]{1,8192}")  # opaque, but it goes into a header
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
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
        result = call.make(address, "login", {"username": username, "password": secret.reveal()})
        found = _by_name(call.tree()) if result is None else _by_contract(result)
        if found is None:
            raise Lost("the answer to the login cannot be read")
        return found

    def change_own_password(
        self, address: str, session_id: SecretStr, old: SecretStr, new: SecretStr, seconds: float
    ) -> None:
        """Change the password of the session's user. A fault that leaves open whether it was changed is Lost."""
        call = _Call(self._transport, seconds)
        arguments = {"oldPassword": old.reveal(), "newPassword": new.reveal()}
        try:
            call.make(address, "changeOwnPassword", arguments, session_id)
        except OrgRefused as refused:
            if refused.fault.code in faults.MAY_HAVE_APPLIED:
                raise Lost(f"the org answered {refused.fault.code}, which leaves the change open") from refused
            raise


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
        self, address: str, operation: str, arguments: Mapping[str, str], session_id: SecretStr | None = None
    ) -> Any:
        """What zeep reads in the answer; None where it is the right one and yet not as the contract says.

        No exception of zeep's is kept as a cause: they hold whole answers, session ids included.
        """
        if not all(_XML_TEXT.fullmatch(text) for text in arguments.values()):
            raise OrgRefused(faults.NOT_FOR_XML)
        headers = {"SessionHeader": {"sessionId": session_id.reveal()}} if session_id else None
        result = None
        try:
            result = _service(address, self)[operation](**arguments, _soapheaders=headers)
        except (Lost, NotSent):
            raise
        except Exception:  # a hostile answer may break zeep anywhere
            if self._answer is None:
                raise
        tree, status = self.tree(), self._answer.status if self._answer else 0
        if fault := _fault(tree):
            raise OrgRefused(fault)
        # zeep takes the answer to another operation for this one, if its contents fit.
        if status != _OK or _at(tree, "Body", f"{operation}Response") is None:
            raise Lost(f"the org answered with status {status}, and neither as asked nor with a fault")
        return result

    def tree(self) -> etree._Element | None:
        """The answer as XML, or None where it is none, or comes with a document type."""
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
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
def _contract() -> Any:
    document: Any = Document  # zeep's annotation asks for a transport's class, and its code for a transport
    with resources.files(__package__).joinpath("partner.wsdl").open("rb") as file:
        return document(file, _NoTransport(), settings=_SETTINGS)


def _service(address: str, transport: zeep.transports.Transport) -> Any:
    client: Any = zeep.Client  # without annotations
    return client(_contract(), transport=transport, settings=_SETTINGS).create_service(_BINDING, address)


def _by_contract(result: Any) -> LoginResult | None:
    return _login_result(
        session_id=result.sessionId,
        server_url=result.serverUrl,
        user_id=result.userId,
        password_expired=result.passwordExpired,
        organization_id=result.userInfo.organizationId if result.userInfo else None,
    )


def _by_name(root: etree._Element | None) -> LoginResult | None:
    """What is needed, wherever it stands: Salesforce adds elements, at which the strict reading stops."""
    result = _at(root, "Body", "loginResponse", "result")
    expired = {"true": True, "1": True, "false": False, "0": False}
    return _login_result(
        session_id=_text(result, "sessionId"),
        server_url=_text(result, "serverUrl"),
        user_id=_text(result, "userId"),
        password_expired=expired.get(_text(result, "passwordExpired") or ""),
        organization_id=_text(result, "userInfo", "organizationId"),
    )


def _login_result(
    *,
    session_id: str | None,
    server_url: str | None,
    user_id: str | None,
    password_expired: bool | None,
    organization_id: str | None,
) -> LoginResult | None:
    if not session_id or not _SESSION_ID.fullmatch(session_id) or not server_url or password_expired is None:
        return None
    if not user_id or not _ID.fullmatch(user_id):
        return None
    return LoginResult(SecretStr(session_id), server_url, password_expired, user_id, organization_id or "")


def _fault(root: etree._Element | None) -> Fault | None:
    fault = _at(root, "Body", "Fault")
    detail = _at(fault, "detail")
    code = None if detail is None else next((_text(kind, "exceptionCode") for kind in detail.iterchildren("*")), None)
    return faults.decipher_soap(code, _text(fault, "faultcode"), _text(fault, "faultstring"))


def _at(node: etree._Element | None, *path: str) -> etree._Element | None:
    """Go down by local names, whatever the prefixes and namespaces are."""
    for name in path:
        if node is None:
            return None
        node = next((child for child in node.iterchildren("{*}" + name)), None)
    return node


def _text(node: etree._Element | None, *path: str) -> str | None:
    found = _at(node, *path)
    return found.text.strip() if found is not None and found.text else None
