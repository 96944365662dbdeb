"""Sessions of the connections' own identities: few logins, and no lockout by us."""

import threading
from datetime import UTC, datetime

import pytest

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.salesforce import faults, faults_oauth
from vault_salesforce_sidecar.salesforce.admin_sessions import (
    HEAR_SECONDS,
    LOCKOUT_SECONDS,
    AdminSessions,
    Identity,
)
from vault_salesforce_sidecar.salesforce.attempts import KeptAttempts
from vault_salesforce_sidecar.salesforce.interface import Lost, NotSent, OrgRefused, Session, Verdict

PATIENCE_SECONDS = 10.0
ADMIN = Identity("https://acme.example", "password", "admin@acme.example", (SecretStr("right"),))
REFUSED = OrgRefused(faults.TABLE["INVALID_LOGIN"])
CLOSED = OrgRefused(faults.TABLE["LOGIN_DURING_RESTRICTED_TIME"])


class Clock:
    """Time that stands until it is moved."""

    def __init__(self):
        self.seconds = 1000.0

    def now(self):
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self):
        return self.seconds

    def wait(self, event, seconds):
        return event.is_set()


class Door:
    """Answers one login after another as it is told, the last one ever after."""

    def __init__(self, *answers):
        self.answers, self.logins = list(answers), 0

    def __call__(self):
        self.logins += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


BY_APP = Identity("https://acme.example", "jwt_bearer", "admin@acme.example", (SecretStr("key"),), can_lock=False)
USER = BY_APP._replace(username="api@acme.example", itself=True)
SAID_LOCKED = OrgRefused(faults_oauth.fault_of("invalid_grant", "user is locked"))


def session(name="one", *, expired=False):
    url = "https://acme.example/services/Soap/u/64.0/00D"
    return Session(SecretStr(name), url, "admin@acme.example", "005000000000001AAA", "", expired)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sessions(clock, kv):
    return AdminSessions(clock, KeptAttempts(kv))


@pytest.fixture
def others(clock, kv):
    """Those of another sidecar."""
    return AdminSessions(clock, KeptAttempts(kv))


def outcome(sessions, door, identity=ADMIN):
    try:
        return sessions.get(identity, door)
    except (OrgRefused, Lost, NotSent) as error:
        return type(error), str(error)


def test_one_login_serves_all(sessions):
    door = Door(session())
    assert {sessions.get(ADMIN, door).id for _ in range(5)} == {SecretStr("one")}
    assert door.logins == 1


def test_who_wants_a_fresh_one_has_it_opened_and_everybody_shares_it(sessions, clock):
    door = Door(session(), session("two"), REFUSED)
    assert sessions.get(USER, door) == sessions.get(USER, door, 60) == session()
    clock.seconds += 60
    assert sessions.get(USER, door) == session()
    assert sessions.get(USER, door, 60) == sessions.get(USER, door) == session("two")
    clock.seconds += 60
    with pytest.raises(OrgRefused):
        sessions.get(USER, door, 60)
    assert sessions.get(USER, door) == session("two")


def test_another_identity_has_its_own(sessions):
    other = ADMIN._replace(username="other@acme.example")
    assert sessions.get(ADMIN, Door(session())).id != sessions.get(other, Door(session("two"))).id


@pytest.mark.parametrize("answer", [session(), REFUSED, Lost("no answer"), NotSent("no way")])
def test_who_comes_while_a_login_is_under_way_shares_its_outcome(sessions, answer):
    began, go_on, logins, outcomes = threading.Event(), threading.Event(), [], []

    def door():
        logins.append(1)
        began.set()
        assert go_on.wait(PATIENCE_SECONDS)
        if isinstance(answer, Exception):
            raise answer
        return answer

    threads = [threading.Thread(target=lambda: outcomes.append(outcome(sessions, door))) for _ in range(8)]
    threads[0].start()
    assert began.wait(PATIENCE_SECONDS)
    for thread in threads[1:]:
        thread.start()
    go_on.set()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert len(outcomes) == 8
    assert len({str(each) for each in outcomes}) == 1
    assert len(logins) == 1


def test_a_forgotten_session_is_opened_anew_once(sessions):
    door = Door(session("one"), session("two"))
    first = sessions.get(ADMIN, door)
    sessions.forget(first)
    second = sessions.get(ADMIN, door)
    sessions.forget(first)
    assert sessions.get(ADMIN, door) is second
    assert door.logins == 2


def test_a_refused_login_is_not_tried_again_within_the_lockout_interval(sessions, clock):
    door = Door(REFUSED, session())
    assert len({outcome(sessions, door) for _ in range(50)}) == 1
    assert door.logins == 1
    clock.seconds += LOCKOUT_SECONDS - 1
    outcome(sessions, door)
    assert door.logins == 1
    clock.seconds += 1
    assert sessions.get(ADMIN, door) == session()


@pytest.mark.parametrize("answer", [REFUSED, Lost("no answer")])
def test_after_two_that_failed_or_may_have_nothing_is_tried_until_somebody_says_so(sessions, clock, answer):
    door = Door(answer)
    for _ in range(100):
        outcome(sessions, door)
        clock.seconds += LOCKOUT_SECONDS
    assert door.logins == 2
    assert outcome(sessions, door)[1].startswith("no_attempts_left")
    sessions.forgive(ADMIN)
    outcome(sessions, door)
    assert door.logins == 3


