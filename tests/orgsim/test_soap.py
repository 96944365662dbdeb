"""The SOAP operations, as a client sees them."""

import pytest
from lxml import etree

LOGIN_RESULT = [
    "metadataServerUrl",
    "passwordExpired",
    "sandbox",
    "serverUrl",
    "sessionId",
    "userId",
    "userInfo",
]


def children(answer, name):
    found = answer.root.find(f".//{{*}}{name}")
    return [etree.QName(child).localname for child in found]


def test_login_answers_with_every_element_in_the_order_of_the_wsdl(sim):
    answer = sim.log_in(sim.app, base_url="http://crm.my.salesforce.com:8443")
    assert answer.status == 200
    assert children(answer, "result") == LOGIN_RESULT
    assert children(answer, "userInfo")[:3] == ["accessibilityMode", "chatterExternal", "currencySymbol"]
    assert len(children(answer, "userInfo")) == 24
    assert answer.text("serverUrl") == f"http://crm.my.salesforce.com:8443/services/Soap/u/64.0/{sim.org.id[:15]}"
    assert answer.text("userId") == sim.user(sim.app).id
    assert b'<roleId xsi:nil="true"/>' in answer.body


def test_the_enterprise_form_has_its_own_namespaces_and_address(sim):
    answer = sim.log_in(sim.app, letter="c")
    assert "/services/Soap/c/64.0/" in str(answer.text("serverUrl"))
    assert b'xmlns="urn:enterprise.soap.sforce.com"' in answer.body
    assert b'xmlns:sf="urn:fault.enterprise.soap.sforce.com"' in sim.log_in(sim.app, "wrong", letter="c").body
    assert [row.api_type for row in sim.org.history] == ["SOAP Enterprise"] * 2


def test_a_refused_login_is_a_fault_with_status_500(sim):
    answer = sim.log_in(sim.app, "wrong")
    assert (answer.status, answer.code) == (500, "INVALID_LOGIN")
    assert answer.text("faultcode") == "sf:INVALID_LOGIN"
    sim.control("PATCH", "/org", {"faultcodeStyle": "bare"})
    assert sim.log_in(sim.app, "wrong").text("faultcode") == "INVALID_LOGIN"


@pytest.mark.parametrize(
    ("version", "code"),
    [("65.0", "INVALID_OPERATION"), ("30.0", "UNSUPPORTED_API_VERSION"), ("69.0", "UNSUPPORTED_API_VERSION")],
)
def test_login_is_served_by_some_versions_only(sim, version, code):
    answer = sim.log_in(sim.app, version=version)
    assert answer.code == code
    if code == "INVALID_OPERATION":
        assert str(answer.text("exceptionMessage")).endswith("(65.0).")


def test_the_session_works_on_newer_versions_than_login(sim):
    assert sim.soap("getUserInfo", sim.session(sim.app), version="68.0").text("userName") == sim.app


def test_logout_ends_the_session(sim):
    session = str(sim.log_in(sim.app).text("sessionId"))
    assert sim.soap("logout", session).status == 200
    answer = sim.soap("getServerTimestamp", session)
    assert answer.code == "INVALID_SESSION_ID"
    assert "Illegal Session" in str(answer.text("exceptionMessage"))
    assert b"sf:UnexpectedErrorFault" in answer.body


def test_the_servers_time_is_the_orgs(sim):
    sim.advance(1.5)
    answer = sim.soap("getServerTimestamp", sim.session(sim.app))
    assert answer.text("timestamp") == "2026-11-21T20:00:01.500Z"
    assert children(answer, "LimitInfoHeader") == ["limitInfo"]


