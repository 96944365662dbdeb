"""The rules of OAuth grants, each refusal in the words that Salesforce has for it."""

import jwt
import pytest

OUTSIDE = {"REMOTE_ADDR": "198.51.100.7"}


def refused(answer):
    document = answer.get_json()
    assert answer.status_code == 400, document
    return document["error"], document["error_description"]


def statuses(sim):
    return [row.status for row in sim.org.history]


def test_an_assertion_opens_a_session_of_the_user_it_names(oauth):
    session = oauth.org.session(oauth.by_assertion(oauth.app).get_json()["access_token"])
    assert session.user.username == oauth.app
    row = oauth.org.history[-1]
    assert (row.status, row.login_type, row.application) == ("Success", "Remote Access 2.0", "Rotator")
    counters = oauth.user(oauth.app).counters
    assert (counters.grants, counters.failed_grants, counters.logins) == (1, 0, 0)


def test_the_older_name_of_the_subject_and_an_expiry_as_text_are_taken(oauth):
    expiry = str(oauth.now() + 120)
    assert oauth.by_assertion(None, prn=oauth.app, exp=expiry).status_code == 200


@pytest.mark.parametrize(
    ("claims", "error", "description"),
    [
        ({"iss": "unknown"}, "invalid_client_id", "client identifier invalid"),
        ({"iss": 5}, "invalid_client_id", "client identifier invalid"),
        ({"aud": "https://test.salesforce.com"}, "invalid_grant", "audience is invalid"),
        ({"aud": "https://login.salesforce.com/"}, "invalid_grant", "audience is invalid"),
        ({"aud": None}, "invalid_grant", "audience is invalid"),
        ({"exp": -1}, "invalid_grant", "expired authorization code"),
        ({"exp": 3600}, "invalid_grant", "expired authorization code"),
        ({"exp": 60.5}, "invalid_grant", "invalid assertion"),
        ({"sub": "nobody@crm.example"}, "invalid_grant", "user hasn't approved this consumer"),
        ({"sub": 5}, "invalid_grant", "user hasn't approved this consumer"),
    ],
)
def test_a_wrong_claim_is_refused_in_its_own_words(oauth, claims, error, description):
    if "exp" in claims:
        claims = {"exp": oauth.now() + claims["exp"]}
    assert refused(oauth.by_assertion(**{"sub": oauth.app, **claims})) == (error, description)
    assert statuses(oauth) == []


def test_the_audience_of_a_sandbox_is_its_login_host(oauth):
    oauth.control("PATCH", "/org", {"is_sandbox": True})
    assert refused(oauth.by_assertion(oauth.app))[1] == "audience is invalid"
    assert oauth.by_assertion(oauth.app, aud="https://test.salesforce.com").status_code == 200


