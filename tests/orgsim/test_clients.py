"""Clients that others wrote: simple-salesforce, and zeep in its strict mode."""

import pytest
import requests
import trustme
import zeep
import zeep.exceptions
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceResourceNotFound,
)

from salesforce_orgsim.serve import TlsFiles, start

USERNAME, PASSWORD, TOKEN = "admin@crm.example", "Admin<&pass1", "A" * 25
APP = "app@crm.example"
USERS = [
    {"username": USERNAME, "password": PASSWORD, "security_token": TOKEN, "manage_users": True},
    {"username": APP, "password": "First-pass-1", "security_token": "T" * 24},
]
BINDING = "{urn:partner.soap.sforce.com}SoapBinding"
LOGIN_ADDRESS = "https://login.salesforce.com"
MY_DOMAIN = "https://crm.my.salesforce.com"

STRINGS = {
    "login": ("username", "password"),
    "getServerTimestamp": (),
    "setPassword": ("userId", "password"),
    "changeOwnPassword": ("oldPassword", "newPassword"),
    "query": ("queryString",),
    "logout": (),
}
RESULTS = {
    "login": """
      <element name="metadataServerUrl" type="xsd:string" nillable="true"/>
      <element name="passwordExpired" type="xsd:boolean"/>
      <element name="sandbox" type="xsd:boolean"/>
      <element name="serverUrl" type="xsd:string" nillable="true"/>
      <element name="sessionId" type="xsd:string" nillable="true"/>
      <element name="userId" type="xsd:string" nillable="true"/>
      <element name="userInfo" minOccurs="0"><complexType><sequence>
        <any maxOccurs="unbounded" processContents="skip"/></sequence></complexType></element>""",
    "getServerTimestamp": '<element name="timestamp" type="xsd:dateTime"/>',
    "setPassword": "",
    "changeOwnPassword": "",
    "query": """
      <element name="done" type="xsd:boolean"/>
      <element name="queryLocator" type="xsd:string" nillable="true"/>
      <element name="records" minOccurs="0" maxOccurs="unbounded" nillable="true"><complexType><sequence>
        <any maxOccurs="unbounded" processContents="skip"/></sequence></complexType></element>
      <element name="size" type="xsd:int"/>""",
}


def wsdl():
    """Write the few operations that are used here as Salesforce's own WSDL declares them."""
    elements = messages = operations = bindings = ""
    for name, arguments in STRINGS.items():
        fields = "".join(f'<element name="{argument}" type="xsd:string"/>' for argument in arguments)
        result = RESULTS.get(name)
        held = f'<element name="result"><complexType><sequence>{result}</sequence></complexType></element>'
        answer = "" if result is None else f"<sequence>{held}</sequence>"
        elements += (
            f'<element name="{name}"><complexType><sequence>{fields}</sequence></complexType></element>'
            f'<element name="{name}Response"><complexType>{answer}</complexType></element>'
        )
        messages += "".join(
            f'<message name="{name}{kind}"><part element="tns:{name}{element}" name="parameters"/></message>'
            for kind, element in (("Request", ""), ("Response", "Response"))
        )
        operations += (
            f'<operation name="{name}"><input message="tns:{name}Request"/>'
            f'<output message="tns:{name}Response"/></operation>'
        )
        header = '<soap:header use="literal" message="tns:Header" part="{}"/>'.format
        before, after = ("", "") if name == "login" else (header("SessionHeader"), header("LimitInfoHeader"))
        bindings += (
            f'<operation name="{name}"><soap:operation soapAction=""/>'
            f'<input>{before}<soap:body parts="parameters" use="literal"/></input>'
            f'<output>{after}<soap:body use="literal"/></output></operation>'
        )
    return f"""<definitions targetNamespace="urn:partner.soap.sforce.com" xmlns="http://schemas.xmlsoap.org/wsdl/"
      xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:tns="urn:partner.soap.sforce.com"
      xmlns:xsd="http://www.w3.org/2001/XMLSchema">
    <types><schema elementFormDefault="qualified" xmlns="http://www.w3.org/2001/XMLSchema"
      targetNamespace="urn:partner.soap.sforce.com">
      <element name="SessionHeader"><complexType><sequence>
        <element name="sessionId" type="xsd:string"/></sequence></complexType></element>
      <element name="LimitInfoHeader"><complexType><sequence>
        <element name="limitInfo" minOccurs="0" maxOccurs="unbounded"><complexType><sequence>
          <element name="current" type="xsd:int"/><element name="limit" type="xsd:int"/>
          <element name="type" type="xsd:string"/></sequence></complexType></element>
      </sequence></complexType></element>
      {elements}</schema></types>
    <message name="Header"><part element="tns:SessionHeader" name="SessionHeader"/>
      <part element="tns:LimitInfoHeader" name="LimitInfoHeader"/></message>
    {messages}<portType name="Soap">{operations}</portType>
    <binding name="SoapBinding" type="tns:Soap">
      <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>{bindings}</binding>
    <service name="SforceService"><port binding="tns:SoapBinding" name="Soap">
      <soap:address location="{LOGIN_ADDRESS}/services/Soap/u/64.0"/></port></service></definitions>"""


