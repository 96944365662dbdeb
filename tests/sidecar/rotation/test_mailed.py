"""Mailed tokens: taken soon, each tried once, refused ones told once, and a mailbox that is down changes nothing."""

from dataclasses import replace

import pytest
import structlog
from fakes import CALLER, CRM, JOURNAL
from stage import Stage

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_sidecar.mailbox.mail import Mail, MailboxUnavailable, MarkOfAnother
from vault_salesforce_sidecar.rotation.handed_in import HandedIn

FORGED = "Forged0000Token0000Abcde"


def run_out(stage, *sidecars, seconds):
    for _ in range(seconds):
        for rotations in sidecars:
            rotations.tick()
        stage.clock.seconds += 1


def bring_from(stage, sender, token, username=CRM, head=""):
    key = f"mail-{len(stage.mailbox.mails)}"
    text = f"{head}From: {sender}\r\n\r\nUsername: {username}\r\nSecurity token: {token}\r\n"
    stage.mailbox.mails.append(Mail(key, text.encode()))


class DownMailbox:
    """Goes down when a test says so."""

    def __init__(self, mailbox):
        self._mailbox = mailbox
        self.why = None

    def __getattr__(self, name):
        if self.why is not None:
            raise self.why
        return getattr(self._mailbox, name)


@pytest.fixture
def stage():
    return Stage(token_from="mailbox", untrusted=True)


@pytest.fixture
def down(stage):
    stage.mailbox = DownMailbox(stage.mailbox)
    return stage.mailbox


def waiting(stage):
    """A role whose password was changed, and whose mail has not come."""
    stage.person.mails = False
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    assert stage.entry["state"] == "awaiting_token"
    return rotations


@pytest.mark.parametrize(("charges", "tried"), [(1, 1), (2, 0)])
def test_the_last_login_is_not_spent_on_a_mail_whose_sender_nobody_proved(stage, charges, tried):
    rotations = stage.enrolled()
    run_out(stage, rotations, seconds=40)
    stage.engine_kv.newest(JOURNAL)["charges"] = charges
    stage.mailbox.bring(CRM, FORGED)
    run_out(stage, rotations, seconds=60)
    assert stage.person.logins == tried


def test_a_mail_that_comes_minutes_late_is_looked_for_at_once_when_the_mailbox_says_so(stage):
    rotations = waiting(stage)
    run_out(stage, rotations, seconds=305)
    stage.mailbox.bring(CRM, stage.person.token)
    rotations.mail_arrived()
    rotations.tick()
    assert stage.is_live
    assert stage.person.fails == 0


def test_a_mailbox_that_is_down_at_the_beginning_stops_the_rotation_before_any_change(stage, down):
    rotations = stage.enrolled()
    down.why = MailboxUnavailable("mail.example does not answer in time")
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    status = rotations.status("crm")
    assert (stage.person.changes, status.state, status.next_step.split()[-2]) == (0, "parked", "sf/rotate/crm")
    assert "mail.example does not answer in time" in status.reason
    down.why = None
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    assert stage.is_live


def test_a_mailbox_that_goes_down_in_the_middle_is_told_and_waited_for(stage, down):
    rotations = waiting(stage)
    down.why = MailboxUnavailable("mail.example does not answer in time")
    stage.person.mails = True
    with structlog.testing.capture_logs() as lines:
        run_out(stage, rotations, seconds=120)
    assert "mail.example does not answer in time." in rotations.status("crm").reason
    assert len([line for line in lines if line["log_level"] == "warning"]) == 1, "said once"
    assert stage.person.logins == 1
    down.why = None
    stage.mailbox.bring(CRM, stage.person.token)
    run_out(stage, rotations, seconds=10)
    assert stage.is_live
    assert "mail.example" not in rotations.status("crm").reason


def test_without_its_mailbox_the_old_token_is_tried_after_ten_minutes_all_the_same(stage, down):
    rotations = waiting(stage)
    stage.person.token = stage.published["security_token"]
    down.why = MailboxUnavailable("it is down")
    run_out(stage, rotations, seconds=620)
    assert rotations.status("crm").token_state == "survived"


@pytest.mark.parametrize(
    ("sender", "head", "why"),
    [
        ("Salesforce <support@salesforce.com.evil.example>", "", "not from salesforce.com"),
        ("noreply@salesforce.com", "Authentication-Results: mx.acme.example; dmarc=fail\r\n", "forged"),
    ],
)
def test_a_mail_that_is_known_to_be_forged_costs_no_login_and_is_told_once(stage, sender, head, why):
    rotations = waiting(stage)
    bring_from(stage, sender, FORGED, head=head)
    with structlog.testing.capture_logs() as lines:
        run_out(stage, rotations, seconds=30)
    (line,) = [line for line in lines if line["event"] == "mail refused"]
    assert (line["username"], line["key"], why in line["reason"]) == (CRM, "mail-0", True)
    assert stage.person.logins == 1
    stage.mailbox.bring(CRM, stage.person.token)
    with structlog.testing.capture_logs() as lines:
        run_out(stage, rotations, seconds=10)
    assert stage.is_live
    taken = [line for line in lines if line["event"] == "mail taken"]
    assert [(line["username"], line["key"]) for line in taken] == [(CRM, "mail-1")]
    assert stage.person.token not in repr(lines)
    assert FORGED not in repr(lines)


