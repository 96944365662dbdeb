"""The REST calls, as values."""

import json
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qs, urlsplit

import pytest

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.salesforce import rest
from vault_salesforce_sidecar.salesforce.interface import LoginRow, Lost, OrgRefused, Session
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


@pytest.mark.parametrize("user_id", ["", "../../x", "005000000000002AAA?"])
def test_no_other_call_takes_what_is_no_id(user_id):
    for call in (
        lambda: rest.reset_password_request(SESSION, "64.0", user_id),
        lambda: rest.unlock_request(SESSION, "64.0", user_id),
        lambda: rest.delete_request(SESSION, "64.0", ["0Ak000000000001AAA", user_id]),
    ):
        with pytest.raises(ValueError, match=r"not an? (user )?id"):
            call()


def test_a_password_is_reset_a_user_unlocked_and_sessions_deleted_by_id():
    base = "https://acme.my.salesforce.com/services/data/v64.0"
    reset = rest.reset_password_request(SESSION, "64.0", "005000000000002AAA")
    assert (reset.method, reset.url) == ("DELETE", f"{base}/sobjects/User/005000000000002AAA/password")
    unlock = rest.unlock_request(SESSION, "64.0", "0Yw000000000002AAA")
    assert (unlock.method, unlock.url) == ("PATCH", f"{base}/sobjects/UserLogin/0Yw000000000002AAA")
    assert json.loads(unlock.body) == {"IsPasswordLocked": False}
    ids = ["0Ak000000000001AAA", "0Ak000000000002AAA"]
    delete = rest.delete_request(SESSION, "64.0", ids)
    assert (delete.method, delete.url) == ("DELETE", f"{base}/composite/sobjects?ids={','.join(ids)}&allOrNone=false")


@pytest.mark.parametrize("name", ["", "User/x", "../x", "User?x=1", "1User", "x" * 81])
def test_what_is_no_object_goes_into_no_address(name):
    with pytest.raises(ValueError, match="not the name of an object"):
        rest.describe_request(SESSION, "64.0", name)


def test_columns_are_the_names_of_what_was_described():
    answer = Answer(200, b'{"name": "User", "fields": [{"name": "Id"}, {"name": "Username"}]}')
    assert rest.columns(answer) == {"Id", "Username"}
    for body in (b"{}", b'{"fields": []}', b'{"fields": 3}', b"[]", b"<html>"):
        with pytest.raises(Lost):
            rest.columns(Answer(200, body))
    with pytest.raises(OrgRefused, match="NOT_FOUND"):
        rest.columns(refusal("NOT_FOUND", 404))


def test_logins_are_asked_for_since_a_time_of_the_orgs_clock():
    since = datetime(2026, 11, 22, 3, 4, 5, 999, timezone(timedelta(hours=2)))
    assert rest.login_history_soql("005000000000002AAA", since) == (
        "SELECT LoginTime, Status, SourceIp, Application, LoginType, ApiType FROM LoginHistory WHERE UserId = "
        "'005000000000002AAA' AND LoginTime >= 2026-11-22T01:04:05Z ORDER BY LoginTime DESC LIMIT 200"
    )


def test_a_row_of_the_login_history_is_read_with_what_it_does_not_hold():
    record = {"LoginTime": "2026-11-22T01:04:05.000+0000", "Status": "Success", "ApiType": "N/A", "Application": None}
    (row,) = rest.login_rows([record])
    assert row == LoginRow(datetime(2026, 11, 22, 1, 4, 5, tzinfo=UTC), "Success", "", "", "", "")
    for broken in ({}, {"LoginTime": "yesterday"}, {"LoginTime": 3}):
        with pytest.raises(Lost):
            rest.login_rows([broken])


def test_a_reset_gives_the_new_password_or_nobody_knows_it():
    assert rest.new_password(Answer(200, b'{"NewPassword": "r4ndom"}')) == SecretStr("r4ndom")
    with pytest.raises(OrgRefused, match="INSUFFICIENT_ACCESS"):
        rest.new_password(refusal("INSUFFICIENT_ACCESS", 403))
    for answer in (
        Answer(200, b"{}"),
        Answer(200, b'{"NewPassword": ""}'),
        Answer(200, b"<html>"),
        Answer(204, b""),
        refusal("NOT_FOUND", 500),
    ):
        with pytest.raises(Lost):
            rest.new_password(answer)


def test_sessions_that_have_ended_meanwhile_are_gone_all_the_same():
    gone = {"success": False, "errors": [{"statusCode": "ENTITY_IS_DELETED", "message": "entity is deleted"}]}
    rest.were_deleted(Answer(200, json.dumps([{"success": True, "errors": []}, gone]).encode()), 2)


@pytest.mark.parametrize(
    ("results", "outcome"),
    [
        ([{"success": False, "errors": [{"statusCode": "INSUFFICIENT_ACCESS"}]}], OrgRefused),
        ([{"success": False, "errors": []}], Lost),
        ([{"success": False}], Lost),
        ([], Lost),
        ([3], Lost),
        ({"success": True}, Lost),
    ],
)
def test_a_deletion_that_is_not_one_says_so(results, outcome):
    with pytest.raises(outcome):
        rest.were_deleted(Answer(200, json.dumps(results).encode()), 1)


def test_records_are_read():
    assert rest.page(Answer(200, b'{"totalSize": 1, "done": true, "records": [{"Id": "x"}]}')) == ([{"Id": "x"}], None)


def test_records_lose_their_attributes_at_every_depth_and_name_the_next_page():
    record = {
        "attributes": {"type": "User"},
        "Id": "x",
        "Profile": {"attributes": {}, "Name": "P"},
        "Sets": {"records": [{"attributes": {}, "Id": "y"}]},
    }
    path = "/services/data/v64.0/query/01gD0000002HU6KIAW-2000"
    answer = Answer(200, json.dumps({"done": False, "nextRecordsUrl": path, "records": [record]}).encode())
    assert rest.page(answer) == ([{"Id": "x", "Profile": {"Name": "P"}, "Sets": {"records": [{"Id": "y"}]}}], path)
    assert rest.next_page_request(SESSION, path).url == f"https://acme.my.salesforce.com{path}"


@pytest.mark.parametrize("path", ["https://evil.example/x", "/services/data/v64.0/query/../../x", "//evil", 3, ""])
def test_a_next_page_elsewhere_is_lost(path):
    with pytest.raises(Lost):
        rest.page(Answer(200, json.dumps({"nextRecordsUrl": path, "records": []}).encode()))


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
        rest.page(answer)


@pytest.mark.parametrize(("code", "status"), [("INVALID_SESSION_ID", 401), ("SERVER_UNAVAILABLE", 503)])
def test_a_query_may_be_refused(code, status):
    with pytest.raises(OrgRefused) as refused:
        rest.page(refusal(code, status))
    assert refused.value.fault.code == code


def test_204_alone_says_that_the_password_was_set():
    rest.was_done(Answer(204, b""))


@pytest.mark.parametrize(
    ("code", "status"), [("INVALID_NEW_PASSWORD", 400), ("NOT_FOUND", 404), ("INSUFFICIENT_ACCESS", 403)]
)
def test_a_fault_below_500_says_that_it_was_not(code, status):
    with pytest.raises(OrgRefused) as refused:
        rest.was_done(refusal(code, status))
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
        rest.was_done(answer)
