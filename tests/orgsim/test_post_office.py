"""How letters reach the maildir, a mail server, and the tests."""

import email
import email.policy
import re
import socketserver
from threading import Thread

import pytest

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


def test_mail_may_come_more_than_once(simulate, maildir):
    sim = simulate({"misbehave": {"mail_duplicate": {"copies": 3, "times": 1}}}, maildir=maildir)
    reset(sim, sim.app)
    assert len(parsed(maildir)) == len(sim.control("GET", f"/mailbox/{sim.app}")) == 3
    reset(sim, sim.app)
    assert len(parsed(maildir)) == 4


class MailServer(socketserver.ThreadingTCPServer):
    """Takes one mail per connection."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Receiver)
        self.letters = []


class Receiver(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 orgsim test\r\n")
        received = None
        for line in self.rfile:
            if received is not None:
                received.append(line)
                if line == b".\r\n":
                    self.server.letters.append(b"".join(received[:-1]).replace(b"\r\n", b"\n"))
                    received = None
                    self.wfile.write(b"250 taken\r\n")
            elif line.upper().startswith(b"DATA"):
                received = []
                self.wfile.write(b"354 go on\r\n")
            else:
                self.wfile.write(b"250 yes\r\n")
                if line.upper().startswith(b"QUIT"):
                    return


@pytest.fixture
def mail_server():
    with MailServer() as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_mail_is_sent_to_a_mail_server_before_the_answer(simulate, mail_server):
    sim = simulate(smtp=mail_server.server_address)
    reset(sim, sim.app)
    (raw,) = mail_server.letters
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert message["To"] == sim.app
    assert TOKEN.search(message.get_body(("plain",)).get_content())[1] == sim.user(sim.app).security_token


def test_a_mail_server_that_is_away_costs_the_letter_and_no_more(simulate, mail_server):
    mail_server.server_close()
    sim = simulate(smtp=mail_server.server_address)
    reset(sim, sim.app)
    assert len(sim.control("GET", f"/mailbox/{sim.app}")) == 1


def test_a_test_may_put_a_mail_of_its_own_there(simulate, maildir):
    sim = simulate(maildir=maildir)
    forged = {"from": "thief@evil.example", "subject": "Your new Salesforce security token", "body": "Username: x"}
    (shown,) = sim.control("POST", f"/mailbox/{sim.app}", forged, status=201)
    assert (shown["kind"], shown["from"]) == ("by_hand", "thief@evil.example")
    assert parsed(maildir)[0]["From"] == "thief@evil.example"
    sim.control("POST", f"/mailbox/{sim.app}", {"subject": 5}, status=400)
