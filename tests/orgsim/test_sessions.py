"""What an open session is still good for."""

import pytest

from salesforce_orgsim.faults import FaultError
from salesforce_orgsim.sessions import Origin

HERE, ELSEWHERE = "10.1.1.1", "198.51.100.7"


@pytest.fixture
def use(sim):
    """Use a session that was opened at one address from another; returns the code of the refusal, or None."""
    session = sim.org.open_session(sim.user(sim.app), Origin(HERE))

    def from_address(source):
        try:
            sim.org.use_session(session.id, source=source)
        except FaultError as fault:
            return fault.code
        return None

    return from_address


def test_a_session_may_be_used_from_everywhere(use):
    assert use(HERE) is use(ELSEWHERE) is None


def test_a_session_may_be_locked_to_its_address(sim, use):
    sim.control("PATCH", "/org", {"lock_sessions_to_ip": True})
    assert use(HERE) is None
    assert use(ELSEWHERE) == "INVALID_SESSION_ID"


@pytest.mark.parametrize("enforced", [False, True])
def test_the_profiles_ranges_may_hold_for_every_request(sim, use, enforced):
    sim.control("PATCH", "/org", {"enforce_ip_ranges_every_request": enforced})
    sim.control("PATCH", f"/users/{sim.app}", {"login_ranges": ["10.0.0.0/8"]})
    assert use(HERE) is None
    assert use(ELSEWHERE) == ("INVALID_SESSION_ID" if enforced else None)


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ("off", None),
        ("no_access", "TXN_SECURITY_NO_ACCESS"),
        ("two_fa_required", "TXN_SECURITY_TWO_FA_REQUIRED"),
        ("end_a_session", "TXN_SECURITY_END_A_SESSION"),
    ],
)
def test_a_transaction_security_policy_refuses_in_its_own_words(sim, use, policy, code):
    sim.control("PATCH", "/org", {"transaction_security": policy})
    assert use(HERE) == code


def test_a_profile_that_demands_high_assurance_makes_a_session_useless(sim):
    sim.control("PATCH", f"/users/{sim.app}", {"high_assurance": True})
    session = sim.log_in(sim.app).text("sessionId")
    answer = sim.rest("GET", "/v68.0/limits", session)
    assert answer.status_code == 401
    assert answer.get_json() == [
        {"message": "This session is not valid for use with the REST API", "errorCode": "INVALID_SESSION_ID"}
    ]
    assert sim.soap("getUserInfo", session).code == "INVALID_SESSION_ID"


def test_the_id_of_a_session_is_not_in_its_representation(sim):
    session = sim.org.open_session(sim.user(sim.app))
    assert session.id not in repr(session)
    assert session.id not in session.delete_token
