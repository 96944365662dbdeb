"""SOAP 1.1 envelopes: hardened XML in, and out in the very form that Salesforce writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from lxml import etree

from .faults import LOGIN_FAULT, UNEXPECTED_FAULT, FaultError, MessageError

LARGEST_BODY_BYTES = 1 << 20
CONTENT_TYPE = "text/xml; charset=UTF-8"

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"

Value: TypeAlias = "str | bool | int | float | SObject | Fields | None"
Fields: TypeAlias = Sequence[tuple[str, "Value"]]

_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>'


@dataclass(frozen=True)
class Dialect:
    """One of the two forms of the API: its letter in the address, its namespaces, and its name in LoginHistory."""

    letter: str
    namespace: str
    faults: str
    records: str
    api_type: str


def _dialect(letter: str, name: str) -> Dialect:
    low = name.lower()
    messages, faults, records = (f"urn:{part}{low}.soap.sforce.com" for part in ("", "fault.", "sobject."))
    return Dialect(letter, messages, faults, records, f"SOAP {name}")


PARTNER, ENTERPRISE = _dialect("u", "Partner"), _dialect("c", "Enterprise")
DIALECTS = {dialect.letter: dialect for dialect in (PARTNER, ENTERPRISE)}


@dataclass(frozen=True)
class SObject:
    """A record: the kind of its object, and its fields in the namespace of records."""

    kind: str
    fields: "Fields"


@dataclass(frozen=True)
class Call:
    """A request: the operation with its arguments, of which one may be repeated, and the headers by name."""

    namespace: str
    operation: str
    arguments: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, Mapping[str, str]] = field(repr=False)
    repeated: Sequence[str] = field(default=(), repr=False)


def parse(body: bytes) -> Call:
    """Read a request.

    Raises:
        MessageError: It is too large, no XML, XML with a document type, or no envelope with one operation.
    """
    if len(body) > LARGEST_BODY_BYTES:
        raise MessageError("The message is too large.")
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise MessageError("The message is not well-formed XML.") from error
    # The stubs know less of lxml than lxml does, here and below.
    docinfo: Any = root.getroottree().docinfo
    if docinfo.doctype:
        raise MessageError("A message must not bring a document type.")
    if root.tag != f"{{{SOAP}}}Envelope":
        raise MessageError("The message is not a SOAP 1.1 envelope.")
    content = root.find(f"{{{SOAP}}}Body")
    if content is None or len(content) != 1:
        raise MessageError("The body must hold one operation.")
    header = root.find(f"{{{SOAP}}}Header")
    name = etree.QName(content[0])
    return Call(
        namespace=name.namespace or "",
        operation=name.localname,
        arguments=_children(content[0]),
        repeated=tuple(child.text or "" for child in content[0]),
        headers={} if header is None else {etree.QName(block).localname: _children(block) for block in header},
    )


def success(dialect: Dialect, operation: str, results: Sequence[Fields], limit: tuple[int, int] | None) -> bytes:
    """Write an answer.

    Args:
        dialect: Whose namespace the answer is in.
        operation: The operation answered.
        results: Its results, each in the order of the WSDL; most operations have one, and some have none.
        limit: API requests used and allowed, for the operations that say so in a header.
    """
    nsmap: Any = {"soapenv": SOAP, None: dialect.namespace, "xsi": XSI}
    if operation in {"query", "queryMore"}:
        nsmap["sf"] = dialect.records
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap=nsmap)
    if limit is not None:
        header = etree.SubElement(envelope, f"{{{SOAP}}}Header")
        used, allowed = limit
        info: Fields = (("limitInfo", (("current", used), ("limit", allowed), ("type", "API REQUESTS"))),)
        _append(header, dialect.namespace, "LimitInfoHeader", info)
    body = etree.SubElement(envelope, f"{{{SOAP}}}Body")
    _append(body, dialect.namespace, f"{operation}Response", tuple(("result", result) for result in results), dialect)
    return _DECLARATION + etree.tostring(envelope)


def refusal(dialect: Dialect, operation: str, error: FaultError | MessageError, *, prefixed: bool) -> bytes:
    """Write a fault.

    Args:
        dialect: Whose fault namespace is used.
        operation: The operation refused; login() has a fault element of its own.
        error: Why.
        prefixed: Whether the fault code carries the prefix of the fault namespace.
    """
    nsmap = {"soapenv": SOAP, "sf": dialect.faults, "xsi": XSI}
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap=nsmap)
    fault = etree.SubElement(etree.SubElement(envelope, f"{{{SOAP}}}Body"), f"{{{SOAP}}}Fault")
    if isinstance(error, MessageError):
        _append(fault, "", "faultcode", error.code)
        _append(fault, "", "faultstring", str(error))
        return _DECLARATION + etree.tostring(envelope)
    _append(fault, "", "faultcode", f"sf:{error.code}" if prefixed else error.code)
    _append(fault, "", "faultstring", str(error))
    element = error.kind.element
    if element == LOGIN_FAULT and operation != "login":
        element = UNEXPECTED_FAULT
    detail = etree.SubElement(fault, "detail")
    holder = etree.SubElement(detail, f"{{{dialect.faults}}}{element}")
    holder.set(f"{{{XSI}}}type", f"sf:{element}")
    _append(holder, dialect.faults, "exceptionCode", error.code)
    _append(holder, dialect.faults, "exceptionMessage", error.message)
    return _DECLARATION + etree.tostring(envelope)


def _children(element: etree._Element) -> dict[str, str]:
    return {etree.QName(child).localname: child.text or "" for child in element}


def _append(parent: etree._Element, namespace: str, name: str, value: Value, dialect: Dialect = PARTNER) -> None:
    child = etree.SubElement(parent, f"{{{namespace}}}{name}" if namespace else name)
    if value is None:
        child.set(f"{{{XSI}}}nil", "true")
    elif isinstance(value, bool):
        child.text = "true" if value else "false"
    elif isinstance(value, str | int | float):
        child.text = str(value)
    elif isinstance(value, SObject):
        _append_record(child, value, dialect)
    else:
        for field_name, field_value in value:
            _append(child, namespace, field_name, field_value, dialect)


def _append_record(element: etree._Element, record: SObject, dialect: Dialect) -> None:
    fields = list(record.fields)
    record_id = next((value for name, value in fields if name == "Id"), None)
    if dialect is PARTNER:
        # The type and the id come first, and the id once more if it was asked for.
        element.set(f"{{{XSI}}}type", "sf:sObject")
        fields = [("type", record.kind), ("Id", record_id), *fields]
    else:
        element.set(f"{{{XSI}}}type", f"sf:{record.kind}")
        fields = [("Id", record_id), *(field for field in fields if field[0] != "Id")]
    for name, value in fields:
        _append(element, dialect.records, name, value, dialect)
