"""The SOAP APIs: what zeep reads, what is read where zeep stops, and what nobody reads."""

import logging
import re
import traceback

import pytest

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.salesforce.hosts import AllowedHosts
from vault_salesforce_sidecar.salesforce.interface import Lost, NotSent, OrgRefused
from vault_salesforce_sidecar.salesforce.soap import Soap, endpoint
from vault_salesforce_sidecar.salesforce.tls import tls_context
from vault_salesforce_sidecar.salesforce.transport import Transport

SECONDS = 10.0
USERNAME, PASSWORD, OLD = "api@acme.example", "Pa55&<word>", "0ld&<word>"
SESSION_ID = "00D000000000001!AQ8AQsecretsession"
USER_INFO = """<userInfo><accessibilityMode>false</accessibilityMode><chatterExternal>false</chatterExternal>
<currencySymbol xsi:nil="true"/><orgAttachmentFileSizeLimit>5242880</orgAttachmentFileSizeLimit>
<orgDefaultCurrencyIsoCode>EUR</orgDefaultCurrencyIsoCode><orgDefaultCurrencyLocale xsi:nil="true"/>
<orgDisallowHtmlAttachments>false</orgDisallowHtmlAttachments><orgHasPersonAccounts>false</orgHasPersonAccounts>
<organizationId>00D000000000001EAA</organizationId><organizationMultiCurrency>false</organizationMultiCurrency>
<organizationName>Acme</organizationName><profileId>00e000000000001AAA</profileId><roleId xsi:nil="true"/>
<sessionSecondsValid>7200</sessionSecondsValid><userDefaultCurrencyIsoCode xsi:nil="true"/>
<userEmail>api@acme.example</userEmail><userFullName>API</userFullName><userId>005000000000001AAA</userId>
<userLanguage>en_US</userLanguage><userLocale>en_US</userLocale><userName>api@acme.example</userName>
<userTimeZone>Europe/Berlin</userTimeZone><userType>Standard</userType><userUiSkin>Theme3</userUiSkin></userInfo>"""
RESULT = f"""<metadataServerUrl>https://acme.my.salesforce.com/services/Soap/m/64.0/00D000000000001</metadataServerUrl>
<passwordExpired>false</passwordExpired><sandbox>false</sandbox>
<serverUrl>https://acme.my.salesforce.com/services/Soap/u/64.0/00D000000000001</serverUrl>
<sessionId>{SESSION_ID}</sessionId><userId>005000000000001AAA</userId>{USER_INFO}"""
LIMITS = (
    "<soapenv:Header><LimitInfoHeader><limitInfo><current>3</current><limit>9</limit><type>API REQUESTS</type>"
    "</limitInfo></LimitInfoHeader></soapenv:Header>"
)


def envelope(body, header=""):
    return (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
        'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{header}<soapenv:Body>{body}</soapenv:Body>'
        "</soapenv:Envelope>"
    )


def logged_in(result=RESULT):
    return envelope(f"<loginResponse><result>{result}</result></loginResponse>")


def fault(code, faultcode=None, kind="LoginFault"):
    return (
        '<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<soapenv:Body><soapenv:Fault><faultcode>{faultcode or 'sf:' + code}</faultcode>"
        f"<faultstring>{code}: some text: {PASSWORD.replace('&', '&amp;').replace('<', '&lt;')}</faultstring>"
        f'<detail><sf:{kind} xsi:type="sf:{kind}"><sf:exceptionCode>{code}</sf:exceptionCode>'
        f"<sf:exceptionMessage>some text</sf:exceptionMessage></sf:{kind}></detail>"
        "</soapenv:Fault></soapenv:Body></soapenv:Envelope>"
    )


@pytest.fixture
def call(servers):
    """Log in at a server that answers so; or call what is given."""

    def call(sent, status="200 OK", kind="text/xml; charset=UTF-8", do=None):
        server = servers.answering(servers.answer(sent, status, kind))
        call.server = server
        transport = Transport(AllowedHosts(server.url), tls_context(""))
        try:
            return (do or log_in)(Soap(transport), f"{server.url}/services/Soap/u/64.0")
        finally:
            transport.close()

    return call


