"""What Salesforce's codes mean."""

import json

import pytest

from vault_salesforce_sidecar.salesforce import faults
from vault_salesforce_sidecar.salesforce.interface import Verdict

LISTED = [
    "INVALID_LOGIN",
    "LOGIN_MUST_USE_SECURITY_TOKEN",
    "LOGIN_DURING_RESTRICTED_DOMAIN",
    "LOGIN_DURING_RESTRICTED_TIME",
    "PASSWORD_LOCKOUT",
    "INACTIVE_OWNER_OR_USER",
    "API_DISABLED_FOR_ORG",
    "API_CURRENTLY_DISABLED",
    "INVALID_OPERATION",
    "INSUFFICIENT_ACCESS",
    "INVALID_OPERATION_WITH_EXPIRED_PASSWORD",
    "ORG_LOCKED",
    "ORG_ADMIN_LOCKED",
    "ORG_IN_MAINTENANCE",
    "ORG_NOT_OWNED_BY_INSTANCE",
    "TRIAL_EXPIRED",
    "SERVER_UNAVAILABLE",
    "REQUEST_LIMIT_EXCEEDED",
    "UNSUPPORTED_API_VERSION",
    "INVALID_SESSION_ID",
    "LOGIN_CHALLENGE_ISSUED",
    "LOGIN_CHALLENGE_PENDING",
    "TXN_SECURITY_NO_ACCESS",
    "TXN_SECURITY_TWO_FA_REQUIRED",
    "TXN_SECURITY_END_A_SESSION",
    "MUTUAL_AUTHENTICATION_FAILED",
    "CLIENT_NOT_ACCESSIBLE_FOR_USER",
    "CLIENT_REQUIRE_UPDATE_FOR_USER",
    "INVALID_CLIENT",
    "UNSUPPORTED_CLIENT",
    "FUNCTIONALITY_TEMPORARILY_UNAVAILABLE",
    "REQUEST_RUNNING_TOO_LONG",
    "UNABLE_TO_LOCK_ROW",
    "UNKNOWN_EXCEPTION",
    "INVALID_SSO_GATEWAY_URL",
    "SSO_SERVICE_DOWN",
    "PORTAL_NO_ACCESS",
    "INACTIVE_PORTAL",
    "INVALID_NEW_PASSWORD",
    "INVALID_OLD_PASSWORD",
    "NOT_FOUND",
    "INVALID_ID_FIELD",
    "MALFORMED_ID",
    "INVALID_CROSS_REFERENCE_KEY",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
]


@pytest.mark.parametrize("code", LISTED)
def test_every_code_that_a_rotation_may_meet_is_in_the_table(code):
    assert faults.TABLE[code].code == code


def test_no_code_is_there_twice_and_every_one_has_two_sentences():
    assert len(faults.TABLE) == len(faults._FAULTS)
    every = [*faults.TABLE.values(), *(fault for _, fault in faults.BY_MESSAGE), faults.fault_of("SOMETHING_NEW")]
    assert all(text.endswith(".") and text[0].isupper() for fault in every for text in (fault.cause, fault.remedy))


def test_only_what_judges_the_secret_or_the_request_is_refused():
    refused = {code for code, fault in faults.TABLE.items() if fault.verdict is Verdict.REFUSED}
    assert {"INVALID_LOGIN", "INVALID_OLD_PASSWORD", "INVALID_NEW_PASSWORD"} <= refused
    gates = {
        "INSUFFICIENT_ACCESS",
        "INVALID_OPERATION",
        "LOGIN_DURING_RESTRICTED_TIME",
        "ORG_LOCKED",
        "UNKNOWN_EXCEPTION",
    }
    assert not gates & refused
    assert faults.TABLE["LOGIN_MUST_USE_SECURITY_TOKEN"].verdict is Verdict.TOKEN_NEEDED


def test_what_counts_towards_a_lockout_is_never_safe_to_repeat():
    assert not [fault for fault in faults.TABLE.values() if fault.counts and fault.retry_is_safe]
    assert {code for code, fault in faults.TABLE.items() if fault.counts} == {
        "INVALID_LOGIN",
        "LOGIN_MUST_USE_SECURITY_TOKEN",
        "INVALID_OLD_PASSWORD",
        "PASSWORD_LOCKOUT",
        "UNKNOWN_EXCEPTION",
    }