def test_changing_ones_own_password_takes_the_old_one(sim):
    session = sim.session(sim.app)
    wrong = sim.soap("changeOwnPassword", session, oldPassword="wrong", newPassword="Second<&pass2")
    assert wrong.code == "INVALID_OLD_PASSWORD"
    assert b'<sf:InvalidOldPasswordFault xsi:type="sf:InvalidOldPasswordFault">' in wrong.body
    weak = sim.soap("changeOwnPassword", session, oldPassword="First-pass-1", newPassword="short")
    assert b"sf:InvalidNewPasswordFault" in weak.body
    done = sim.soap("changeOwnPassword", session, oldPassword="First-pass-1", newPassword="Second<&pass2")
    assert done.status == 200
    assert b"<changeOwnPasswordResponse><result/>" in done.body
    assert sim.user(sim.app).password == "Second<&pass2"


def test_an_administrator_sets_and_resets_the_password_of_another(sim):
    session, user = sim.session(sim.admin), sim.user(sim.app)
    assert sim.soap("setPassword", session, userId=user.id[:15], password="Second-pass-2").status == 200
    assert user.password == "Second-pass-2"
    answer = sim.soap("resetPassword", session, userId=user.id)
    assert answer.text("password") == user.password
    kinds = [mail["kind"] for mail in sim.control("GET", f"/mailbox/{sim.app}")]
    assert kinds == ["security_token"]


def test_a_reset_mails_a_link_only_when_the_header_asks_for_it(sim):
    header = "<m:EmailHeader><m:triggerUserEmail>true</m:triggerUserEmail></m:EmailHeader>"
    sim.soap("resetPassword", sim.session(sim.admin), header=header, userId=sim.user(sim.app).id)
    assert [mail["kind"] for mail in sim.control("GET", f"/mailbox/{sim.app}")] == ["password_reset"]


@pytest.mark.parametrize(
    ("target", "code"),
    [("self", "INSUFFICIENT_ACCESS"), ("x", "MALFORMED_ID"), ("005Qk0000000999", "INVALID_CROSS_REFERENCE_KEY")],
)
def test_set_password_refuses_the_wrong_target(sim, target, code):
    user_id = sim.user(sim.admin).id if target == "self" else target
    assert sim.soap("setPassword", sim.session(sim.admin), userId=user_id, password="Second-pass-2").code == code


def test_without_the_permission_no_other_password_can_be_set(sim):
    answer = sim.soap("setPassword", sim.session(sim.app), userId=sim.user(sim.admin).id, password="Second-pass-2")
    assert answer.code == "INSUFFICIENT_ACCESS"


@pytest.mark.parametrize("call", ["changeOwnPassword", "setPassword"])
def test_the_session_of_an_expired_password_can_set_it_and_nothing_else(sim, call):
    sim.control("PATCH", f"/users/{sim.app}", {"expired": True})
    login = sim.log_in(sim.app)
    assert login.text("passwordExpired") == "true"
    session = str(login.text("sessionId"))
    assert sim.soap("getUserInfo", session).code == "INVALID_OPERATION_WITH_EXPIRED_PASSWORD"
    if call == "setPassword":
        answer = sim.soap(call, session, userId=sim.user(sim.app).id, password="Second-pass-2")
    else:
        answer = sim.soap(call, session, oldPassword="First-pass-1", newPassword="Second-pass-2")
    assert answer.status == 200
    assert sim.soap("getUserInfo", session).status == 200


def test_an_expired_session_may_be_kept_from_changing_its_own_password(simulate):
    sim = simulate({"org": {"expired_session_may_change_own": False}})
    sim.control("PATCH", f"/users/{sim.app}", {"expired": True})
    answer = sim.soap(
        "changeOwnPassword", sim.session(sim.app), oldPassword="First-pass-1", newPassword="Second-pass-2"
    )
    assert answer.code == "INVALID_OPERATION_WITH_EXPIRED_PASSWORD"


def test_an_expired_administrator_cannot_set_the_password_of_another(sim):
    sim.control("PATCH", f"/users/{sim.admin}", {"expired": True})
    answer = sim.soap("setPassword", sim.session(sim.admin), userId=sim.user(sim.app).id, password="Second-pass-2")
    assert answer.code == "INVALID_OPERATION_WITH_EXPIRED_PASSWORD"