class Redirected(HTTPAdapter):
    """Sends what is meant for one of the vendor's hosts to the simulator."""

    def __init__(self, address, url):
        super().__init__()
        self._address, self._url = address, url

    def send(self, request, **how):
        request.url = request.url.replace(self._address, self._url)
        return super().send(request, **how)


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    folder, authority = tmp_path_factory.mktemp("tls"), trustme.CA()
    leaf = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    leaf.private_key_and_cert_chain_pem.write_to_path(folder / "leaf.pem")
    return folder


@pytest.fixture(scope="module")
def server(tls):
    with start({"users": USERS}, tls=TlsFiles(tls / "leaf.pem", tls / "leaf.pem")) as running:
        yield running


@pytest.fixture
def running(server):
    yield server
    requests.post(f"{server.control_url}/reset", timeout=10).raise_for_status()


@pytest.fixture
def session(running, tls):
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(tls / "ca.pem")
        for address in (LOGIN_ADDRESS, MY_DOMAIN):
            session.mount(address, Redirected(address, running.url))
        yield session


@pytest.fixture(scope="module")
def app_key():
    """The key of the app, and its public half as PEM text."""
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture
def app(running, app_key):
    """An app with every flow, in an org that still has the password grant."""
    settings = {
        "client_id": "key-1",
        "client_secret": "secret-1",
        "kind": "connected_app",
        "flows": ["jwt_bearer", "client_credentials", "password"],
        "certificate": app_key[1],
        "preauthorized_users": [USERNAME],
        "run_as": USERNAME,
    }
    requests.post(f"{running.control_url}/apps", json=settings, timeout=10).raise_for_status()
    switch = {"username_password_flow_blocked": False}
    requests.patch(f"{running.control_url}/org", json=switch, timeout=10).raise_for_status()
    return {"consumer_key": "key-1", "session": None}


def salesforce(session, password=PASSWORD, token=TOKEN):
    return Salesforce(username=USERNAME, password=password, security_token=token, session=session)


def test_simple_salesforce_logs_in_and_queries(session):
    client = salesforce(session)
    assert client.query("SELECT Id FROM User")["totalSize"] == 2
    assert client.query_all("SELECT Username FROM User ORDER BY Username")["records"][0]["Username"] == USERNAME
    assert client.User.describe()["name"] == "User"
    assert client.api_usage["api-usage"].total == 100_000


def test_simple_salesforce_sets_the_password_of_another_and_unlocks(session, running):
    client, app = salesforce(session), running.org.user(APP)
    client.set_password(app.id, "Second<&pass2")
    assert app.password == "Second<&pass2"
    row = client.query("SELECT Id FROM UserLogin")["records"][1]
    assert client.UserLogin.update(row["Id"], {"IsFrozen": True}) == 204
    assert client.User.get(app.id)["Username"] == APP
    with pytest.raises(SalesforceMalformedRequest, match="INVALID_NEW_PASSWORD"):
        client.set_password(app.id, "short")
    with pytest.raises(SalesforceResourceNotFound):
        client.set_password(running.org.user(USERNAME).id, "Third-pass-3")


@pytest.mark.parametrize(("token", "code"), [("", "LOGIN_MUST_USE_SECURITY_TOKEN"), ("wrong", "INVALID_LOGIN")])
def test_simple_salesforce_reads_the_code_of_a_refused_login(session, token, code):
    with pytest.raises(SalesforceAuthenticationFailed) as caught:
        salesforce(session, token=token)
    assert caught.value.code == code


