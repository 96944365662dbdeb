"""The REST calls, as values."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.salesforce import rest
from vault_salesforce_sidecar.salesforce.interface import Lost, OrgRefused, Session
from vault_salesforce_sidecar.salesforce.message import Answer

SESSION = Session(
    id=SecretStr("00D!abc"),
    server_url="https://acme.my.salesforce.com/services/Soap/u/64.0/00D",
    username="admin@acme.example",
    user_id="005000000000001AAA",
    organization_id="00D000000000001EAA",
)


def soql(request):
    parts = urlsplit(request.url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://acme.my.salesforce.com/services/data/v64.0/query"
    assert request.headers["Authorization"] == "Bearer 00D!abc"
    return parse_qs(parts.query)["q"][0]


def refusal(code, status):
    return Answer(status, json.dumps([{"errorCode": code, "message": "no"}]).encode())


def test_a_user_is_asked_for_by_name():
    request = rest.user_request(SESSION, "64.0", "o'neil@acme.example", with_failed_logins=True)
    assert soql(request) == (
        "SELECT Id, Username, IsActive, LastPasswordChangeDate, NumberOfFailedLogins FROM User "
        r"WHERE Username = 'o\'neil@acme.example'"
    )
    assert "NumberOfFailedLogins" not in soql(rest.user_request(SESSION, "64.0", "x", with_failed_logins=False))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain@acme.example", "'plain@acme.example'"),
        (r"back\slash", r"'back\\slash'"),
        ("' OR Username LIKE '%", r"'\' OR Username LIKE \'%'"),
        ("\\' OR '1", r"'\\\' OR \'1'"),
        ('a"b\nc\td\re', r"'a\"b\nc\td\re'"),
    ],
)
def test_a_literal_cannot_be_left(text, written):
    assert rest.literal(text) == written


def test_a_users_lock_is_asked_for_by_id():
    request = rest.user_login_request(SESSION, "64.0", "005000000000002AAA")
    assert soql(request) == "SELECT IsFrozen, IsPasswordLocked FROM UserLogin WHERE UserId = '005000000000002AAA'"


def test_a_password_is_set_by_id():
    request = rest.set_password_request(SESSION, "64.0", "005000000000002AAA", SecretStr('N"ew'))
    assert (request.method, json.loads(request.body)) == ("POST", {"NewPassword": 'N"ew'})
    path = "/services/data/v64.0/sobjects/User/005000000000002AAA/password"
    assert request.url == f"https://acme.my.salesforce.com{path}"
    assert request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("user_id", ["", "005", "../../x", "005000000000002AAA?", "0050000000000 2"])
def test_what_is_no_id_goes_into_no_address(user_id):
    with pytest.raises(ValueError, match="not a user id"):
        rest.set_password_request(SESSION, "64.0", user_id, SecretStr("x"))


def test_ids_of_15_and_18_characters_are_compared_by_15():
    assert rest.same_user("005000000000002AAA", "005000000000002")
    assert not rest.same_user("005000000000002AAA", "005000000000003AAA")


def test_records_are_read():
    assert rest.records(Answer(200, b'{"totalSize": 1, "done": true, "records": [{"Id": "x"}]}')) == [{"Id": "x"}]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b""),
        Answer(200, b"[]"),
        Answer(200, b'{"records": 3}'),
        Answer(200, b'{"records": [3]}'),
        Answer(200, b"<html>"),
        Answer(302, b'{"records": []}'),
        Answer(503, b"<html>"),
        Answer(204, b""),
    ],
)
def test_what_is_no_list_of_records_is_lost(answer):
    with pytest.raises(Lost):
        rest.records(answer)


@pytest.mark.parametrize(("code", "status"), [("INVALID_SESSION_ID", 401), ("SERVER_UNAVAILABLE", 503)])
def test_a_query_may_be_refused(code, status):
    with pytest.raises(OrgRefused) as refused:
        rest.records(refusal(code, status))
    assert refused.value.fault.code == code


def test_204_alone_says_that_the_password_was_set():
    rest.password_was_set(Answer(204, b""))


@pytest.mark.parametrize(
    ("code", "status"), [("INVALID_NEW_PASSWORD", 400), ("NOT_FOUND", 404), ("INSUFFICIENT_ACCESS", 403)]
)
def test_a_fault_below_500_says_that_it_was_not(code, status):
    with pytest.raises(OrgRefused) as refused:
        rest.password_was_set(refusal(code, status))
    assert refused.value.fault.code == code


@pytest.mark.parametrize(
    "answer",
    [
        refusal("UNKNOWN_EXCEPTION", 500),
        refusal("SERVER_UNAVAILABLE", 503),
        refusal("INVALID_NEW_PASSWORD", 500),
        refusal("UNABLE_TO_LOCK_ROW", 400),
        Answer(200, b""),
        Answer(200, b"<html>sign in</html>"),
        Answer(302, b""),
        Answer(404, b"<html>"),
        Answer(500, b""),
    ],
)
def test_everything_else_leaves_the_change_open(answer):
    with pytest.raises(Lost):
        rest.password_was_set(answer)