@pytest.mark.parametrize("operation", ["create", "unknown"])
def test_an_unknown_operation_is_the_clients_fault(sim, operation):
    answer = sim.soap(operation, sim.session(sim.app))
    assert (answer.status, answer.text("faultcode")) == (500, "soapenv:Client")
    assert sim.control("GET", "/requests")[0]["outcome"] == "soapenv:Client"


def test_a_missing_argument_is_the_clients_fault(sim):
    assert sim.soap("login", username=sim.app).text("faultcode") == "soapenv:Client"


def test_a_message_of_the_other_form_is_the_clients_fault(sim):
    body = sim.soap("login", letter="u").body
    answer = sim.send(body.replace(b"loginResponse", b"login"), letter="c")
    assert answer.text("faultcode") == "soapenv:Client"


def test_garbage_is_the_clients_fault(sim):
    assert sim.send(b"<nonsense").text("faultcode") == "soapenv:Client"


def test_the_client_names_itself_in_the_login_history(sim):
    header = "<m:CallOptions><m:client>rotator/1</m:client></m:CallOptions>"
    sim.log_in(sim.app, header=header)
    assert sim.org.history[-1].application == "rotator/1"


def test_a_query_answers_in_the_namespace_of_records(sim):
    answer = sim.soap("query", sim.session(sim.admin), queryString="SELECT Id, Username FROM User ORDER BY Username")
    assert (answer.text("done"), answer.text("size")) == ("true", "2")
    names = [element.text for element in answer.root.iter("{urn:sobject.partner.soap.sforce.com}Username")]
    assert names == [sim.admin, sim.app]
    assert answer.text("queryLocator") is None


def test_times_are_written_as_soap_does_and_relations_are_nested(sim):
    text = "SELECT LastPasswordChangeDate, Profile.Name FROM User"
    answer = sim.soap("query", sim.session(sim.app), queryString=text, letter="c")
    assert answer.text("LastPasswordChangeDate") == "2026-11-21T20:00:00.000Z"
    assert answer.text("Name") == "Integration User"


def test_a_long_query_is_read_on_by_its_locator(simulate):
    users = [{"username": f"u{n}@crm.example", "password": "Some-pass-1"} for n in range(2001)]
    sim = simulate({"users": users})
    session = sim.session("u0@crm.example")
    first = sim.soap("query", session, queryString="SELECT Id FROM User")
    assert (first.text("done"), first.text("size")) == ("false", "2001")
    assert sim.soap("queryMore", session, queryLocator=first.text("queryLocator")).text("done") == "true"
    assert sim.soap("queryMore", session, queryLocator="none").code == "INVALID_QUERY_LOCATOR"


@pytest.mark.parametrize("letter", ["u", "c"])
def test_sessions_are_invalidated_by_their_ids_each_with_its_answer(sim, letter):
    doomed = sim.session(sim.app)
    answer = sim.soap("invalidateSessions", sim.session(sim.app), sessionIds=doomed, letter=letter)
    assert answer.text("success") == "true"
    assert sim.org.session(doomed) is None
    answer = sim.soap("invalidateSessions", sim.session(sim.app), sessionIds=doomed, letter=letter)
    assert (answer.text("success"), answer.text("statusCode")) == ("false", "INVALID_SESSION_ID")


def test_a_whole_change_goes_over_the_enterprise_endpoint_too(sim):
    entered = sim.log_in(sim.admin, letter="c")
    assert "/services/Soap/c/64.0/" in entered.text("serverUrl")
    session, user_id = entered.text("sessionId"), sim.user(sim.app).id
    assert sim.soap("setPassword", session, letter="c", userId=user_id, password="Second-pass-2").status == 200
    header = "<m:EmailHeader><m:triggerUserEmail>true</m:triggerUserEmail></m:EmailHeader>"
    reset = sim.soap("resetPassword", session, letter="c", header=header, userId=user_id)
    assert reset.text("password") == sim.user(sim.app).password
    assert [mail["kind"] for mail in sim.control("GET", f"/mailbox/{sim.app}")][-1] == "password_reset"
    assert sim.org.history[-1].api_type == "SOAP Enterprise"
