"""SOAP envelopes, in and out."""

import pytest
from lxml import etree

from salesforce_orgsim import envelope
from salesforce_orgsim.envelope import ENTERPRISE, PARTNER, SObject
from salesforce_orgsim.faults import FaultError, MessageError

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
CALL = (
    f'<e:Envelope xmlns:e="{SOAP}" xmlns:m="urn:partner.soap.sforce.com">'
    "<e:Header><m:SessionHeader><m:sessionId>00D!x</m:sessionId></m:SessionHeader></e:Header>"
    "<e:Body><!-- hello --><m:login><m:username>a&amp;b</m:username><m:password>&lt;p</m:password></m:login></e:Body>"
    "</e:Envelope>"
)


def test_a_call_is_read_with_its_arguments_and_headers():
    call = envelope.parse(CALL.encode())
    assert (call.namespace, call.operation) == ("urn:partner.soap.sforce.com", "login")
    assert call.arguments == {"username": "a&b", "password": "<p"}
    assert call.headers == {"SessionHeader": {"sessionId": "00D!x"}}
    assert "<p" not in repr(call)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<html/>",
        f'<e:Envelope xmlns:e="{SOAP}"/>'.encode(),
        f'<e:Envelope xmlns:e="{SOAP}"><e:Body/></e:Envelope>'.encode(),
        f'<e:Envelope xmlns:e="{SOAP}"><e:Body><a/><b/></e:Body></e:Envelope>'.encode(),
        b"<!DOCTYPE x><x/>",
        ('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + CALL.replace("a&amp;b", "&e;")).encode(),
        ("<!DOCTYPE x>" + CALL).encode("utf-16"),
        CALL.encode() + b" " * envelope.LARGEST_BODY_BYTES,
    ],
)
def test_what_is_no_plain_envelope_is_refused(body):
    with pytest.raises(MessageError):
        envelope.parse(body)


def test_an_entity_bomb_is_refused_without_being_blown_up():
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(12))
    with pytest.raises(MessageError):
        envelope.parse(f'<!DOCTYPE x [<!ENTITY e0 "x">{entities}]>{CALL.replace("a&amp;b", "&e12;")}'.encode())


def test_an_answer_has_the_message_namespace_as_default_and_nils_for_nothing():
    body = envelope.success(PARTNER, "login", [(("a", None), ("b", True), ("c", 3), ("d", (("e", "<&"),)))], None)
    text = body.decode()
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope ')
    assert 'xmlns="urn:partner.soap.sforce.com"' in text
    assert '<soapenv:Body><loginResponse><result><a xsi:nil="true"/><b>true</b><c>3</c><d><e>&lt;&amp;</e></d>' in text


def test_an_empty_result_is_an_empty_element_and_no_result_is_none():
    assert b"<setPasswordResponse><result/></setPasswordResponse>" in envelope.success(
        PARTNER, "setPassword", [()], None
    )
    assert b"<logoutResponse/>" in envelope.success(PARTNER, "logout", [], None)


def test_the_limit_header_comes_before_the_body():
    root = etree.fromstring(envelope.success(ENTERPRISE, "logout", [], (3, 100)))
    assert [etree.QName(child).localname for child in root] == ["Header", "Body"]
    info = root.find(".//{urn:enterprise.soap.sforce.com}limitInfo")
    assert info is not None
    assert [(etree.QName(child).localname, child.text) for child in info] == [
        ("current", "3"),
        ("limit", "100"),
        ("type", "API REQUESTS"),
    ]


@pytest.mark.parametrize(("prefixed", "code"), [(True, "sf:INVALID_LOGIN"), (False, "INVALID_LOGIN")])
def test_a_fault_has_the_vendors_shape_in_both_styles(prefixed, code):
    text = envelope.refusal(PARTNER, "login", FaultError("INVALID_LOGIN", "No."), prefixed=prefixed).decode()
    assert (
        f"<soapenv:Fault><faultcode>{code}</faultcode><faultstring>INVALID_LOGIN: No.</faultstring><detail>"
        '<sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode>'
        "<sf:exceptionMessage>No.</sf:exceptionMessage></sf:LoginFault></detail></soapenv:Fault>"
    ) in text
    assert 'xmlns:sf="urn:fault.partner.soap.sforce.com"' in text


def test_login_faults_are_unexpected_errors_on_other_calls():
    body = envelope.refusal(PARTNER, "getUserInfo", FaultError("API_DISABLED_FOR_ORG"), prefixed=True)
    assert b"sf:UnexpectedErrorFault" in body


def test_a_message_that_cannot_be_used_is_the_clients_fault():
    body = envelope.refusal(ENTERPRISE, "unknown", MessageError("Bad."), prefixed=True)
    assert b"<faultcode>soapenv:Client</faultcode><faultstring>Bad.</faultstring></soapenv:Fault>" in body


def test_an_element_that_is_repeated_is_kept_whole():
    body = CALL.replace("</m:login>", "<m:username>c</m:username></m:login>")
    assert envelope.parse(body.encode()).repeated == ("a&b", "<p", "c")


def test_a_partner_record_begins_with_type_and_id_and_an_enterprise_record_is_of_its_kind():
    result = (("records", SObject("User", (("Id", "005"), ("Name", None)))), ("size", 1))
    partner = envelope.success(PARTNER, "query", [result], None).decode()
    assert (
        '<records xsi:type="sf:sObject"><sf:type>User</sf:type><sf:Id>005</sf:Id><sf:Id>005</sf:Id>'
        '<sf:Name xsi:nil="true"/></records><size>1</size>'
    ) in partner
    assert 'xmlns:sf="urn:sobject.partner.soap.sforce.com"' in partner
    enterprise = envelope.success(ENTERPRISE, "query", [result], None).decode()
    assert '<records xsi:type="sf:User"><sf:Id>005</sf:Id><sf:Name xsi:nil="true"/></records>' in enterprise
