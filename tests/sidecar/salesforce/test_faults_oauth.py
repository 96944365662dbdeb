"""What the errors of the token endpoint mean."""

import json

import pytest

from vault_salesforce_sidecar.salesforce import faults_oauth
from vault_salesforce_sidecar.salesforce.interface import Verdict


def body(error, description=None):
    return json.dumps({"error": error} | ({} if description is None else {"error_description": description})).encode()


@pytest.mark.parametrize(
    ("error", "description", "code"),
    [
        ("invalid_grant", "user hasn't approved this consumer", "invalid_grant/user_hasn_t_approved_this_consumer"),
        ("invalid_grant", "audience is invalid", "invalid_grant/audience_is_invalid"),
        ("invalid_grant", "Audience validation failed", "invalid_grant/audience_validation_failed"),
        ("invalid_grant", "invalid assertion", "invalid_grant/invalid_assertion"),
        ("invalid_grant", "expired authorization code", "invalid_grant/expired_authorization_code"),
        ("invalid_grant", "authentication failure", "invalid_grant/authentication_failure"),
        ("invalid_grant", "expired access/refresh token", "invalid_grant/expired_access_refresh_token"),
        ("invalid_grant", "user is locked", "invalid_grant/user_is_locked"),
        ("invalid_grant", "inactive user", "invalid_grant/inactive_user"),
        ("invalid_grant", "user is inactive", "invalid_grant/user_is_inactive"),
        ("invalid_grant", "ip restricted", "invalid_grant/ip_restricted"),
        ("invalid_grant", "Login Rate Exceeded", "invalid_grant/login_rate_exceeded"),
        ("invalid_grant", "LOGIN_RATE_EXCEEDED", "invalid_grant/login_rate_exceeded"),
        ("invalid_client_id", "client identifier invalid", "invalid_client_id"),
        ("invalid_client", "invalid client credentials", "invalid_client/invalid_client_credentials"),
        ("invalid_client", "app must be installed into org", "invalid_client/app_must_be_installed_into_org"),
        (
            "invalid_app_access",
            "user is not admin approved to access this app",
            "invalid_app_access/user_is_not_admin_approved_to_access_this_app",
        ),
        (
            "invalid_grant",
            "request not supported on this domain",
            "invalid_grant/request_not_supported_on_this_domain",
        ),
        ("invalid_grant", "no client credentials user enabled", "invalid_grant/no_client_credentials_user_enabled"),
        ("invalid_request", "scope parameter not supported", "invalid_request/scope_parameter_not_supported"),
        ("unsupported_grant_type", "grant type not supported", "unsupported_grant_type"),
        ("inactive_org", None, "inactive_org"),
        ("rate_limit_exceeded", None, "rate_limit_exceeded"),
        ("server_error", None, "server_error"),
    ],
)
def test_every_documented_error_is_known_and_judges_no_secret_of_a_user(error, description, code):
    fault = faults_oauth.decipher_oauth(body(error, description))
    assert (fault.code, fault.verdict, fault.counts) == (code, Verdict.BLOCKED, False)
    assert faults_oauth.TABLE[code] == fault


def test_what_stops_a_user_is_told_apart():
    causes = {
        faults_oauth.fault_of("invalid_grant", words).cause
        for words in ("user is locked", "inactive user", "ip restricted", "login rate exceeded", "audience is invalid")
    }
    assert len(causes) == 5


def test_only_a_grant_by_password_judges_the_password():
    fault = faults_oauth.fault_of("invalid_grant", "authentication failure", by_password=True)
    assert (fault.verdict, fault.counts) == (Verdict.REFUSED, True)
    for row in faults_oauth.ROWS:
        fault = faults_oauth.fault_of(row.error, row.words, by_password=True)
        assert (fault.verdict is Verdict.REFUSED) == (row.words == "authentication failure"), row


@pytest.mark.parametrize("by_password", [False, True])
def test_unknown_words_judge_nothing_but_a_password_is_paid_for(by_password):
    for error, description in (("invalid_grant", "quite another reason"), ("something_new", "")):
        fault = faults_oauth.fault_of(error, description, by_password=by_password)
        assert (fault.code, fault.verdict, fault.counts) == (error, Verdict.BLOCKED, by_password)


def test_a_lock_seen_by_a_password_counts_and_by_an_assertion_does_not():
    assert faults_oauth.fault_of("invalid_grant", "user is locked", by_password=True).counts
    assert not faults_oauth.fault_of("invalid_grant", "user is locked").counts


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", b"[]", b"3", b'{"error": 3}', b'{"error": "No Words!"}', b"{}", b"[" * 100_000],
)
def test_what_is_no_error_of_salesforces_is_none(answer):
    assert faults_oauth.decipher_oauth(answer) is None


def test_no_row_is_hidden_behind_an_earlier_one_and_every_one_has_two_sentences():
    for row in faults_oauth.ROWS:
        assert faults_oauth.fault_of(row.error, row.words).code == row.fault.code
    everything = [*faults_oauth.TABLE.values(), faults_oauth.fault_of("something_new")]
    assert all(text.endswith(".") and text[0].isupper() for each in everything for text in (each.cause, each.remedy))