def log_in(soap, address):
    return soap.login(address, USERNAME, SecretStr(PASSWORD), SECONDS)


def change(soap, address):
    soap.change_own_password(address, SecretStr(SESSION_ID), SecretStr(OLD), SecretStr(PASSWORD), SECONDS)


def test_a_login_says_who_and_where(call):
    result = call(logged_in())
    assert result.session_id.reveal() == SESSION_ID
    assert result.server_url == "https://acme.my.salesforce.com/services/Soap/u/64.0/00D000000000001"
    assert (result.user_id, result.organization_id) == ("005000000000001AAA", "00D000000000001EAA")
    assert result.password_expired is False


def test_the_request_is_what_salesforce_reads(call):
    call(logged_in())
    head, _, body = call.server.requests[0].partition(b"\r\n\r\n")
    assert re.search(rb'(?im)^soapaction: ""\r$', head)
    assert re.search(rb"(?im)^content-type: text/xml; charset=utf-8\r?$", head)
    assert b"<ns0:username>api@acme.example</ns0:username><ns0:password>Pa55&amp;&lt;word&gt;</ns0:password>" in body
    assert b"Header" not in body


def test_an_expired_password_is_told(call):
    assert call(logged_in(RESULT.replace("<passwordExpired>false", "<passwordExpired>true"))).password_expired is True


@pytest.mark.parametrize(
    "changed",
    [
        lambda text: text.replace("<sandbox>", "<upgradeMessage>x</upgradeMessage><sandbox>"),
        lambda text: text.replace("<sandbox>false</sandbox>", ""),
        lambda text: (
            text.replace("<passwordExpired>false</passwordExpired>", "") + "<passwordExpired>0</passwordExpired>"
        ),
        lambda text: text.replace("<userLanguage>", "<userFavourite>tea</userFavourite><userLanguage>"),
        lambda text: text.replace("<sessionSecondsValid>7200", "<sessionSecondsValid>long"),
        lambda text: text.replace(" xsi:nil", " unheard:of"),
        lambda text: text.replace(USER_INFO, ""),
    ],
    ids=[
        "a new element",
        "one less",
        "another order",
        "a new detail",
        "another type",
        "another namespace",
        "no details",
    ],
)
def test_what_salesforce_adds_or_moves_does_not_stop_a_login(call, changed):
    body = logged_in(changed(RESULT)).replace("<soapenv:Envelope", '<soapenv:Envelope xmlns:unheard="urn:unheard"', 1)
    result = call(body)
    assert result.session_id.reveal() == SESSION_ID
    assert result.user_id == "005000000000001AAA"
    assert result.password_expired is False
    assert result.organization_id in ("00D000000000001EAA", "")


@pytest.mark.parametrize(
    "body",
    [
        logged_in(RESULT.replace(SESSION_ID, "")),
        logged_in(RESULT.replace(SESSION_ID, "two\nlines")),
        logged_in(RESULT.replace("<userId>005000000000001AAA</userId><userInfo>", "<userId>../..</userId><userInfo>")),
        logged_in(RESULT.replace("<passwordExpired>false</passwordExpired>", "")),
        logged_in("<sessionId>x</sessionId>"),
        logged_in()[:-40],
        logged_in().replace('<?xml version="1.0" encoding="UTF-8"?>', "<!DOCTYPE soapenv:Envelope>"),
        logged_in().replace(
            '<?xml version="1.0" encoding="UTF-8"?>', '<!DOCTYPE x [<!ENTITY s SYSTEM "file:///etc/passwd">]>'
        ),
        envelope("<elseResponse/>"),
        logged_in().replace("loginResponse", "getUserInfoResponse"),
        "<html><body>Please sign in</body></html>",
        "<!DOCTYPE html><html><body>We are down for maintenance.<br></body></html>",
        "",
        "\x00",
        "<a>" * 5000,
    ],
)
def test_an_answer_that_is_no_login_result_is_lost(call, body):
    with pytest.raises(Lost):
        call(body)


