"""Every way in, at a simulated org: what opens, what the session serves, and what each refusal is called."""

import dataclasses

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from salesforce_orgsim.serve import start
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.clock import SystemClock
from vault_salesforce_sidecar.salesforce.interface import Lost, NotSent, OrgRefused, Verdict
from vault_salesforce_sidecar.salesforce.org import Orgs

ADMIN, API = "admin@acme.example", "api@acme.example"
PASSWORD, TOKEN, NEW = SecretStr("Start-pass-1"), SecretStr("OrgsimStartToken00000001"), SecretStr("N3w&<pass>-word")
USER = {"password": "Start-pass-1", "security_token": "OrgsimStartToken00000001"}
SECRET = SecretStr("consumer-secret")


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def private_key(key):
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return SecretStr(key.private_bytes(*form).decode())


@pytest.fixture
def sim(key):
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    app = {
        "client_id": "consumer",
        "client_secret": SECRET.reveal(),
        "kind": "connected_app",
        "certificate": key.public_key().public_bytes(*form).decode(),
        "flows": ["jwt_bearer", "client_credentials", "password"],
        "preauthorized_users": [ADMIN, API],
        "run_as": ADMIN,
    }
    users = [{"username": API, **USER}, {"username": ADMIN, "manage_users": True, **USER}]
    with start({"org": {"username_password_flow_blocked": False}, "users": users, "apps": [app]}) as running:
        yield running


@pytest.fixture
def configs(sim, private_key):
    """A connection for each way in, by auth_method."""
    user = {"username": ADMIN, "password": PASSWORD, "security_token": TOKEN}
    secret = {"client_id": "consumer", "client_secret": SECRET}
    ways = {
        "password": user,
        "jwt_bearer": {"username": ADMIN, "client_id": "consumer", "private_key": private_key},
        "client_credentials": secret,
        "oauth_password": user | secret,
    }
    return {name: Config(login_url=sim.url, auth_method=name, **given) for name, given in ways.items()}


WAYS = ["password", "jwt_bearer", "client_credentials", "oauth_password"]


def refusal(call):
    with pytest.raises(OrgRefused) as refused:
        call()
    return refused.value.fault


def set_org(sim, **changes):
    sim.org.settings = dataclasses.replace(sim.org.settings, **changes)


def set_user(sim, username, **changes):
    user = sim.org.user(username)
    user.settings = dataclasses.replace(user.settings, **changes)


def set_app(sim, **changes):
    app, _ = sim.org.app("consumer")
    app.settings = dataclasses.replace(app.settings, **changes)


@pytest.mark.parametrize("endpoint", ["partner", "enterprise"])
@pytest.mark.parametrize("way", WAYS)
def test_every_session_of_an_administrator_serves_rest_and_soap(sim, orgs, configs, way, endpoint):
    config = dataclasses.replace(configs[way], soap_endpoint=endpoint, api_version="66.0")
    by_rest, by_soap = (orgs.open(dataclasses.replace(config, set_password_by=api)) for api in ("rest", "soap"))
    session = by_rest.admin_session()
    assert (session.user_id, session.organization_id) == (sim.org.user(ADMIN).id, sim.org.id)
    assert f"/services/Soap/{'u' if endpoint == 'partner' else 'c'}/6" in session.server_url
    user = by_rest.find_user(session, API)
    assert user.username == API
    by_rest.set_password(session, user.user_id, SecretStr("By-rest-1"))
    by_soap.set_password(session, user.user_id, SecretStr("By-soap-2"))
    assert sim.org.user(API).counters.password_changes == 2
    assert by_soap.admin_session() == session


@pytest.mark.parametrize("endpoint", ["partner", "enterprise"])
def test_a_user_changes_their_own_password_in_a_session_of_every_kind(sim, orgs, configs, endpoint):
    oauth = {"password_login": "oauth", "client_secret": SECRET}
    config = dataclasses.replace(configs["jwt_bearer"], soap_endpoint=endpoint)
    org, by_oauth = orgs.open(config), orgs.open(dataclasses.replace(config, **oauth))
    org.change_own_password(org.log_in(API, PASSWORD, TOKEN), PASSWORD, SecretStr("By-soap-1"))
    org.change_own_password(org.log_in_as(API), SecretStr("By-soap-1"), SecretStr("By-jwt-2"))
    set_org(sim, trusted_ranges=("127.0.0.1",))
    session = by_oauth.log_in(API, SecretStr("By-jwt-2"), None)
    by_oauth.change_own_password(session, SecretStr("By-jwt-2"), SecretStr("By-oauth-3"))
    assert sim.org.user(API).counters.password_changes == 3


