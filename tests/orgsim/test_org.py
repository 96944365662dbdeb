"""Sessions, users and settings of an org."""

import pytest

from salesforce_orgsim.faults import FaultError
from salesforce_orgsim.org import BASE62, new_security_token
from salesforce_orgsim.reading import SettingsError
from salesforce_orgsim.settings import UserSettings


def refused(sim, session, **how):
    with pytest.raises(FaultError) as caught:
        sim.org.use_session(session, **how)
    return caught.value.code


def test_tokens_are_24_or_25_characters_of_base62():
    tokens = {new_security_token() for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {24, 25}
    assert set("".join(tokens)) <= set(BASE62)


def test_a_session_id_is_the_short_org_id_a_mark_and_96_characters(sim):
    organization, _, rest = sim.session(sim.app).partition("!")
    assert (organization, len(rest)) == (sim.org.id[:15], 96)


def test_a_session_ends_when_it_is_not_used_and_lives_while_it_is(sim):
    session = sim.session(sim.app)
    for _ in range(3):
        sim.advance(7199)
        sim.org.use_session(session)
    sim.advance(7200)
    assert refused(sim, session) == "INVALID_SESSION_ID"


def test_a_session_of_an_expired_password_serves_for_setting_it_only(sim):
    session = sim.session(sim.app)
    sim.control("PATCH", f"/users/{sim.app}", {"expired": True})
    assert refused(sim, session) == "INVALID_OPERATION_WITH_EXPIRED_PASSWORD"
    assert sim.org.use_session(session, for_password=True)


@pytest.mark.parametrize(
    ("flag", "code"), [({"active": False}, "INVALID_SESSION_ID"), ({"api_enabled": False}, "API_CURRENTLY_DISABLED")]
)
def test_a_session_is_no_use_to_a_user_who_may_not_use_the_api(sim, flag, code):
    session = sim.session(sim.app)
    sim.control("PATCH", f"/users/{sim.app}", flag)
    assert refused(sim, session) == code


def test_requests_beyond_the_daily_limit_are_refused(simulate):
    sim = simulate({"org": {"daily_api_limit": 1}})
    session = sim.session(sim.app)
    sim.org.use_session(session)
    assert refused(sim, session) == "REQUEST_LIMIT_EXCEEDED"


@pytest.mark.parametrize("reuse", [False, True])
def test_a_second_login_gives_the_same_session_only_if_the_org_is_told_so(simulate, reuse):
    sim = simulate({"org": {"session_id_reuse": reuse}})
    assert (sim.session(sim.app) == sim.session(sim.app)) is reuse
    assert sim.session(sim.app) != sim.session(sim.admin)


def test_ending_a_session_twice_does_no_harm(sim):
    session = sim.session(sim.app)
    sim.org.end_session(session)
    sim.org.end_session(session)
    assert sim.org.session(session) is None
    assert sim.org.sessions_of(sim.user(sim.app)) == sim.org.sessions() == []


def test_a_user_name_cannot_be_taken_twice(sim):
    with pytest.raises(SettingsError, match="already"):
        sim.org.add_user(UserSettings(username=sim.app.upper(), password="x"))


def test_users_are_found_by_ids_of_either_length(sim):
    user = sim.user(sim.app)
    assert sim.org.user_by_id(user.id) is sim.org.user_by_id(user.id[:15]) is user


def test_a_reset_is_the_org_as_it_was_at_the_start(sim):
    session = sim.session(sim.app)
    before = sim.user(sim.app)
    sim.advance(100)
    sim.org.change_settings({"name": "Other"})
    sim.org.reset()
    assert sim.user(sim.app) is not before
    assert sim.user(sim.app).id == before.id
    assert sim.org.settings.name == "Orgsim"
    assert sim.org.session(session) is None
