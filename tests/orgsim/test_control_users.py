"""The users, seen and changed over the control port."""

import pytest

NEW = {"username": "new@crm.example", "password": "Some-pass-1", "security_token": "hidden-token"}


def test_a_user_is_shown_with_settings_and_counters_and_without_secrets(sim):
    sim.log_in(sim.app)
    listed = sim.control("GET", "/users")
    assert [user["username"] for user in listed] == [sim.app, sim.admin]
    shown = sim.control("GET", f"/users/{sim.app.upper()}")
    assert shown == listed[0]
    assert (shown["logins"], shown["failed_logins"], shown["locked"], shown["lockouts"]) == (1, 0, False, 0)
    assert (shown["password_changes"], shown["token_resets"]) == (0, 0)
    assert shown["last_password_change"] == shown["last_login"] == "2026-11-21T20:00:00.000+0000"
    assert not {"password", "security_token"} & shown.keys()
    assert "First-pass-1" not in str(listed)


def test_users_are_added_one_or_many_at_a_time(sim):
    assert sim.control("POST", "/users", NEW, status=201)["username"] == "new@crm.example"
    assert "hidden" not in str(sim.control("GET", "/users"))
    many = [{"username": f"u{n}@crm.example", "password": "Some-pass-1"} for n in range(3)]
    assert len(sim.control("PUT", "/users", many, status=201)) == 3
    assert sim.log_in("new@crm.example", "Some-pass-1hidden-token").status == 200


@pytest.mark.parametrize("again", [NEW, [{**NEW, "username": "x@crm.example"}, NEW]])
def test_a_name_that_is_taken_is_refused_and_nobody_is_added(sim, again):
    sim.control("POST", "/users", NEW, status=201)
    assert "already" in sim.control("POST", "/users", again, status=409)["error"]
    assert len(sim.control("GET", "/users")) == 3


def test_settings_and_standing_are_changed(sim):
    changed = sim.control(
        "PATCH", f"/users/{sim.app}", {"apiOnly": True, "failed_count": 2, "locked": True, "temporaryPassword": True}
    )
    assert (changed["api_only"], changed["failed_count"], changed["locked"]) == (True, 2, True)
    assert changed["expired"] is changed["temporary_password"] is True
    assert changed["lockouts"] == 0
    assert sim.control("PATCH", f"/users/{sim.app}", {"locked": False})["locked"] is False


def test_a_password_changed_in_the_browser_ends_the_token_and_mails_a_new_one(sim):
    changed = sim.control("PATCH", f"/users/{sim.app}", {"password": "By-hand-1"})
    assert (changed["password_changes"], changed["token_resets"]) == (1, 1)
    assert sim.user(sim.app).password == "By-hand-1"
    assert sim.user(sim.app).security_token in sim.control("GET", f"/mailbox/{sim.app}")[0]["body"]


@pytest.mark.parametrize(
    ("document", "part"),
    [
        ({"username": "other"}, "username cannot be changed"),
        ({"security_token": "x"}, "security_token cannot be changed"),
        ({"activ": True}, "did you mean 'active'?"),
        ({"locked": "yes"}, "user.locked"),
        ({"login_ranges": ["everywhere"]}, "user.login_ranges"),
    ],
)
def test_what_cannot_be_changed_is_refused(sim, document, part):
    assert part in sim.control("PATCH", f"/users/{sim.app}", document, status=400)["error"]


def test_a_token_is_reset_as_the_user_would(sim):
    before = sim.user(sim.app).security_token
    shown = sim.control("POST", f"/users/{sim.app}/reset-security-token")
    assert shown["token_resets"] == shown["token_mails"] == 1
    after = sim.user(sim.app).security_token
    assert after != before
    assert str(after) not in str(shown)
    (mail,) = sim.control("GET", f"/mailbox/{sim.app}")
    assert (mail["kind"], mail["to"]) == ("security_token", sim.app)
    assert str(after) in mail["body"]


@pytest.mark.parametrize("flag", [{"login_ranges": ["127.0.0.1"]}, {"mfa_api": True}, {"api_only": True}])
def test_some_users_have_no_page_for_resetting_the_token(sim, flag):
    sim.control("PATCH", f"/users/{sim.app}", flag)
    sim.control("POST", f"/users/{sim.app}/reset-security-token", status=409)
    assert sim.user(sim.app).security_token == "T" * 24


def test_an_administrator_can_log_in_as_an_api_only_user_and_reset_the_token(sim):
    sim.control("PATCH", f"/users/{sim.app}", {"api_only": True})
    sim.control("POST", f"/users/{sim.app}/reset-security-token", {"login_as": True})
    assert sim.user(sim.app).security_token != "T" * 24


def test_every_session_of_a_user_is_ended_and_of_nobody_else(sim):
    ended, other = sim.session(sim.app), sim.session(sim.admin)
    assert sim.control("POST", f"/users/{sim.app}/end-sessions")["username"] == sim.app
    assert sim.org.session(ended) is None
    assert sim.org.session(other) is not None
    sim.control("POST", "/users/nobody/end-sessions", status=404)


def test_a_credential_is_checked_without_a_login(sim):
    right = {"password": "First-pass-1", "security_token": "T" * 24}
    answer = {"password": True, "security_token": True, "proven": False}
    assert sim.control("POST", f"/users/{sim.app}/check", right) == answer
    assert not any(sim.control("POST", f"/users/{sim.app}/check", {}).values())
    sim.control("POST", f"/users/{sim.app}/check", {"password": 7}, status=400)
    assert sim.control("GET", f"/users/{sim.app}")["logins"] == 0
    assert len(sim.org.history) == 0


def test_it_is_told_whether_a_credential_ever_logged_in_also_after_the_next_one_took_its_place(sim):
    first = {"password": "First-pass-1", "security_token": "T" * 24}
    sim.log_in(sim.app, first["password"] + first["security_token"])
    assert sim.control("POST", f"/users/{sim.app}/check", first)["proven"]
    sim.control("PATCH", f"/users/{sim.app}", {"password": "Second-pass-2"})
    seen = sim.control("POST", f"/users/{sim.app}/check", first)
    assert (seen["password"], seen["proven"]) == (False, True)
    assert not sim.control("POST", f"/users/{sim.app}/check", {"password": "Second-pass-2"})["proven"]


def test_a_renamed_user_is_the_same_user_with_another_name(sim):
    before = sim.control("GET", f"/users/{sim.app}")
    renamed = sim.control("POST", f"/users/{sim.app}/rename", {"username": "Renamed@crm.example"})
    assert (renamed["username"], renamed["id"]) == ("Renamed@crm.example", before["id"])
    sim.control("GET", f"/users/{sim.app}", status=404)
    assert sim.log_in("renamed@crm.example").status == 200
    assert "already" in str(
        sim.control("POST", "/users/renamed@crm.example/rename", {"username": sim.admin}, status=400)
    )