def test_sessions_of_users_are_kept_and_shared_and_one_login_each(sim, orgs, configs):
    org = orgs.open(configs["jwt_bearer"])
    assert org.log_in_as(API) == org.log_in_as(API.upper()) != org.log_in_as(ADMIN)
    assert sim.org.user(API).counters.grants == 1
    sim.org.end_session(org.log_in_as(API).id.reveal())
    dead = org.log_in_as(API)
    assert refusal(lambda: org.find_user(dead, API)).code == "INVALID_SESSION_ID"
    org.forget_admin_session(dead)
    assert org.find_user(org.log_in_as(API), API)
    assert sim.org.user(API).counters.grants == 2


def test_without_an_app_nobody_is_logged_in_as(orgs, configs):
    assert refusal(lambda: orgs.open(configs["password"]).log_in_as(API)).code == "no_app"


def closed_now(sim):
    """Login hours that are not now."""
    return (13, 14) if sim.org.clock.now().hour < 12 else (1, 2)


def set_closed(sim):
    set_user(sim, API, login_hours=closed_now(sim))


def lock(sim):
    sim.org.user(API).lock(sim.org.settings.password_policy, sim.org.clock.now())


def set_another_certificate(sim):
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    set_app(sim, certificate=other.public_bytes(*form).decode())


ASSERTION_FAULTS = {
    "inactive": (lambda sim: set_user(sim, API, active=False), "invalid_grant/inactive_user", "deactivated"),
    "frozen": (lambda sim: set_user(sim, API, frozen=True), "invalid_grant/user_is_locked", "locked"),
    "locked": (lock, "invalid_grant/user_is_locked", "locked"),
    "address": (
        lambda sim: set_user(sim, API, login_ranges=("192.0.2.1",)),
        "invalid_grant/ip_restricted",
        "Login IP Ranges",
    ),
    "hours": (set_closed, "invalid_grant/authentication_failure", "does not say which"),
    "rate": (lambda sim: set_org(sim, login_rate=0), "invalid_grant/login_rate_exceeded", "too often"),
    "approval": (
        lambda sim: set_app(sim, preauthorized_users=(ADMIN,)),
        "invalid_app_access/user_is_not_admin_approved_to_access_this_app",
        "approved",
    ),
    "self-authorized": (
        lambda sim: set_app(sim, preauthorized_users=(), permitted_users="self_authorize"),
        "invalid_grant/user_hasn_t_approved_this_consumer",
        "not approved for the app in advance",
    ),
    "scope": (
        lambda sim: set_app(sim, scopes=("api",)),
        "invalid_grant/user_hasn_t_approved_this_consumer",
        "not approved",
    ),
    "audience": (lambda sim: set_org(sim, is_sandbox=True), "invalid_grant/audience_is_invalid", "another kind of org"),
    "clock": (lambda sim: sim.org.clock.advance(600), "invalid_grant/expired_authorization_code", "clocks differ"),
    "certificate": (
        set_another_certificate,
        "invalid_grant/invalid_assertion",
        "does not belong to the certificate",
    ),
    "not installed": (
        lambda sim: set_app(sim, installed=False),
        "invalid_client/app_must_be_installed_into_org",
        "not installed",
    ),
    "flow": (lambda sim: set_app(sim, flows=("password",)), "unsupported_grant_type", "does not allow this OAuth flow"),
    "new app": (lambda sim: set_app(sim, live_after=600.0), "invalid_client_id", "ten minutes"),
    "org": (lambda sim: set_org(sim, org_locked=True), "inactive_org", "locked, closed or suspended"),
}


@pytest.mark.parametrize("what", ASSERTION_FAULTS)
def test_an_assertion_tells_what_stops_it_and_locks_nobody(sim, orgs, configs, what):
    stop, code, words = ASSERTION_FAULTS[what]
    stop(sim)
    fault = refusal(lambda: orgs.open(configs["jwt_bearer"]).log_in_as(API))
    assert fault.code == code
    assert words in fault.cause
    assert (fault.verdict, fault.counts) == (Verdict.BLOCKED, False)
    assert sim.org.user(API).failed_count == 0


CLIENT_FAULTS = {
    "run-as user": (lambda sim: set_app(sim, run_as=""), "invalid_grant/no_client_credentials_user_enabled"),
    "flow": (lambda sim: set_app(sim, flows=("jwt_bearer",)), "unsupported_grant_type"),
    "inactive": (lambda sim: set_user(sim, ADMIN, active=False), "invalid_grant/inactive_user"),
}


@pytest.mark.parametrize("what", CLIENT_FAULTS)
def test_client_credentials_tell_what_stops_them(sim, orgs, configs, what):
    stop, code = CLIENT_FAULTS[what]
    stop(sim)
    fault = refusal(orgs.open(configs["client_credentials"]).admin_session)
    assert (fault.code, fault.verdict) == (code, Verdict.BLOCKED)
    assert fault.cause.startswith("The connection's own user cannot log in. ")