@pytest.mark.parametrize("status", ["200 OK", "400 Bad", "500 Internal Server Error", "503 Unavailable"])
@pytest.mark.parametrize("faultcode", ["sf:INVALID_LOGIN", "INVALID_LOGIN"])
def test_a_fault_is_an_answer_whatever_its_status(call, status, faultcode):
    with pytest.raises(OrgRefused) as refused:
        call(fault("INVALID_LOGIN", faultcode), status)
    assert refused.value.fault.code == "INVALID_LOGIN"
    assert refused.value.fault.counts


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("500 Oh", "<html><body>Oh</body></html>"),
        ("503 Unavailable", "<!DOCTYPE html><html><p>We are down for maintenance.</html>"),
        ("500 Oh", ""),
        ("500 Oh", logged_in()),
        ("302 Found", ""),
        ("404 Not Found", "<html/>"),
        ("500 Oh", fault("x").replace("x:", "", 1).replace("sf:x", "soapenv:Client").replace(">x<", "><")),
        ("202 Accepted", ""),
        ("204 No Content", ""),
    ],
)
@pytest.mark.parametrize("do", [log_in, change], ids=["login", "change"])
def test_an_answer_without_a_fault_of_salesforces_is_lost(call, do, status, body):
    with pytest.raises(Lost):
        call(body, status, "text/html", do)


def test_a_change_names_both_passwords_in_its_session(call):
    done = envelope("<changeOwnPasswordResponse><result/></changeOwnPasswordResponse>", LIMITS)
    assert call(done, do=change) is None
    body = call.server.requests[0].decode()
    assert re.search(rf"<\w+:SessionHeader[^>]*><\w+:sessionId>{re.escape(SESSION_ID)}</", body)
    assert "<ns0:oldPassword>0ld&amp;&lt;word&gt;</ns0:oldPassword>" in body
    assert "<ns0:newPassword>Pa55&amp;&lt;word&gt;</ns0:newPassword>" in body


@pytest.mark.parametrize(
    "header", ["", LIMITS, "<soapenv:Header><NewHeader>x</NewHeader></soapenv:Header>"], ids=["none", "limits", "new"]
)
def test_a_change_is_done_with_whatever_headers(call, header):
    body = "<changeOwnPasswordResponse><result><news>x</news></result></changeOwnPasswordResponse>"
    assert call(envelope(body, header), do=change) is None


@pytest.mark.parametrize("body", [logged_in(), envelope(""), "", "<html/>"])
def test_a_change_that_is_answered_by_something_else_is_lost(call, body):
    with pytest.raises(Lost):
        call(body, do=change)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("INVALID_NEW_PASSWORD", "InvalidNewPasswordFault"),
        ("INVALID_OLD_PASSWORD", "InvalidOldPasswordFault"),
        ("INVALID_SESSION_ID", "UnexpectedErrorFault"),
    ],
)
def test_a_change_may_be_refused(call, code, kind):
    with pytest.raises(OrgRefused) as refused:
        call(fault(code, kind=kind), "500 Oh", do=change)
    assert refused.value.fault.code == code


@pytest.mark.parametrize("code", ["UNKNOWN_EXCEPTION", "SERVER_UNAVAILABLE", "UNABLE_TO_LOCK_ROW"])
def test_a_fault_that_leaves_a_change_open_is_lost_and_at_a_login_an_answer(call, code):
    with pytest.raises(Lost, match=code):
        call(fault(code, kind="UnexpectedErrorFault"), "500 Oh", do=change)
    with pytest.raises(OrgRefused):
        call(fault(code, kind="UnexpectedErrorFault"), "500 Oh")


def set_password(soap, address):
    soap.set_password(address, SecretStr(SESSION_ID), "005000000000002AAA", SecretStr(PASSWORD), SECONDS)


def reset_password(soap, address):
    return soap.reset_password(address, SecretStr(SESSION_ID), "005000000000002AAA", SECONDS)


def test_an_administrator_names_the_user_and_the_new_password(call):
    call(envelope("<setPasswordResponse><result/></setPasswordResponse>", LIMITS), do=set_password)
    body = call.server.requests[0]
    assert b":userId>005000000000002AAA<" in body
    assert b":password>Pa55&amp;&lt;word&gt;<" in body
    assert SESSION_ID.encode() in body