def test_a_success_clears_what_was_charged(sessions, clock):
    door = Door(Lost("no answer"), session(), REFUSED, session("two"), REFUSED, session("three"))
    for name in ("one", "two", "three"):
        assert isinstance(outcome(sessions, door), tuple)
        clock.seconds += LOCKOUT_SECONDS
        got = outcome(sessions, door)
        assert got == session(name)
        sessions.forget(got)
    assert door.logins == 6


def test_sidecars_count_together_and_each_hears_who_mended_it(sessions, others, clock):
    door = Door(REFUSED, REFUSED, session(), session())
    assert outcome(sessions, door)[0] is outcome(others, door)[0] is OrgRefused
    clock.seconds += LOCKOUT_SECONDS
    assert outcome(sessions, door)[1].startswith("no_attempts_left")
    assert outcome(others, door)[1].startswith("no_attempts_left")
    others.forgive(ADMIN)
    assert outcome(others, door) == session()
    clock.seconds += HEAR_SECONDS
    assert outcome(sessions, door) == session()
    assert door.logins == 4


def test_a_refusal_that_still_holds_is_looked_up_seldom(sessions, others, clock, kv):
    door = Door(REFUSED)
    outcome(sessions, door)
    read = kv.accidents.calls
    for _ in range(100):
        outcome(sessions, door)
    assert kv.accidents.calls == read
    clock.seconds += HEAR_SECONDS
    for _ in range(100):
        outcome(sessions, door)
    assert (kv.accidents.calls, door.logins) == (read + 1, 1)


def test_a_login_that_cannot_be_counted_is_not_made(sessions, clock, kv):
    door = Door(session())
    kv.sealed = True
    assert outcome(sessions, door)[0] is NotSent
    assert door.logins == 0
    kv.sealed = False
    clock.seconds += 2
    assert outcome(sessions, door) == session()


def test_what_sends_no_password_is_not_counted(sessions, kv):
    sessions.get(BY_APP, Door(session()))
    assert kv.accidents.calls == 0


@pytest.mark.parametrize("answer", [CLOSED, NotSent("no way")])
def test_what_does_not_count_is_tried_again_soon_and_often(sessions, clock, answer):
    door = Door(answer)
    for _ in range(20):
        outcome(sessions, door)
        outcome(sessions, door)
        clock.seconds += 30
    assert door.logins == 20


def test_a_refusal_of_the_identity_judges_nobody_else(sessions):
    for _ in range(2):
        with pytest.raises(OrgRefused, match="INVALID_LOGIN: The connection's own user") as refused:
            sessions.get(ADMIN, Door(REFUSED))
        assert (refused.value.fault.verdict, refused.value.fault.counts) == (Verdict.BLOCKED, False)


def test_another_password_is_tried_at_once(sessions):
    assert outcome(sessions, Door(REFUSED))[0] is OrgRefused
    assert sessions.get(ADMIN._replace(secrets=(SecretStr("righter"),)), Door(session())) == session()


def test_a_session_for_changing_the_password_alone_is_none(sessions):
    assert outcome(sessions, Door(session(expired=True)))[1].startswith("INVALID_OPERATION_WITH_EXPIRED_PASSWORD")


def test_sessions_that_never_last_do_not_become_a_login_per_call(sessions, clock):
    door = Door(session())
    for _ in range(1000):
        got = outcome(sessions, door)
        if isinstance(got, Session):
            sessions.forget(got)
        clock.seconds += 1
    assert door.logins <= 40
    assert outcome(sessions, door)[1].startswith("sessions_do_not_last")


def test_a_login_that_breaks_for_a_reason_of_ours_leaves_nobody_waiting(sessions, clock):
    with pytest.raises(ZeroDivisionError):
        sessions.get(ADMIN, Door(ZeroDivisionError()))
    clock.seconds += 60
    assert sessions.get(ADMIN, Door(session())) == session()


@pytest.mark.parametrize("answer", [SAID_LOCKED, Lost("no answer")])
def test_what_sends_no_password_is_never_out_of_attempts(sessions, clock, answer):
    door = Door(answer)
    for _ in range(20):
        outcome(sessions, door, BY_APP)
        clock.seconds += 60
    assert door.logins == 20
    sessions.forgive(BY_APP)
    assert outcome(sessions, Door(session()), BY_APP) == session()


def test_who_is_at_work_for_the_user_itself_hears_the_orgs_own_words(sessions):
    for _ in range(2):
        with pytest.raises(OrgRefused) as refused:
            sessions.get(USER, Door(SAID_LOCKED))
        assert refused.value.fault == SAID_LOCKED.fault


def test_a_user_who_logged_in_too_often_is_left_alone_for_a_while(sessions, clock):
    door = Door(OrgRefused(faults_oauth.fault_of("invalid_grant", "login rate exceeded")))
    for _ in range(60):
        outcome(sessions, door, USER)
        clock.seconds += 60
    assert door.logins == 4


def test_sessions_of_users_are_bounded_and_those_of_connections_stay(sessions):
    own, user = Door(session("own")), Door(session("user"))
    sessions.get(BY_APP, own)
    for number in range(5000):
        sessions.get(USER._replace(username=f"user{number}@acme.example"), user)
    assert len(sessions._all) <= 4097
    sessions.get(BY_APP, own)
    sessions.get(USER._replace(username="user4999@acme.example"), user)
    assert (own.logins, user.logins) == (1, 5000)
    sessions.get(USER._replace(username="user0@acme.example"), user)
    assert user.logins == 5001


def test_a_thousand_users_of_one_app_come_in_once_each(sessions):
    door = Door(session())
    for _ in range(3):
        for number in range(1000):
            sessions.get(USER._replace(username=f"user{number}@acme.example"), door)
    assert door.logins == 1000