def test_a_wrong_client_secret_or_id_is_named(orgs, configs):
    wrong = {"client_secret": SecretStr("wrong")}, {"client_id": "unknown"}
    codes = [
        refusal(orgs.open(dataclasses.replace(configs["client_credentials"], **each)).admin_session).code
        for each in wrong
    ]
    assert codes == ["invalid_client/invalid_client_credentials", "invalid_client_id"]


def test_the_password_flow_judges_the_password_and_counts(sim, orgs, configs):
    org = orgs.open(dataclasses.replace(configs["oauth_password"], password_login="oauth"))
    fault = refusal(lambda: org.log_in(API, SecretStr("wrong"), TOKEN))
    assert (fault.code, fault.verdict, fault.counts) == (
        "invalid_grant/authentication_failure",
        Verdict.REFUSED,
        True,
    )
    assert sim.org.user(API).failed_count == 1
    assert org.log_in(API, PASSWORD, TOKEN).user_id == sim.org.user(API).id


def test_a_password_flow_that_is_shut_says_so_in_its_cause(sim, orgs, configs):
    set_org(sim, username_password_flow_blocked=True)
    fault = refusal(orgs.open(configs["oauth_password"]).admin_session)
    assert "blocks the OAuth password flow" in fault.cause


LOGIN_FAULTS = {
    "switched off": (lambda sim: set_org(sim, retire_mode="W26-new-org"), "INVALID_OPERATION", "switched off"),
    "permission": (lambda sim: set_user(sim, API, use_any_api_auth=False), "INSUFFICIENT_ACCESS", "Use Any API Auth"),
    "retired": (lambda sim: set_org(sim, retire_mode="retired"), "INVALID_OPERATION", "has retired SOAP login()"),
    "no API": (lambda sim: set_user(sim, API, api_enabled=False), "API_CURRENTLY_DISABLED", "may not use the API"),
    "address": (
        lambda sim: set_user(sim, API, login_ranges=("192.0.2.1",)),
        "LOGIN_DURING_RESTRICTED_DOMAIN",
        "Login IP Ranges",
    ),
    "hours": (set_closed, "LOGIN_DURING_RESTRICTED_TIME", "login hours"),
}


@pytest.mark.parametrize("what", LOGIN_FAULTS)
def test_soap_login_names_what_shuts_it_and_judges_no_password(sim, orgs, configs, what):
    stop, code, words = LOGIN_FAULTS[what]
    stop(sim)
    fault = refusal(lambda: orgs.open(configs["password"]).log_in(API, PASSWORD, TOKEN))
    assert fault.code == code
    assert words in fault.cause
    assert (fault.verdict, fault.counts) == (Verdict.BLOCKED, False)


def test_soap_login_is_called_at_a_version_that_serves_it(sim, orgs, configs):
    session = orgs.open(dataclasses.replace(configs["password"], api_version="68.0")).log_in(API, PASSWORD, TOKEN)
    assert "/services/Soap/u/64.0/" in session.server_url
    session = orgs.open(dataclasses.replace(configs["password"], api_version="58.0")).log_in(API, PASSWORD, TOKEN)
    assert "/services/Soap/u/58.0/" in session.server_url


def test_an_expired_password_shows_in_a_grants_session_at_its_first_call(sim, orgs, configs):
    sim.org.user(API).temporary_password = True
    org = orgs.open(configs["jwt_bearer"])
    session = org.log_in_as(API)
    assert refusal(lambda: org.find_user(session, API)).code == "INVALID_OPERATION_WITH_EXPIRED_PASSWORD"
    org.change_own_password(session, PASSWORD, NEW)
    assert org.find_user(session, API).user_id == session.user_id


def test_a_grant_whose_session_lives_elsewhere_is_refused(sim, orgs, configs):
    set_org(sim, instance_url="https://evil.example")
    assert refusal(lambda: orgs.open(configs["jwt_bearer"]).log_in_as(API)).code == "host_not_allowed"


@pytest.mark.parametrize("knob", ["html_503", "close_connection", "silent"])
def test_a_grant_whose_answer_says_nothing_is_lost(sim, configs, kv, knob):
    orgs = Orgs(SystemClock(), kv, longest_call_seconds=0.5)
    sim.world.misbehave.patch({knob: True})
    with pytest.raises(Lost):
        orgs.open(configs["jwt_bearer"]).log_in_as(API)
    orgs.close()


def test_an_org_that_is_not_there_was_not_asked(sim, orgs, configs):
    sim.stop()
    with pytest.raises(NotSent):
        orgs.open(configs["jwt_bearer"]).log_in_as(API)
