"""The rules of password changes, and what they do to the security token."""

from dataclasses import replace

import pytest

from salesforce_orgsim import changes
from salesforce_orgsim.changes import PasswordChange, Route
from salesforce_orgsim.faults import FaultError


def own(sim, new="Second-pass-2", old="First-pass-1"):
    user = sim.user(sim.app)
    return PasswordChange(Route.CHANGE_OWN, user, user, new=new, old=old)


def by_admin(sim, route=Route.SET, new="Second-pass-2", **how):
    return PasswordChange(route, sim.user(sim.admin), sim.user(sim.app), new=new, **how)


def refused(sim, change):
    with pytest.raises(FaultError) as caught:
        changes.apply(sim.org, change)
    return caught.value


def test_a_change_moves_the_record_and_ends_the_old_token(sim):
    user = sim.user(sim.app)
    sim.advance(60)
    changed = changes.apply(sim.org, own(sim))
    assert user.password == "Second-pass-2"
    assert user.last_password_change == sim.org.clock.now()
    assert user.security_token not in {None, "T" * 24}
    assert [letter.kind for letter in changed.letters] == ["security_token"]
    assert user.security_token in changed.letters[0].body
    assert user.counters.password_changes == user.counters.token_resets == user.counters.token_mails == 1


def test_checking_changes_nothing(sim):
    changes.check(sim.org, own(sim))
    assert sim.user(sim.app).password == "First-pass-1"


@pytest.mark.parametrize(
    "flag", [{"ever_reset_token_manually": False}, {"login_ranges": ["127.0.0.1"]}, {"mfa_api": True}]
)
def test_some_users_get_no_new_token_and_the_old_one_is_dead(sim, flag):
    sim.control("PATCH", f"/users/{sim.app}", flag)
    assert changes.apply(sim.org, own(sim)).letters == ()
    assert sim.user(sim.app).security_token is None


def test_an_api_only_user_who_once_had_a_token_by_hand_gets_the_next_by_mail(sim):
    sim.control("PATCH", f"/users/{sim.app}", {"api_only": True})
    assert len(changes.apply(sim.org, own(sim)).letters) == 1


@pytest.mark.parametrize("route", ["change_own", "set"])
def test_a_kind_of_change_can_be_told_to_leave_the_token_alone(simulate, route):
    sim = simulate({"org": {"token_reset": {route: False}}})
    changes.apply(sim.org, own(sim) if route == "change_own" else by_admin(sim))
    assert sim.user(sim.app).security_token == "T" * 24


def test_a_wrong_old_password_is_refused_and_counts_as_a_failed_login(simulate):
    sim = simulate({"org": {"password_policy": {"max_login_attempts": 2}}})
    assert refused(sim, own(sim, old="wrong")).code == "INVALID_OLD_PASSWORD"
    assert sim.user(sim.app).failed_count == 1
    refused(sim, own(sim, old="wrong"))
    assert sim.user(sim.app).counters.lockouts == 1


def test_a_wrong_old_password_need_not_count(simulate):
    sim = simulate({"org": {"wrong_old_password_counts_to_lockout": False}})
    refused(sim, own(sim, old="wrong"))
    assert sim.user(sim.app).failed_count == 0


def test_the_policy_holds_for_own_changes_and_for_administrators(sim):
    assert refused(sim, own(sim, new="short")).code == "INVALID_NEW_PASSWORD"
    assert refused(sim, by_admin(sim, new="short")).code == "INVALID_NEW_PASSWORD"
    assert refused(sim, own(sim, new="First-pass-1")).message == "invalid repeated password"


def test_a_minimum_lifetime_holds_for_a_day_and_for_administrators_too(simulate):
    sim = simulate({"org": {"password_policy": {"minimum_password_lifetime": True}}})
    assert refused(sim, own(sim)).message == "Your password cannot be reset at this time"
    assert refused(sim, by_admin(sim)).code == "INVALID_NEW_PASSWORD"
    sim.advance(86_400)
    changes.apply(sim.org, own(sim))


def test_a_password_that_must_be_changed_may_be_changed_at_once(simulate):
    sim = simulate({"org": {"password_policy": {"minimum_password_lifetime": True}}})
    sim.control("PATCH", f"/users/{sim.app}", {"expired": True})
    changes.apply(sim.org, own(sim))
    assert not sim.control("GET", f"/users/{sim.app}")["expired"]


def test_users_cannot_set_their_own_password_unless_the_org_lets_them_or_it_has_expired(sim):
    user = sim.user(sim.app)
    change = PasswordChange(Route.SET, user, user, new="Second-pass-2")
    fault = refused(sim, change)
    assert (fault.code, fault.message) == ("INSUFFICIENT_ACCESS", "Cannot set password for self")
    sim.control("PATCH", f"/users/{sim.app}", {"expired": True})
    changes.apply(sim.org, change)
    sim.control("PATCH", "/org", {"self_set_password_allowed": True})
    changes.apply(sim.org, replace(change, new="Third-pass-3"))


