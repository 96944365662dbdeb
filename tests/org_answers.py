"""Salesforce's answers to each call, good ones, and what our code makes of any: for the tests that spoil them."""

import json
import traceback

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.salesforce import oauth, rest
from vault_salesforce_sidecar.salesforce.interface import Lost, NotSent, OrgRefused
from vault_salesforce_sidecar.salesforce.message import Answer
from vault_salesforce_sidecar.salesforce.soap import Soap

MARK = "Zq7leaked"  # in every answer; never in an error
SESSION_ID, USER, ADDRESS = SecretStr("00D!session"), "api@acme.example", "https://x/services/Soap/u/64.0"
OLD, NEW = SecretStr("old-pass"), SecretStr("new-pass")
USER_ID = "005000000000001AAA"
STATUSES = (200, 201, 202, 204, 400, 401, 403, 404, 410, 500, 502, 503)


class Answering:
    """In the place of the transport: the same answer to everything."""

    def __init__(self, status, body):
        self.answer = Answer(status, body)

    def send(self, request, seconds, *, repeatable=False):
        return self.answer


def soap(call):
    return lambda status, body: call(Soap(Answering(status, body)))


LOGINS = {
    "login": soap(lambda api: api.login(ADDRESS, USER, OLD, 1.0)),
    "grant": lambda status, body: oauth.granted(Answer(status, body)),
    "grant by password": lambda status, body: oauth.granted(Answer(status, body), with_password=True),
}
CHANGES = {
    "changeOwnPassword": soap(lambda api: api.change_own_password(ADDRESS, SESSION_ID, OLD, NEW, 1.0)),
    "setPassword": soap(lambda api: api.set_password(ADDRESS, SESSION_ID, USER_ID, NEW, 1.0)),
    "resetPassword": soap(lambda api: api.reset_password(ADDRESS, SESSION_ID, USER_ID, 1.0)),
    "REST change": lambda status, body: rest.was_done(Answer(status, body)),
    "REST reset": lambda status, body: rest.new_password(Answer(status, body)),
    "REST delete": lambda status, body: rest.were_deleted(Answer(status, body), 1),
}
READS = {
    "records": lambda status, body: rest.page(Answer(status, body)),
    "login history": lambda status, body: rest.login_rows(rest.page(Answer(status, body)).records),
    "ids": lambda status, body: [rest.id_of(record) for record in rest.page(Answer(status, body)).records],
    "columns": lambda status, body: rest.columns(Answer(status, body)),
}
CALLS = LOGINS | CHANGES | READS


def envelope(body):
    return (
        '<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns="urn:partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<e:Body>{body}</e:Body></e:Envelope>"
    )


RESULT = (
    "<passwordExpired>false</passwordExpired><sandbox>false</sandbox>"
    f"<serverUrl>https://acme.my.salesforce.com/services/Soap/u/64.0/{MARK}</serverUrl>"
    f"<sessionId>00D!{MARK}</sessionId><userId>{USER_ID}</userId>"
    f"<userInfo><organizationId>00D000000000001EAA</organizationId><userName>{USER}</userName></userInfo>"
)
LOGGED_IN = envelope(f"<loginResponse><result>{RESULT}</result></loginResponse>")
CHANGED = envelope("<changeOwnPasswordResponse><result/></changeOwnPasswordResponse>")
RESET = envelope(f"<resetPasswordResponse><result><password>{MARK}</password></result></resetPasswordResponse>")
FAULT = envelope(
    f"<e:Fault><faultcode>sf:INVALID_LOGIN</faultcode><faultstring>INVALID_LOGIN: {MARK}</faultstring>"
    "<detail><LoginFault><exceptionCode>INVALID_LOGIN</exceptionCode>"
    f"<exceptionMessage>{MARK}</exceptionMessage></LoginFault></detail></e:Fault>"
)
REFUSED = json.dumps([{"errorCode": "INVALID_NEW_PASSWORD", "message": MARK}])
NO_GRANT = json.dumps({"error": "invalid_grant", "error_description": MARK})
RECORDS = json.dumps(
    {"done": True, "records": [{"Id": USER_ID, "Username": MARK, "LoginTime": "2026-11-21T10:00:00.000+0000"}]}
)
GRANT = json.dumps(
    {
        "access_token": f"00D!{MARK}",
        "instance_url": "https://acme.my.salesforce.com",
        "id": f"https://login.salesforce.com/id/00D000000000001EAA/{USER_ID}",
    }
)
GOOD = [text.encode() for text in (LOGGED_IN, CHANGED, RESET, FAULT, REFUSED, NO_GRANT, RECORDS, GRANT)]


def outcome(call, status, body):
    """What a call makes of an answer: a kind of outcome; and nothing of the answer is in the error."""
    try:
        call(status, body)
    except (Lost, OrgRefused, NotSent) as error:
        raised = error
    else:
        return None
    assert MARK not in "".join(traceback.format_exception(raised)) + chain(raised)
    assert not isinstance(raised, OrgRefused) or len(raised.fault.code) <= 80
    return type(raised)


def chain(error):
    if error is None:
        return ""
    return repr(error) + str(error) + repr(vars(error)) + chain(error.__cause__) + chain(error.__context__)
