"""One org through one connection, against a simulated org, and against servers that lie."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from salesforce_orgsim.serve import start
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.clock import SystemClock
from vault_salesforce_sidecar.salesforce.interface import Lost, NotSent, OrgRefused, Session
from vault_salesforce_sidecar.salesforce.org import Orgs

ADMIN, API = "admin@acme.example", "o'api@acme.example"
PASSWORD, TOKEN, NEW = SecretStr("Start-pass-1"), SecretStr("OrgsimStartToken00000001"), SecretStr("N3w&<pass>-word")
USER = {"password": "Start-pass-1", "security_token": "OrgsimStartToken00000001"}


@pytest.fixture
def sim():
    users = [
        {"username": API, **USER},
        {"username": ADMIN, "manage_users": True, **USER},
        {"username": "trusted@acme.example", "login_ranges": ["127.0.0.1"], **USER},
    ]
    with start({"users": users}) as running:
        yield running


@pytest.fixture
def config(sim):
    return Config(login_url=sim.url, auth_method="password", username=ADMIN, password=PASSWORD, security_token=TOKEN)


@pytest.fixture
def org(orgs, config):
    return orgs.open(config)


def logins(sim, username):
    return sim.org.user(username).counters.logins


def refusal(call):
    with pytest.raises(OrgRefused) as refused:
        call()
    return refused.value.fault.code


def test_a_user_logs_in_with_password_and_token(org, sim):
    session = org.log_in(API, PASSWORD, TOKEN)
    assert session.username == API
    assert session.instance_url == sim.url
    assert session.user_id == sim.org.user(API).id
    assert session.organization_id == sim.org.id
    assert not session.password_expired
    assert org.log_in("trusted@acme.example", PASSWORD, None).user_id == sim.org.user("trusted@acme.example").id


def test_what_is_wrong_with_a_login_is_told_by_its_code(org):
    assert refusal(lambda: org.log_in(API, SecretStr("wrong"), TOKEN)) == "INVALID_LOGIN"
    assert refusal(lambda: org.log_in(API, PASSWORD, None)) == "LOGIN_MUST_USE_SECURITY_TOKEN"


def test_the_gates_of_the_retirement_judge_no_secret(orgs, sim, config):
    sim.org.settings = dataclasses.replace(sim.org.settings, retire_mode="W26-new-org")
    with pytest.raises(OrgRefused) as refused:
        orgs.open(config).log_in(API, SecretStr("wrong"), TOKEN)
    assert (refused.value.fault.verdict.value, refused.value.fault.counts) == ("blocked", False)
    assert "switched off" in refused.value.fault.cause


def test_an_own_password_is_changed_in_the_users_session(org):
    session = org.log_in(API, PASSWORD, TOKEN)
    assert refusal(lambda: org.change_own_password(session, SecretStr("wrong"), NEW)) == "INVALID_OLD_PASSWORD"
    assert refusal(lambda: org.change_own_password(session, PASSWORD, SecretStr("short"))) == "INVALID_NEW_PASSWORD"
    org.change_own_password(session, PASSWORD, NEW)
    assert refusal(lambda: org.log_in(API, PASSWORD, TOKEN)) == "INVALID_LOGIN"


def test_an_administrator_sets_the_password_of_another_and_not_their_own(org, sim):
    admin = org.admin_session()
    org.set_password(admin, sim.org.user("trusted@acme.example").id, NEW)
    assert org.log_in("trusted@acme.example", NEW, None)
    for own in (admin.user_id, admin.user_id[:15]):
        assert refusal(lambda own=own: org.set_password(admin, own, NEW)) == "own_user"
    assert refusal(lambda: org.set_password(admin, "005000000000099AAA", NEW)) == "NOT_FOUND"


def test_a_user_without_permission_may_not(org, sim):
    session = org.log_in(API, PASSWORD, TOKEN)
    code = refusal(lambda: org.set_password(session, sim.org.user(ADMIN).id, NEW))
    assert code == "INSUFFICIENT_ACCESS"


def test_an_administrator_sees_a_user_and_whether_they_are_locked(org, sim):
    admin = org.admin_session()
    seen = org.find_user(admin, API.upper())
    assert seen.user_id == sim.org.user(API).id
    assert (seen.is_active, seen.is_locked, seen.is_frozen, seen.failed_logins) == (True, False, False, 0)
    refusal(lambda: org.log_in(API, SecretStr("wrong"), TOKEN))
    assert org.find_user(admin, API).failed_logins == 1
    sim.org.clock.advance(60)
    org.set_password(admin, seen.user_id, NEW)
    assert org.find_user(admin, API).last_password_change != seen.last_password_change
    assert org.find_user(admin, "nobody@acme.example") is None


def test_a_user_sees_themself_and_not_their_own_lock(org):
    session = org.log_in(API, PASSWORD, TOKEN)
    seen = org.find_user(session, API)
    assert (seen.user_id, seen.is_active, seen.is_locked, seen.is_frozen) == (session.user_id, True, None, None)
    assert seen.last_password_change


def test_who_may_not_see_locks_sees_the_user_all_the_same(org):
    seen = org.find_user(org.log_in(API, PASSWORD, TOKEN), ADMIN)
    assert seen is None or (seen.is_locked, seen.is_frozen) == (None, None)


def test_admin_sessions_are_shared_by_all_connections_to_the_same_identity(orgs, sim, config):
    renamed = dataclasses.replace(config, allowed_roles=("crm-*",))
    with ThreadPoolExecutor(8) as pool:
        sessions = list(pool.map(lambda c: orgs.open(c).admin_session().id, [config, renamed] * 8))
    assert len({session.reveal() for session in sessions}) == 1
    assert logins(sim, ADMIN) == 1


def test_a_connection_without_an_identity_has_no_admin_session(orgs, config):
    assert orgs.open(dataclasses.replace(config, auth_method="none")).admin_session() is None


def test_a_forgotten_admin_session_is_opened_anew(org, sim):
    dead = org.admin_session()
    sim.org.end_session(dead.id.reveal())
    assert refusal(lambda: org.find_user(dead, API)) == "INVALID_SESSION_ID"
    org.forget_admin_session(dead)
    assert org.find_user(org.admin_session(), API)
    assert logins(sim, ADMIN) == 2


def test_a_refused_admin_is_asked_for_once_until_somebody_says_so(orgs, sim, config):
    wrong = dataclasses.replace(config, password=SecretStr("wrong"))
    for _ in range(5):
        assert refusal(orgs.open(wrong).admin_session) == "INVALID_LOGIN"
    assert sim.org.user(ADMIN).failed_count == 1
    orgs.try_again(wrong)
    refusal(orgs.open(wrong).admin_session)
    assert sim.org.user(ADMIN).failed_count == 2
    orgs.try_again(config)
    assert orgs.open(config).admin_session()


def test_a_sidecar_that_starts_again_and_again_does_not_lock_its_administrator(kv, sim, config):
    wrong = dataclasses.replace(config, password=SecretStr("wrong"))
    codes = []
    for _ in range(10):
        started = Orgs(SystemClock(), kv, longest_call_seconds=5.0)
        codes.append(refusal(started.open(wrong).admin_session))
        started.close()
    assert codes == ["INVALID_LOGIN"] * 2 + ["no_attempts_left"] * 8
    assert sim.org.user(ADMIN).failed_count == 2


def test_an_expired_password_opens_a_session_that_may_change_it(org, sim):
    sim.org.user(API).temporary_password = True
    session = org.log_in(API, PASSWORD, TOKEN)
    assert session.password_expired
    org.change_own_password(session, PASSWORD, NEW)


@pytest.fixture
def hasty(config, kv):
    """The same org for somebody who does not wait long."""
    orgs = Orgs(SystemClock(), kv, longest_call_seconds=0.5)
    yield orgs.open(config)
    orgs.close()


@pytest.mark.parametrize("knob", ["change_then_500", "change_and_never_answer", "change_late_seconds"])
def test_a_change_whose_answer_says_nothing_is_lost_by_both_roads(sim, org, hasty, knob):
    session, admin = org.log_in(API, PASSWORD, TOKEN), org.admin_session()
    sim.world.misbehave.patch({knob: 0.1 if knob == "change_late_seconds" else True})
    with pytest.raises(Lost):
        hasty.change_own_password(session, PASSWORD, NEW)
    with pytest.raises(Lost):
        hasty.set_password(admin, sim.org.user("trusted@acme.example").id, NEW)


@pytest.mark.parametrize("knob", ["html_503", "close_connection", "silent"])
def test_a_login_whose_answer_says_nothing_is_lost(sim, hasty, knob):
    sim.world.misbehave.patch({knob: True})
    with pytest.raises(Lost):
        hasty.log_in(API, PASSWORD, TOKEN)


def test_an_org_that_is_not_there_was_not_asked(orgs, sim, config):
    org = orgs.open(config)
    sim.stop()
    with pytest.raises(NotSent):
        org.log_in(API, PASSWORD, TOKEN)
    with pytest.raises(NotSent):
        org.admin_session()


def logged_in(server_url):
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com"><e:Body>'
        "<loginResponse><result><passwordExpired>false</passwordExpired>"
        f"<serverUrl>{server_url}</serverUrl><sessionId>00D!x</sessionId><userId>005000000000001AAA</userId>"
        "</result></loginResponse></e:Body></e:Envelope>"
    )


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/services/Soap/u/64.0", "http://127.0.0.1:1/services", "junk"]
)
def test_a_session_on_a_host_that_is_not_allowed_is_refused(orgs, servers, elsewhere):
    server = servers.answering(servers.answer(logged_in(elsewhere)))
    org = orgs.open(Config(login_url=server.url))
    assert refusal(lambda: org.log_in(API, PASSWORD, TOKEN)) == "host_not_allowed"


def test_a_host_that_the_connection_adds_is_allowed(orgs, servers):
    server = servers.answering(servers.answer(logged_in("https://files.acme.example/services/Soap/u/64.0/00D")))
    org = orgs.open(Config(login_url=f"{server.url}/", allowed_hosts=("files.acme.example",)))
    assert org.log_in(API, PASSWORD, TOKEN).instance_url == "https://files.acme.example"
    assert server.requests[0].startswith(b"POST /services/Soap/u/64.0 HTTP/1.1\r\n")


def test_an_org_without_a_count_of_failed_logins_is_asked_without_it_from_then_on(orgs, servers):
    no_field = servers.answer('[{"errorCode": "INVALID_FIELD", "message": "No such column"}]', "400 Bad Request")
    user = servers.answer(
        '{"done": true, "records": [{"Id": "005000000000002AAA", "IsActive": true, "LastPasswordChangeDate": "x"}]}'
    )
    locks = servers.answer('[{"errorCode": "INVALID_TYPE", "message": "not supported"}]', "400 Bad Request")
    server = servers.answering(no_field, user, locks, user, locks)
    org = orgs.open(Config(login_url=server.url))
    session = session_at(server)
    for _ in range(2):
        found = org.find_user(session, API)
        assert (found.last_password_change, found.failed_logins, found.is_locked) == ("x", None, None)
    assert [b"NumberOfFailedLogins" in request for request in server.requests] == [True, False, False, False, False]


@pytest.mark.parametrize("body", ['{"records": [{}]}', '{"records": [{"Id": "../.."}]}', "<html>"])
def test_a_record_that_cannot_be_read_is_lost(orgs, servers, body):
    server = servers.answering(servers.answer(body))
    with pytest.raises(Lost):
        orgs.open(Config(login_url=server.url)).find_user(session_at(server), API)


def session_at(server):
    return Session(SecretStr("00D!x"), f"{server.url}/services/Soap/u/64.0/00D", ADMIN, "005000000000001AAA", "")


def test_the_same_contents_are_the_same_org(orgs, config):
    assert orgs.open(config) is orgs.open(dataclasses.replace(config))
    assert orgs.open(config) is not orgs.open(dataclasses.replace(config, api_version="63.0"))


def test_authorities_that_are_not_pem_are_the_callers_fault(orgs, config):
    with pytest.raises(CallerError, match="ca_cert"):
        orgs.open(dataclasses.replace(config, ca_cert="nonsense"))


@pytest.mark.parametrize("api", ["rest", "soap"])
def test_a_reset_gives_a_temporary_password_and_unlocks(sim, orgs, config, api):
    org = orgs.open(dataclasses.replace(config, set_password_by=api))
    admin, user = org.admin_session(), sim.org.user(API)
    user.lock(sim.org.settings.password_policy, sim.org.clock.now())
    given = org.reset_password(admin, user.id)
    sim.org.settings = dataclasses.replace(sim.org.settings, trusted_ranges=("127.0.0.1",))
    assert org.log_in(API, given, None).password_expired
    assert refusal(lambda: org.reset_password(admin, admin.user_id[:15])) == "own_user"
    assert refusal(lambda: org.reset_password(org.log_in(API, given, None), admin.user_id)) in {
        "INSUFFICIENT_ACCESS",
        "INVALID_OPERATION_WITH_EXPIRED_PASSWORD",
    }


@pytest.mark.parametrize("api", ["rest", "soap"])
@pytest.mark.parametrize("knob", ["change_then_500", "change_and_never_answer"])
def test_a_reset_whose_answer_says_nothing_is_lost(sim, config, kv, knob, api):
    orgs = Orgs(SystemClock(), kv, longest_call_seconds=0.5)
    org = orgs.open(dataclasses.replace(config, set_password_by=api))
    admin = org.admin_session()
    sim.world.misbehave.patch({knob: True})
    with pytest.raises(Lost):
        org.reset_password(admin, sim.org.user(API).id)
    orgs.close()


def test_an_administrator_sets_a_password_by_soap(sim, orgs, config):
    org = orgs.open(dataclasses.replace(config, set_password_by="soap"))
    admin = org.admin_session()
    assert refusal(lambda: org.set_password(admin, sim.org.user(API).id, SecretStr("short"))) == "INVALID_NEW_PASSWORD"
    org.set_password(admin, sim.org.user(API).id, NEW)
    assert refusal(lambda: org.set_password(admin, admin.user_id, NEW)) == "own_user"
    assert refusal(lambda: org.log_in(API, PASSWORD, TOKEN)) == "INVALID_LOGIN"


def test_an_administrator_unlocks_and_others_may_not(org, sim):
    admin, user = org.admin_session(), sim.org.user(API)
    other = org.log_in("trusted@acme.example", PASSWORD, None)
    user.lock(sim.org.settings.password_policy, sim.org.clock.now())
    assert refusal(lambda: org.unlock(other, user.id)) in {"INSUFFICIENT_ACCESS", "NOT_FOUND", "INVALID_TYPE"}
    assert user.locked(sim.org.clock.now())
    org.unlock(admin, user.id)
    assert not user.locked(sim.org.clock.now())
    assert org.log_in(API, PASSWORD, TOKEN)
    assert refusal(lambda: org.unlock(admin, "005000000000099AAA")) == "NOT_FOUND"


def test_an_administrator_ends_every_session_of_a_user(org, sim):
    sessions = [org.log_in(API, PASSWORD, TOKEN) for _ in range(3)]
    admin = org.admin_session()
    assert org.end_sessions(admin, sessions[0].user_id) == 3
    for session in sessions:
        assert refusal(lambda session=session: org.find_user(session, API)) == "INVALID_SESSION_ID"
    assert org.end_sessions(admin, sessions[0].user_id) == 0
    assert org.find_user(admin, API)


def test_a_user_ends_their_other_sessions_and_keeps_the_one_that_asks(org):
    mine, *others = [org.log_in(API, PASSWORD, TOKEN) for _ in range(3)]
    assert org.end_sessions(mine, mine.user_id[:15]) == 2
    assert org.find_user(mine, API)
    for session in others:
        assert refusal(lambda session=session: org.find_user(session, API)) == "INVALID_SESSION_ID"


def test_who_is_not_shown_the_sessions_of_others_ends_none_and_is_told(org, sim):
    theirs, mine = org.log_in(API, PASSWORD, TOKEN), org.log_in("trusted@acme.example", PASSWORD, None)
    assert refusal(lambda: org.end_sessions(mine, theirs.user_id)) == "sessions_not_shown"
    assert org.find_user(theirs, API)


def test_the_login_history_is_read_newest_first_since_a_time(org, sim):
    since = sim.org.clock.now()
    refusal(lambda: org.log_in(API, SecretStr("wrong"), TOKEN))
    sim.org.clock.advance(60)
    org.log_in(API, PASSWORD, TOKEN)
    admin, user_id = org.admin_session(), sim.org.user(API).id
    newest, oldest = org.login_history(admin, user_id, since - timedelta(seconds=5))
    assert (newest.status, oldest.status) == ("Success", "Invalid Password")
    assert newest.time > oldest.time
    assert (newest.source_ip, newest.login_type, newest.api_type) == ("127.0.0.1", "Other Apex API", "SOAP Partner")
    assert len(org.login_history(admin, user_id, newest.time)) == 1


def test_columns_are_those_that_the_session_sees(org, sim):
    assert {"Id", "Username", "LastPasswordChangeDate"} <= org.columns(org.admin_session(), "User")
    assert refusal(lambda: org.columns(org.admin_session(), "NoSuchObject")) in {"NOT_FOUND", "INVALID_TYPE"}


def test_columns_are_asked_for_once_in_a_while_and_per_user(orgs, servers):
    server = servers.answering(servers.answer('{"fields": [{"name": "Id"}]}'))
    org, one = orgs.open(Config(login_url=server.url)), session_at(server)
    other = dataclasses.replace(one, user_id="005000000000002AAA")
    for _ in range(3):
        assert org.columns(one, "User") == org.columns(other, "User") == {"Id"}
    assert len(server.requests) == 2


def test_a_query_reads_all_its_pages_and_no_more_than_it_may(orgs, servers):
    def page(number, more):
        following = f'"nextRecordsUrl": "/services/data/v64.0/query/01gX-{number}",' if more else ""
        return servers.answer(f'{{{following} "records": [{{"attributes": {{}}, "Id": "{number}"}}]}}', kind="json")

    server = servers.answering(page(1, more=True), page(2, more=True), page(3, more=False))
    org = orgs.open(Config(login_url=server.url))
    assert org.query(session_at(server), "SELECT Id FROM X") == [{"Id": "1"}, {"Id": "2"}, {"Id": "3"}]
    assert server.requests[1].startswith(b"GET /services/data/v64.0/query/01gX-1 HTTP/1.1\r\n")
    endless = servers.answering(page(1, more=True))
    with pytest.raises(Lost, match="more than 25 pages"):
        orgs.open(Config(login_url=endless.url)).query(session_at(endless), "SELECT Id FROM X")
    assert len(endless.requests) == 25


def test_the_pages_of_a_query_share_one_limit_of_time(config, kv, servers):
    orgs = Orgs(SystemClock(), kv, longest_call_seconds=0.6)
    body = servers.answer('{"nextRecordsUrl": "/services/data/v64.0/query/01gX-1", "records": []}')
    pause = threading.Event()

    def slow(connection, _):
        pause.wait(0.1)
        connection.sendall(body)

    server = servers.start(slow)
    with pytest.raises((Lost, NotSent)):
        orgs.open(Config(login_url=server.url)).query(session_at(server), "SELECT Id FROM X")
    assert len(server.requests) < 10
    orgs.close()