def test_mails_of_the_users_of_one_mailbox_are_each_given_to_their_own(stage):
    names = [CRM, "x" + CRM, CRM + ".sandbox", "b@acme.example"]
    rotations = stage.enrolled()
    for number, name in enumerate(names[1:]):
        person = stage.org.add(name, "Old-password-1", token=f"Token{number:019d}")
        role = replace(stage.role, username=name)
        HandedIn(rotations).enrol(f"r{number}", role, SecretStr("Old-password-1"), SecretStr(person.token), CALLER)
    for person in stage.org.people.values():
        person.mails = False
    roles = ["crm", "r0", "r1", "r2"]
    for role in roles:
        rotations.rotate(role, CALLER, allow_security_token_wait=True)
    for number, (name, person) in enumerate(stage.org.people.items()):
        person.token = f"Fresh{number:04d}Abcdefghijklmnop"
        person.logins = 0
        stage.mailbox.bring(name, person.token)
    run_out(stage, rotations, seconds=10)
    for role, name in zip(roles, names, strict=True):
        assert rotations.status(role).state == "ok"
        assert stage.creds_kv.newest(f"creds/{role}")["security_token"] == stage.org.people[name].token
        assert (stage.org.people[name].logins, stage.org.people[name].fails) == (1, 0)
    assert len(stage.mailbox.deleted) == 4


def test_of_several_mails_the_newest_is_taken_and_the_outdated_ones_are_neither_tried_nor_kept(stage):
    rotations = waiting(stage)
    for number in range(3):
        stage.mailbox.bring(CRM, f"Outdated{number:04d}Abcdefghijkl")
    stage.mailbox.bring(CRM, stage.person.token)
    run_out(stage, rotations, seconds=120)
    assert stage.is_live
    assert (stage.person.logins, stage.person.fails) == (2, 0)
    assert stage.mailbox.deleted == {f"mail-{number}" for number in range(4)}


def test_mails_that_are_to_be_kept_are_kept_and_still_tried_once(stage):
    stage.connections.put("demo", replace(stage.config, mailbox_after="keep"), 1)
    rotations = waiting(stage)
    stage.mailbox.bring(CRM, "Outdated0000Abcdefghijkl")
    stage.mailbox.bring(CRM, stage.person.token)
    run_out(stage, rotations, seconds=300)
    assert stage.is_live
    assert (stage.person.logins, stage.mailbox.deleted) == (2, set())


def test_a_role_at_rest_that_was_looked_for_is_not_looked_for_again_before_something_came(stage):
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    run_out(stage, rotations, seconds=40)
    asked = []
    above = stage.mailbox.above
    stage.mailbox.above = lambda mark: asked.append(mark) or above(mark)
    run_out(stage, rotations, seconds=120)
    assert asked == []
    stage.org.reset_token(CRM)
    run_out(stage, rotations, seconds=40)
    assert stage.is_live
    assert stage.published["version"] == 3


def test_where_the_connection_has_another_mailbox_now_a_role_at_rest_is_marked_anew(stage, down):
    rotations = stage.enrolled()
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    run_out(stage, rotations, seconds=40)
    above = down._mailbox.above

    def of_this_kind(mark):
        if mark == old:
            raise MarkOfAnother
        return above(mark)

    old = stage.entry["mailbox_mark"]
    down._mailbox.above = of_this_kind
    stage.mailbox.bring("other@acme.example", FORGED)
    run_out(stage, rotations, seconds=40)
    assert stage.entry["mailbox_mark"] != old
    stage.org.reset_token(CRM)
    run_out(stage, rotations, seconds=40)
    assert stage.is_live


MAIL = "From: {sender}\r\nSubject: x\r\n\r\nUsername: {name}\r\nSecurity token: {token}\r\n"


@pytest.mark.parametrize("sender", ["support@salesforce.com", "A Colleague <colleague@acme.example>"])
def test_a_whole_mail_that_is_handed_in_brings_its_token(stage, sender):
    rotations = waiting(stage)
    mail = SecretStr(MAIL.format(sender=sender, name=CRM, token=stage.person.token))
    HandedIn(rotations).security_token("crm", None, CALLER, 10, mail)
    assert stage.is_live


def test_the_text_of_a_mail_without_its_header_is_enough(stage):
    rotations = waiting(stage)
    mail = SecretStr(f"Username: {CRM}\nSecurity token (case-sensitive): {stage.person.token}\n")
    HandedIn(rotations).security_token("crm", None, CALLER, 10, mail)
    assert stage.is_live


@pytest.mark.parametrize(
    ("token", "mail", "why"),
    [
        (None, None, "give security_token, or mail"),
        ("x", "y", "give security_token, or mail"),
        (None, MAIL.format(sender="support@salesforce.com", name=f"x{CRM}", token=FORGED), "does not name"),
        (None, MAIL.format(sender="support@salesforce.com", name=CRM, token="short"), "holds no security token"),
        (None, "x" * 300_000, "longer than 256 KiB"),
    ],
)
def test_a_mail_that_brings_nothing_is_refused_before_anything_is_tried(stage, token, mail, why):
    rotations = waiting(stage)
    given = [SecretStr(text) if text else None for text in (token, mail)]
    with pytest.raises(CallerError, match=why) as error:
        HandedIn(rotations).security_token("crm", given[0], CALLER, 10, given[1])
    assert error.value.status == 400
    assert FORGED not in str(error.value)
    assert stage.person.logins == 1