def test_an_assertion_that_the_certificate_does_not_bear_out_is_invalid(oauth, other_key):
    assert refused(oauth.by_assertion(oauth.app, key=other_key)) == ("invalid_grant", "invalid assertion")
    unsigned = jwt.encode({"iss": oauth.client_id, "sub": oauth.app}, None, algorithm="none")
    for assertion in ("", "nonsense", unsigned):
        answer = oauth.post("token", grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer", assertion=assertion)
        assert refused(answer)[0] in {"invalid_grant", "invalid_client_id"}
    oauth.change_app(certificate="")
    assert refused(oauth.by_assertion(oauth.app)) == ("invalid_grant", "invalid assertion")


def test_a_public_key_does_as_well_as_a_certificate(oauth, public_key):
    oauth.change_app(certificate=public_key)
    assert oauth.by_assertion(oauth.app).status_code == 200


def test_a_scope_is_not_asked_for(oauth):
    assert refused(oauth.by_assertion(oauth.app, form={"scope": "api"}))[0] == "invalid_request"
    assert refused(oauth.by_client(scope="api")) == ("invalid_request", "scope parameter not supported")


@pytest.mark.parametrize(
    ("change", "description"),
    [
        ({"preauthorized_users": []}, "user is not admin approved to access this app"),
        ({"preauthorized_users": [], "permitted_users": "self_authorize"}, "user hasn't approved this consumer"),
        ({"scopes": ["api"]}, "user hasn't approved this consumer"),
    ],
)
def test_a_user_who_is_not_preauthorized_is_refused(oauth, change, description):
    oauth.change_app(**change)
    assert refused(oauth.by_assertion(oauth.app))[1] == description
    assert statuses(oauth) == ["Failed: Not approved for access"]


def test_a_profile_can_be_preauthorized(oauth):
    oauth.change_app(preauthorized_users=[], preauthorized_profiles=["Integration User"])
    assert oauth.by_assertion(oauth.app).status_code == 200


@pytest.mark.parametrize(
    ("settings", "description", "status"),
    [
        ({"active": False}, "inactive user", "User is Inactive"),
        ({"frozen": True}, "user is locked", "User is frozen"),
        ({"locked": True}, "user is locked", "Password Lockout"),
        ({"login_ranges": ["10.0.0.0/8"]}, "ip restricted", "Restricted IP"),
        ({"login_hours": [8, 18]}, "authentication failure", "Restricted Time"),
    ],
)
def test_the_state_of_the_user_is_named(oauth, settings, description, status):
    oauth.control("PATCH", f"/users/{oauth.app}", settings)
    assert refused(oauth.by_assertion(oauth.app)) == ("invalid_grant", description)
    assert statuses(oauth) == [status]
    assert oauth.user(oauth.app).counters.failed_grants == 1


def test_an_app_may_relax_the_login_ranges(oauth):
    oauth.control("PATCH", f"/users/{oauth.app}", {"login_ranges": ["10.0.0.0/8"]})
    oauth.change_app(ip_relaxation="relax")
    assert oauth.by_assertion(oauth.app).status_code == 200


@pytest.mark.parametrize("flag", ["mfa_api", "sso_enabled", "api_only"])
def test_rules_for_passwords_do_not_hold_for_assertions(oauth, flag):
    oauth.control("PATCH", f"/users/{oauth.app}", {flag: True})
    assert oauth.by_assertion(oauth.app).status_code == 200


def test_the_rate_of_logins_counts_grants_too(oauth):
    oauth.control("PATCH", "/org", {"login_rate": 1})
    assert oauth.by_assertion(oauth.app).status_code == 200
    assert refused(oauth.by_assertion(oauth.app)) == ("invalid_grant", "login rate exceeded")
    assert oauth.log_in(oauth.app).code == "INVALID_LOGIN"
    assert statuses(oauth)[-2:] == ["Login Rate Exceeded", "Login Rate Exceeded"]


def test_an_expired_password_is_found_out_at_the_first_call(oauth):
    oauth.control("PATCH", f"/users/{oauth.app}", {"expired": True})
    token = oauth.by_assertion(oauth.app).get_json()["access_token"]
    answer = oauth.rest("GET", "/v68.0/limits", token)
    assert (answer.status_code, answer.get_json()[0]["errorCode"]) == (401, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD")


@pytest.mark.parametrize("basic", [True, False])
def test_client_credentials_act_as_the_run_as_user(oauth, basic):
    token = oauth.by_client(basic=basic).get_json()["access_token"]
    assert oauth.org.session(token).user.username == oauth.admin


@pytest.mark.parametrize("host", ["login.salesforce.com", "test.salesforce.com"])
def test_client_credentials_are_served_at_my_domain_only(oauth, host):
    answer = oauth.by_client(base_url=f"https://{host}")
    assert refused(answer) == ("invalid_grant", "request not supported on this domain")


def test_client_credentials_need_the_secret_and_a_user(oauth):
    assert refused(oauth.by_client(secret="wrong")) == ("invalid_client", "invalid client credentials")
    oauth.change_app(run_as="")
    assert refused(oauth.by_client()) == ("invalid_grant", "no client credentials user enabled")


def test_an_app_that_is_not_installed_serves_those_alone_who_may_use_any(oauth):
    oauth.change_app(installed=False)
    assert refused(oauth.by_assertion(oauth.app)) == ("invalid_client", "app must be installed into org")
    oauth.control("PATCH", f"/users/{oauth.app}", {"approve_uninstalled_apps": True})
    assert oauth.by_assertion(oauth.app).status_code == 200


def test_api_access_control_lets_allowed_apps_in(oauth):
    oauth.control("PATCH", "/org", {"api_access_control": True})
    assert oauth.by_assertion(oauth.app).status_code == 200
    oauth.change_app(allow_listed=False)
    assert refused(oauth.by_assertion(oauth.app))[0] == "invalid_app_access"


def test_a_new_app_is_not_known_at_once(oauth):
    oauth.change_app(live_after=600)
    assert refused(oauth.by_client())[0] == "invalid_client_id"
    oauth.advance(600)
    assert oauth.by_client().status_code == 200


def test_a_flow_must_be_enabled(oauth):
    oauth.change_app(flows=["jwt_bearer"])
    assert refused(oauth.by_client())[0] == "unsupported_grant_type"
    assert refused(oauth.post("token", grant_type="authorization_code"))[0] == "unsupported_grant_type"
    assert oauth.vendor.get("/services/oauth2/token").get_json()["error"] == "unsupported_grant_type"


def test_plain_http_may_be_refused(oauth):
    oauth.control("PATCH", "/org", {"oauth_https_only": True})
    assert refused(oauth.by_client())[0] == "unsupported_grant_type"
    assert oauth.by_client(base_url="https://crm.my.salesforce.com").status_code == 200


def test_the_same_access_token_may_be_given_again(oauth):
    assert oauth.by_assertion(oauth.app).get_json() != oauth.by_assertion(oauth.app).get_json()
    oauth.control("PATCH", "/org", {"access_token_reuse": True})
    assert oauth.by_assertion(oauth.app).get_json() == oauth.by_assertion(oauth.app).get_json()


def test_the_password_grant_is_blocked_and_reads_like_a_wrong_password(oauth):
    assert refused(oauth.by_password()) == ("invalid_grant", "authentication failure")
    row = oauth.org.history[-1]
    assert (row.status, row.login_type) == ("Username-Password Flow Disabled", "Remote Access 2.0")
    assert oauth.user(oauth.app).failed_count == 0


@pytest.fixture
def legacy(oauth):
    """An org that still has the password grant, and an app that may use it."""
    oauth.control("PATCH", "/org", {"username_password_flow_blocked": False})
    oauth.change_app(kind="connected_app", flows=["password"])
    return oauth


def test_the_password_grant_wants_password_and_token(legacy):
    assert legacy.by_password().status_code == 200
    assert refused(legacy.by_password(password="First-pass-1")) == ("invalid_grant", "authentication failure")
    assert refused(legacy.by_password(password="wrong")) == ("invalid_grant", "authentication failure")
    assert statuses(legacy) == ["Success", "Failed: API security token required", "Invalid Password"]
    counters = legacy.user(legacy.app).counters
    assert (counters.logins, counters.failed_logins, counters.grants) == (3, 2, 0)
    legacy.control("PATCH", "/org", {"trusted_ranges": ["127.0.0.1"]})
    assert legacy.by_password(password="First-pass-1").status_code == 200


def test_the_password_grant_needs_none_of_the_permissions_of_login(legacy):
    legacy.control("PATCH", f"/users/{legacy.app}", {"use_any_api_auth": False})
    assert legacy.by_password().status_code == 200


def test_an_external_client_app_has_no_password_grant(legacy):
    legacy.change_app(kind="external_client_app")
    assert refused(legacy.by_password())[0] == "unsupported_grant_type"


def test_grants_at_the_public_hosts_can_be_closed(legacy):
    public = {"base_url": "https://login.salesforce.com"}
    assert legacy.by_password(**public).status_code == 200
    legacy.control("PATCH", "/org", {"my_domain_only_ui": True})
    assert refused(legacy.by_password(**public)) == ("invalid_grant", "authentication failure")
    assert statuses(legacy)[-1] == "Restricted Domain"
    assert legacy.by_password().status_code == 200