def test_an_unknown_code_judges_nothing_but_is_paid_for():
    fault = faults.fault_of("SOMETHING_NEW", "whatever")
    assert (fault.code, fault.verdict, fault.counts, fault.retry_is_safe) == (
        "SOMETHING_NEW",
        Verdict.BLOCKED,
        True,
        False,
    )


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [
        ("INVALID_OPERATION", "The SOAP Login operation is not available in the API version specified (65.0)", "OAuth"),
        ("INVALID_OPERATION", "SOAP API login() has been retired.", "OAuth"),
        ("INVALID_OPERATION", "SOAP API login() is disabled by default in this org.", "Enable it"),
        ("INVALID_OPERATION", "Etwas anderes", "api_version"),
        ("INSUFFICIENT_ACCESS", "SOAP API login() requires the Use Any API Auth user permission.", "Use Any API Auth"),
        ("INSUFFICIENT_ACCESS", "You do not have permission to view this record.", "Reset User Passwords"),
        ("INVALID_SESSION_ID", "This session is not valid for use with the REST API", "does not cure"),
        ("INVALID_SESSION_ID", "Session expired or invalid", "another session"),
        ("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.", "tried again"),
        ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", "renewed"),
        ("INVALID_LOGIN", "SOAP API login() is disabled by default in this org.", "Login History"),
    ],
)
def test_a_message_only_tells_the_meanings_of_one_code_apart(code, message, words):
    fault = faults.fault_of(code, message)
    assert fault.code == code
    assert words in fault.remedy


@pytest.mark.parametrize(
    ("exception_code", "faultcode", "faultstring"),
    [
        ("INVALID_LOGIN", "sf:UNKNOWN_EXCEPTION", "UNKNOWN_EXCEPTION: no"),
        (None, "sf:INVALID_LOGIN", "whatever"),
        (None, "INVALID_LOGIN", None),
        (None, "soapenv:Server", "INVALID_LOGIN: Invalid username, password, security token; or user locked out."),
        (" INVALID_LOGIN\n", None, None),
    ],
)
def test_the_code_of_a_soap_fault_is_found_in_three_places(exception_code, faultcode, faultstring):
    assert faults.decipher_soap(exception_code, faultcode, faultstring) is faults.TABLE["INVALID_LOGIN"]


@pytest.mark.parametrize(
    ("exception_code", "faultcode", "faultstring"),
    [
        (None, None, None),
        (None, "soapenv:Client", "Element {}item invalid at this location"),
        (None, "SOAP-ENV:SERVER", "ERROR: the proxy is tired"),
        ("s3cret Passw0rd", "x", "INVALID_LOGIN without a colon"),
        ("A_" + "B" * 100, None, None),
    ],
)
def test_a_fault_that_is_not_salesforces_has_no_code(exception_code, faultcode, faultstring):
    assert faults.decipher_soap(exception_code, faultcode, faultstring) is None


def test_a_rest_fault_is_an_array_and_may_be_a_bare_object():
    one = {"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}
    expected = faults.TABLE["INVALID_SESSION_ID"]
    assert faults.decipher_rest(json.dumps([one]).encode()) is expected
    assert faults.decipher_rest(json.dumps(one).encode()) is expected
    assert faults.decipher_rest(b'[{"errorCode": "GONE"}]') is faults.TABLE["GONE"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"3",
        b"[3]",
        b"{}",
        b'[{"errorCode": 3}]',
        b'[{"errorCode": "lower"}]',
        b"\xff",
        b"[" * 9999,
    ],
)
def test_anything_else_is_no_rest_fault(body):
    assert faults.decipher_rest(body) is None


def test_no_sentence_of_salesforces_is_handed_on():
    fault = faults.fault_of("INVALID_NEW_PASSWORD", "the password hunter2 is too short")
    assert "hunter2" not in f"{fault}"