def test_simple_salesforce_needs_no_token_from_a_trusted_address(session, running):
    requests.patch(f"{running.control_url}/org", json={"trusted_ranges": ["127.0.0.1"]}, timeout=10).raise_for_status()
    known = {"username": USERNAME, "password": PASSWORD, "session": session}
    for how in ({"organizationId": running.org.id}, {"security_token": ""}):
        assert Salesforce(**known, **how).query("SELECT Id FROM Organization")["totalSize"] == 1


@pytest.mark.parametrize("flow", ["password", "assertion", "secret"])
def test_simple_salesforce_comes_in_by_every_grant(session, app, app_key, flow):
    given = {
        "password": {"username": USERNAME, "password": PASSWORD + TOKEN, "consumer_secret": "secret-1"},
        "assertion": {"username": USERNAME, "privatekey": app_key[0]},
        "secret": {"consumer_secret": "secret-1", "domain": "crm.my"},
    }[flow]
    client = Salesforce(**{**app, "session": session}, **given)
    assert client.query("SELECT Id FROM Organization")["totalSize"] == 1
    assert client.restful("limits")["DailyApiRequests"]["Max"] == 100_000
    (row,) = client.query("SELECT LoginType FROM LoginHistory")["records"]
    assert row["LoginType"] == "Remote Access 2.0"


def test_simple_salesforce_reads_the_refusal_of_a_grant(session, app):
    with pytest.raises(SalesforceAuthenticationFailed, match="invalid client credentials") as caught:
        Salesforce(**{**app, "session": session}, consumer_secret="wrong", domain="crm.my")
    assert caught.value.code == "invalid_client"


def test_simple_salesforce_meets_an_expired_password_at_its_first_call(session, running):
    expired = {"expired": True}
    requests.patch(f"{running.control_url}/users/{USERNAME}", json=expired, timeout=10).raise_for_status()
    client = salesforce(session)
    with pytest.raises(SalesforceExpiredSession, match="INVALID_OPERATION_WITH_EXPIRED_PASSWORD"):
        client.query("SELECT Id FROM User")


@pytest.fixture
def service(running, session, tmp_path):
    (tmp_path / "partner.wsdl").write_text(wsdl())
    transport = zeep.Transport(session=session)
    client = zeep.Client(str(tmp_path / "partner.wsdl"), transport=transport, settings=zeep.Settings(strict=True))
    return lambda address: client.create_service(BINDING, address)


def test_zeep_logs_in_changes_its_own_password_and_logs_out(service, running):
    entered = service(f"{running.url}/services/Soap/u/64.0").login(USERNAME, PASSWORD + TOKEN)
    assert entered.passwordExpired is entered.sandbox is False
    soap, header = service(entered.serverUrl), {"SessionHeader": {"sessionId": entered.sessionId}}
    assert soap.getServerTimestamp(_soapheaders=header).body.result.timestamp is not None
    assert soap.changeOwnPassword(PASSWORD, "Second<&pass2", _soapheaders=header).body.result is None
    assert soap.setPassword(running.org.user(APP).id, "Second-pass-2", _soapheaders=header).body.result is None
    assert soap.logout(_soapheaders=header).header.LimitInfoHeader.limitInfo[0].type == "API REQUESTS"
    assert running.org.user(USERNAME).password == "Second<&pass2"


def test_zeep_queries(service, running):
    entered = service(f"{running.url}/services/Soap/u/64.0").login(USERNAME, PASSWORD + TOKEN)
    header = {"SessionHeader": {"sessionId": entered.sessionId}}
    text = "SELECT Id, Username FROM User ORDER BY Username"
    found = service(entered.serverUrl).query(text, _soapheaders=header).body.result
    assert (found.done, found.queryLocator, found.size) == (True, None, 2)
    names = [{one.tag.rpartition("}")[2]: one.text for one in record._value_1}["Username"] for record in found.records]
    assert names == [USERNAME, APP]


def test_zeep_reads_the_code_of_a_fault(service, running):
    with pytest.raises(zeep.exceptions.Fault, match="INVALID_LOGIN: Invalid username") as caught:
        service(f"{running.url}/services/Soap/u/64.0").login(USERNAME, "wrong")
    assert caught.value.code == "sf:INVALID_LOGIN"
    (code,) = caught.value.detail.iterfind(".//{urn:fault.partner.soap.sforce.com}exceptionCode")
    assert code.text == "INVALID_LOGIN"
