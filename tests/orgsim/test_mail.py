"""Letters, and how they reach the maildir."""

import email
import email.policy
import re

import pytest

from salesforce_orgsim.mail import token_letter

TOKEN = re.compile(r"^Security token \(case-sensitive\): (\w{24,25})$", re.MULTILINE)


def parsed(maildir):
    return [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        for path in sorted((maildir / "new").iterdir())
    ]


@pytest.fixture
def maildir(tmp_path):
    return tmp_path / "mail"


def reset(sim, username):
    return sim.control("POST", f"/users/{username}/reset-security-token")


def test_a_token_mail_is_for_the_users_address_and_names_user_and_token(simulate, maildir):
    sim = simulate(maildir=maildir)
    sim.control("PATCH", f"/users/{sim.app}", {"email": "box@crm.example"})
    reset(sim, sim.app)
    (message,) = parsed(maildir)
    assert (message["To"], message["Subject"]) == ("box@crm.example", "Your new Salesforce security token")
    assert message["From"] == "Salesforce <noreply@salesforce.com>"
    assert message["Date"].datetime == sim.org.clock.now()
    body = message.get_body(("plain",)).get_content()
    assert f"\nUsername: {sim.app}\n" in body
    assert TOKEN.search(body)[1] == sim.user(sim.app).security_token
    assert sim.user(sim.app).security_token in message.get_body(("html",)).get_content()


def test_one_maildir_serves_all_users_and_nothing_is_left_in_tmp(simulate, maildir):
    sim = simulate(maildir=maildir)
    reset(sim, sim.app)
    reset(sim, sim.admin)
    bodies = [message.get_body(("plain",)).get_content() for message in parsed(maildir)]
    assert sorted(re.findall(r"Username: (\S+)", "".join(bodies))) == [sim.admin, sim.app]
    assert list((maildir / "tmp").iterdir()) == []


def test_a_maildir_that_is_an_empty_directory_is_made_whole(simulate, maildir):
    maildir.mkdir()
    simulate(maildir=maildir)
    assert {folder.name for folder in maildir.iterdir()} == {"tmp", "new", "cur"}


def test_the_old_wording_has_another_sender_and_subject(sim):
    user = sim.user(sim.app)
    letter = token_letter(user, "T" * 24, sim.org.clock.now(), wording="old")
    assert (letter.sender, letter.subject) == ("support@salesforce.com", "salesforce.com security token confirmation")


def test_the_html_part_escapes_what_users_are_called(sim):
    sim.control("POST", "/users", {"username": "a&b@crm.example", "password": "Some-pass-1"}, status=201)
    letter = token_letter(sim.user("a&b@crm.example"), "T" * 24, sim.org.clock.now(), wording="new")
    assert "a&amp;b@crm.example" in letter.message().get_body(("html",)).get_content()


def test_a_letters_body_is_not_in_its_representation(sim):
    assert "T" * 24 not in repr(token_letter(sim.user(sim.app), "T" * 24, sim.org.clock.now(), wording="new"))


def test_lost_mail_arrives_nowhere(simulate, maildir):
    sim = simulate({"misbehave": {"mail_lost": {"times": 1}}}, maildir=maildir)
    reset(sim, sim.app)
    assert sim.control("GET", f"/mailbox/{sim.app}") == []
    reset(sim, sim.app)
    assert len(parsed(maildir)) == len(sim.control("GET", f"/mailbox/{sim.app}")) == 1


def test_delayed_mail_is_not_there_before_its_time(simulate, maildir):
    sim = simulate({"misbehave": {"mail_delay_seconds": 600}}, maildir=maildir)
    reset(sim, sim.app)
    assert parsed(maildir) == []


def test_delayed_mail_arrives(simulate, maildir, eventually):
    sim = simulate({"misbehave": {"mail_delay_seconds": 0.01}}, maildir=maildir)
    reset(sim, sim.app)
    eventually(lambda: len(parsed(maildir)) == 1)


@pytest.mark.parametrize("after", [False, True])
def test_mail_is_there_before_the_answer_unless_told_otherwise(simulate, maildir, after):
    sim = simulate({"misbehave": {"mail_after_answer": after}}, maildir=maildir)
    headers = {"Authorization": f"Bearer {sim.session(sim.admin)}"}
    path = f"/services/data/v68.0/sobjects/User/{sim.user(sim.app).id}/password"
    # An answer that is not buffered is open until the test closes it, as a connection would be.
    answer = sim.vendor.post(path, headers=headers, json={"NewPassword": "Second-pass-2"}, buffered=False)
    assert answer.status_code == 204
    assert len(parsed(maildir)) == (0 if after else 1)
    answer.close()
    assert len(parsed(maildir)) == 1


def test_a_reset_of_the_simulator_takes_its_mail_back(simulate, maildir):
    sim = simulate(maildir=maildir)
    reset(sim, sim.app)
    sim.control("POST", "/reset")
    assert parsed(maildir) == []
    assert sim.control("GET", f"/mailbox/{sim.app}") == []