@pytest.mark.parametrize("flag", ["manage_users", "reset_passwords"])
def test_setting_the_password_of_another_takes_a_permission(sim, flag):
    sim.control("PATCH", f"/users/{sim.admin}", {"manage_users": False})
    assert refused(sim, by_admin(sim)).code == "INSUFFICIENT_ACCESS"
    sim.control("PATCH", f"/users/{sim.admin}", {flag: True})
    changes.apply(sim.org, by_admin(sim))


def test_the_password_of_an_inactive_user_cannot_be_set(sim):
    sim.control("PATCH", f"/users/{sim.app}", {"active": False})
    assert refused(sim, by_admin(sim)).code == "INACTIVE_OWNER_OR_USER"


def test_a_reset_unlocks_and_gives_a_temporary_password_without_a_token(sim):
    sim.control("PATCH", f"/users/{sim.app}", {"locked": True})
    user = sim.user(sim.app)
    changed = changes.apply(sim.org, by_admin(sim, Route.RESET, mails_link=True))
    assert changed.temporary_password == user.password
    assert len(user.password) == 9
    assert [letter.kind for letter in changed.letters] == ["password_reset"]
    assert user.security_token is None
    assert not user.locked(sim.org.clock.now())
    assert user.temporary_password


def test_the_lasting_password_after_a_reset_brings_the_token(simulate):
    sim = simulate({"org": {"token_reset": {"change_own": False}}})
    temporary = changes.apply(sim.org, by_admin(sim, Route.RESET)).temporary_password
    changed = changes.apply(sim.org, own(sim, old=temporary))
    assert [letter.kind for letter in changed.letters] == ["security_token"]
    assert not sim.user(sim.app).temporary_password


@pytest.mark.parametrize("unlocks", [False, True])
def test_a_set_password_unlocks_only_if_the_org_is_told_so(simulate, unlocks):
    sim = simulate({"org": {"set_password_unlocks": unlocks}})
    sim.control("PATCH", f"/users/{sim.app}", {"locked": True})
    changes.apply(sim.org, by_admin(sim))
    assert sim.user(sim.app).locked(sim.org.clock.now()) is not unlocks


@pytest.mark.parametrize("ends", [False, True])
def test_sessions_outlive_an_administrators_change_unless_the_org_ends_them(simulate, ends):
    sim = simulate({"org": {"terminate_user_sessions_when_admin_resets_password": ends}})
    session = sim.session(sim.app)
    changes.apply(sim.org, own(sim))
    assert sim.org.session(session)
    changes.apply(sim.org, by_admin(sim, new="Third-pass-3"))
    assert (sim.org.session(session) is None) is ends


def test_a_token_reset_by_hand_is_mailed_and_remembered(sim):
    sim.control("PATCH", f"/users/{sim.app}", {"ever_reset_token_manually": False})
    letter = changes.reset_token(sim.org, sim.user(sim.app))
    assert sim.user(sim.app).security_token in letter.body
    assert sim.user(sim.app).settings.ever_reset_token_manually


@pytest.mark.parametrize(
    ("record_id", "code"), [("nonsense", "MALFORMED_ID"), ("005Qk0000000999", "INVALID_CROSS_REFERENCE_KEY")]
)
def test_an_id_that_is_no_users_is_refused(sim, record_id, code):
    with pytest.raises(FaultError) as caught:
        changes.subject_of(sim.org, record_id)
    assert caught.value.code == code


def test_secrets_are_not_in_a_changes_representation(sim):
    assert "-pass-" not in repr(own(sim))
    assert sim.user(sim.app).password not in repr(changes.apply(sim.org, by_admin(sim, Route.RESET)))


def test_the_user_is_written_to_when_the_one_day_rule_refuses_a_reset(simulate):
    sim = simulate({"org": {"password_policy": {"minimum_password_lifetime": True}}})
    session, path = sim.session(sim.admin), f"/v68.0/sobjects/User/{sim.user(sim.app).id}/password"
    answer = sim.rest("DELETE", path, session)
    assert answer.get_json()[0]["message"] == "Your password cannot be reset at this time"
    (mail,) = sim.control("GET", f"/mailbox/{sim.app}")
    assert mail["subject"].endswith("password reset failure")
    assert sim.user(sim.app).password == "First-pass-1"
    sim.rest("POST", path, session, json={"NewPassword": "Second-pass-2"})
    assert len(sim.control("GET", f"/mailbox/{sim.app}")) == 1


def test_the_codes_of_two_refusals_are_the_orgs_choice(simulate):
    sim = simulate({"org": {"repeated_password_code": "UNKNOWN_EXCEPTION", "one_day_rule_code": "INSUFFICIENT_ACCESS"}})
    session, user = sim.session(sim.admin), sim.user(sim.app)
    assert sim.soap("setPassword", session, userId=user.id, password="First-pass-1").code == "UNKNOWN_EXCEPTION"
    sim.control("PATCH", "/org", {"password_policy": {"minimum_password_lifetime": True}})
    assert sim.soap("setPassword", session, userId=user.id, password="Second-pass-2").code == "INSUFFICIENT_ACCESS"