def test_a_reset_asks_for_no_mail_and_gives_the_new_password(call):
    done = "<resetPasswordResponse><result><password>r4ndom&amp;</password></result></resetPasswordResponse>"
    assert call(envelope(done, LIMITS), do=reset_password) == SecretStr("r4ndom&")
    body = call.server.requests[0]
    for name in (b"triggerAutoResponseEmail", b"triggerOtherEmail", b"triggerUserEmail"):
        assert b":%b>false<" % name in body


@pytest.mark.parametrize("result", ["", "<password/>", "<other>x</other>"])
def test_a_reset_without_a_password_is_lost(call, result):
    body = envelope(f"<resetPasswordResponse><result>{result}</result></resetPasswordResponse>", LIMITS)
    with pytest.raises(Lost):
        call(body, do=reset_password)


@pytest.mark.parametrize("do", [set_password, reset_password])
def test_a_change_by_an_administrator_may_be_refused_or_left_open(call, do):
    with pytest.raises(OrgRefused, match="INSUFFICIENT_ACCESS"):
        call(fault("INSUFFICIENT_ACCESS", kind="UnexpectedErrorFault"), "500 Error", do=do)
    with pytest.raises(Lost):
        call(fault("UNKNOWN_EXCEPTION", kind="UnexpectedErrorFault"), "500 Error", do=do)


@pytest.mark.parametrize(("kind", "letter"), [("partner", "u"), ("enterprise", "c")])
def test_the_address_decides_the_namespace_and_answers_of_both_are_read(servers, kind, letter):
    body = logged_in().replace("urn:partner.soap", f"urn:{kind}.soap")
    server = servers.answering(servers.answer(body))
    transport = Transport(AllowedHosts(server.url), tls_context(""))
    address = endpoint(f"{server.url}/", kind, "64.0")
    assert address == f"{server.url}/services/Soap/{letter}/64.0"
    result = Soap(transport).login(address, USERNAME, SecretStr(PASSWORD), SECONDS)
    transport.close()
    assert (result.session_id.reveal(), result.organization_id) == (SESSION_ID, "00D000000000001EAA")
    assert f'"urn:{kind}.soap.sforce.com"'.encode() in server.requests[0]


@pytest.mark.parametrize("secret", ["bell\x07", "half\ud800", "null\x00"])
def test_what_xml_cannot_carry_is_not_sent(call, secret):
    with pytest.raises(OrgRefused) as refused:
        call(logged_in(), do=lambda soap, address: soap.login(address, USERNAME, SecretStr(secret), SECONDS))
    assert refused.value.fault.code == "not_for_xml"
    assert not call.server.requests


def test_an_address_elsewhere_is_not_called(call):
    with pytest.raises(NotSent):
        call(logged_in(), do=lambda soap, _: log_in(soap, "https://evil.example/services/Soap/u/64.0"))


@pytest.mark.parametrize("do", [log_in, change])
@pytest.mark.parametrize("sent_as", [("200 OK", "text/xml"), ("500 Oh", "text/html"), ("200 OK", "multipart/related")])
@pytest.mark.parametrize("shape", ["{secrets}", "<x>{xml}</x>", "fault", "login"])
def test_no_secret_is_in_an_error_or_a_log(call, caplog, do, sent_as, shape):
    caplog.set_level(logging.DEBUG)
    secrets = [PASSWORD, OLD, SESSION_ID]
    escaped = " ".join(secrets).replace("&", "&amp;").replace("<", "&lt;")
    body = {
        "fault": fault("INVALID_LOGIN").replace("some text", escaped),
        "login": logged_in(RESULT.replace("<sandbox>", "<sandbox><x/>").replace("005000000000001AAA", "no id")),
    }.get(shape, shape.format(secrets=" ".join(secrets), xml=escaped))
    told = caplog.text
    try:
        call(body, *sent_as, do)
    except (Lost, OrgRefused) as error:
        told += "".join(traceback.format_exception(error)) + whole_chain(error)
    told += caplog.text
    assert not [secret for secret in secrets if secret in told or repr(secret)[1:-1] in told]


def whole_chain(error):
    if error is None:
        return ""
    return repr(error) + repr(vars(error)) + whole_chain(error.__cause__) + whole_chain(error.__context__)


def test_zeeps_own_log_of_envelopes_is_off():
    assert not logging.getLogger("zeep.transports").isEnabledFor(logging.DEBUG)
