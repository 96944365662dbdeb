"""zeep with the vendor's own Partner WSDL, which is not ours to pass on: name a copy in ORGSIM_PARTNER_WSDL."""

import os

import pytest
import zeep
import zeep.exceptions

from salesforce_orgsim.serve import start

WSDL = os.environ.get("ORGSIM_PARTNER_WSDL", "")
USERNAME, PASSWORD, TOKEN = "admin@crm.example", "Admin<&pass1", "A" * 25
APP = "app@crm.example"
USERS = [
    {"username": USERNAME, "password": PASSWORD, "security_token": TOKEN, "manage_users": True},
    {"username": APP, "password": "First-pass-1", "security_token": "T" * 24},
]
BINDING = "{urn:partner.soap.sforce.com}SoapBinding"

pytestmark = pytest.mark.skipif(not WSDL, reason="ORGSIM_PARTNER_WSDL names no copy of the vendor's Partner WSDL")


@pytest.fixture(scope="module")
def client():
    return zeep.Client(WSDL, settings=zeep.Settings(strict=True))


@pytest.fixture
def running():
    with start({"users": USERS}) as running:
        yield running


@pytest.fixture
def soap(client, running):
    """The service in an administrator's session, and the header of that session."""
    entrance = client.create_service(BINDING, f"{running.url}/services/Soap/u/48.0")
    entered = entrance.login(USERNAME, PASSWORD + TOKEN)
    assert entered.userInfo.userName == USERNAME
    assert entered.passwordExpired is entered.sandbox is False
    return client.create_service(BINDING, entered.serverUrl), {"SessionHeader": {"sessionId": entered.sessionId}}


def test_it_queries(soap):
    service, header = soap
    found = service.query("SELECT Id, Username, IsActive FROM User ORDER BY Username", _soapheaders=header).body.result
    assert (found.done, found.size, len(found.records)) == (True, 2, 2)
    assert found.records[0].type == "User"
    assert [element.text for element in found.records[0]._value_1][-2:] == [USERNAME, "true"]


def test_it_asks_who_it_is_and_what_time_it_is(soap):
    service, header = soap
    assert service.getUserInfo(_soapheaders=header).body.result.userName == USERNAME
    assert service.getServerTimestamp(_soapheaders=header).body.result.timestamp.tzinfo


def test_it_changes_sets_and_resets_passwords(soap, running):
    service, header = soap
    user = running.org.user(APP)
    assert service.setPassword(user.id, "Second<&pass2", _soapheaders=header).body.result is None
    assert user.password == "Second<&pass2"
    mail = {"triggerAutoResponseEmail": False, "triggerOtherEmail": False, "triggerUserEmail": True}
    reset = service.resetPassword(user.id, _soapheaders={**header, "EmailHeader": mail})
    assert reset.body.result.password == user.password
    assert service.changeOwnPassword(PASSWORD, "Third<&pass3", _soapheaders=header).body.result is None


def test_it_ends_sessions(soap, running):
    service, header = soap
    doomed = running.org.open_session(running.org.user(APP)).id
    (result,) = service.invalidateSessions([doomed], _soapheaders=header).body.result
    assert result.success is True
    assert running.org.session(doomed) is None
    service.logout(_soapheaders=header)
    assert running.org.session(header["SessionHeader"]["sessionId"]) is None


@pytest.mark.parametrize(
    ("password", "code"), [("wrong", "INVALID_LOGIN"), (PASSWORD, "LOGIN_MUST_USE_SECURITY_TOKEN")]
)
def test_it_reads_the_code_of_a_refused_login(client, running, password, code):
    entrance = client.create_service(BINDING, f"{running.url}/services/Soap/u/48.0")
    with pytest.raises(zeep.exceptions.Fault) as caught:
        entrance.login(USERNAME, password)
    assert caught.value.code == f"sf:{code}"


def test_it_reads_the_code_of_a_refused_password(soap, running):
    service, header = soap
    with pytest.raises(zeep.exceptions.Fault, match="INVALID_NEW_PASSWORD"):
        service.setPassword(running.org.user(APP).id, "short", _soapheaders=header)
