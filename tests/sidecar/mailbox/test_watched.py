"""One folder for many users, at a real server: what is above a mark, and what becomes of it."""

import contextlib
import threading
import time
from email.message import EmailMessage

import pytest
from dovecot import HASTY, config_of
from waiting import until

from vault_salesforce_sidecar.clock import SystemClock
from vault_salesforce_sidecar.mailbox import imap, watched
from vault_salesforce_sidecar.mailbox.imap import Place
from vault_salesforce_sidecar.mailbox.mail import LARGEST_MAIL, MailboxUnavailable, MarkOfAnother, read_mail
from vault_salesforce_sidecar.mailbox.watched import WatchedMailbox


def mail(username="a@acme.example", token="aB3dEfGh1jKlMn0pQrStUv2x", sender="support@salesforce.com", filler=""):
    message = EmailMessage()
    message["From"] = sender
    message["Subject"] = "Ihr neues Sicherheitstoken für Salesforce"
    message.set_content(f"Benutzername: {username}\nSicherheitstoken: {token}\n{filler}", cte="base64")
    return message


def tokens(mails, username="a@acme.example"):
    found = (read_mail(one, username).token for one in mails)
    return [token.reveal() for token in found if token]


def number(count):
    return f"Token{count:04d}Abcdefghijklmnop"


def test_what_came_after_the_mark_is_above_it_oldest_first(inbox, opened):
    inbox.deliver(mail(token=number(0)))
    box = opened(config_of(inbox))
    mark = box.mark()
    assert box.above(mark) == []
    for count in (1, 2, 3):
        inbox.deliver(mail(token=number(count)))
        until(lambda: len(box.above(mark)) == count)  # noqa: B023 - called before the next turn
    assert tokens(box.above(mark)) == [number(1), number(2), number(3)]
    assert tokens(box.above(mark), "b@acme.example") == []


def test_a_mail_is_seen_while_the_server_is_waited_for_and_whoever_waits_is_told(inbox, opened):
    came = threading.Event()
    box = opened(config_of(inbox), came.set, watched.Pace(idle=60))
    mark = box.mark()
    until(box.latest)
    inbox.deliver(mail())
    assert came.wait(5)
    assert len(box.above(mark)) == 1


def test_marks_of_before_a_restart_still_tell_old_from_new(inbox, opened):
    inbox.deliver(mail(token=number(0)))
    mark = opened(config_of(inbox)).mark()
    inbox.deliver(mail(token=number(1)))
    box = opened(config_of(inbox))
    assert tokens(box.above(mark)) == [number(1)]
    until(box.latest)
    assert tokens(box.above(mark)) == [number(1)]


def test_reading_a_mail_leaves_it_unread(inbox, opened):
    box = opened(config_of(inbox))
    mark = box.mark()
    inbox.deliver(mail())
    until(lambda: box.above(mark))
    assert [message.get_flags() for message in inbox.maildir()] in ([""], [])


def test_a_used_mail_is_removed_and_others_stay(inbox, opened):
    box = opened(config_of(inbox))
    mark = box.mark()
    for count in (1, 2, 3):
        inbox.deliver(mail(token=number(count)))
    used = until(lambda: len(box.above(mark)) == 3 and box.above(mark)[1])
    box.delete(used.key)
    box.delete("no such mail")
    until(lambda: len(inbox.maildir()) == 2)
    left = {message.get_payload(decode=True).decode().split()[-1] for message in inbox.maildir()}
    assert left == set(tokens(box.above(mark))) == {number(1), number(2), number(3)} - set(tokens([used]))


def test_mails_of_others_and_mails_that_are_too_large_are_passed_over(inbox, opened):
    box = opened(config_of(inbox))
    mark = box.mark()
    inbox.deliver(mail(sender="noreply@shop.example"))
    inbox.deliver(mail(filler="x" * LARGEST_MAIL))
    inbox.deliver(mail(token=number(7)))
    assert tokens(until(lambda: box.above(mark))) == [number(7)]


def test_of_very_many_mails_the_latest_are_read(inbox, opened, monkeypatch):
    monkeypatch.setattr(imap, "MOST_MAILS", 25)
    box = opened(config_of(inbox))
    mark = box.mark()
    for count in range(60):
        inbox.deliver(mail(token=number(count)))
    found = tokens(opened(config_of(inbox)).above(mark))
    assert len(found) == 25
    assert number(59) in found


def test_where_uids_mean_something_else_what_arrived_before_the_mark_stays_old(inbox, opened):
    inbox.deliver(mail(token=number(0)))
    box = opened(config_of(inbox))
    mark = box.mark()
    threading.Event().wait(1.1)  # an IMAP server tells times in seconds
    inbox.deliver(mail(token=number(1)))
    until(lambda: box.above(mark))
    inbox.stop()
    inbox.forget_uids()
    inbox.start()

    def above():
        with contextlib.suppress(MailboxUnavailable):
            return box.above(mark)
        return []

    assert box.mark().split(".")[1] != mark.split(".")[1]
    assert tokens(until(above)) == [number(1)]
    inbox.deliver(mail(token=number(2)))
    until(lambda: tokens(above()) == [number(1), number(2)])


def test_a_server_that_goes_down_is_told_at_once_and_read_again_by_itself(inbox, opened):
    box = opened(config_of(inbox))
    mark = box.mark()
    until(box.latest)
    inbox.stop()
    until(box.fault)
    began = time.monotonic()
    with pytest.raises(MailboxUnavailable):
        box.above(mark)
    assert time.monotonic() - began < 5, "nobody who asks waits for a server that is known to be down"
    with pytest.raises(MailboxUnavailable):
        box.mark()
    inbox.start()
    inbox.deliver(mail())
    until(lambda: box.fault() is None)
    until(lambda: box.above(mark))


def test_many_users_share_one_thread_and_it_ends(inbox, opened):
    before = threading.active_count()
    box = opened(config_of(inbox))
    marks = []
    askers = [threading.Thread(target=lambda: marks.append(box.mark())) for _ in range(30)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(marks) == 30
    assert len(set(marks)) == 1
    assert threading.active_count() == before + 1
    until(box.latest)
    began = time.monotonic()
    box.stop()
    assert threading.active_count() == before
    assert time.monotonic() - began < 10


class MadeUpFolder:
    """A folder without IDLE, with mails that a test puts there."""

    idles = False
    validity = 7

    def __init__(self):
        self.mails = {}
        self.broken = False

    @contextlib.contextmanager
    def open(self, *, readonly, within=None):
        yield self

    def place(self):
        return Place(self.validity, max(self.mails, default=0) + 1, 0)

    def above(self, next_uid):
        if self.broken:
            raise MailboxUnavailable("it is broken")
        return {uid: raw for uid, raw in self.mails.items() if uid >= next_uid}

    def delete(self, uids):
        for uid in uids:
            self.mails.pop(uid, None)


@pytest.fixture
def folder():
    return MadeUpFolder()


@pytest.fixture
def polled(folder):
    box = WatchedMailbox("made up", folder.open, SystemClock(), lambda: None, HASTY)
    yield box
    box.stop()


def test_a_server_that_tells_nothing_by_itself_is_polled(folder, polled):
    mark = polled.mark()
    until(polled.latest)
    folder.mails[1] = b"one"
    assert [one.raw for one in until(lambda: polled.above(mark))] == [b"one"]
    folder.broken = True
    until(polled.fault)
    folder.broken = False
    until(lambda: polled.fault() is None)


def test_the_memory_is_bounded_and_what_was_dropped_is_read_again(folder, polled, monkeypatch):
    monkeypatch.setattr(watched, "MOST_KEPT", 10)
    mark = polled.mark()
    until(polled.latest)
    for uid in range(1, 9):
        folder.mails[uid] = b"12345"
    until(lambda: polled.latest() == "imap1.7.9.0")
    assert sum(map(len, polled._mails.values())) <= 10
    assert len(polled.above(mark)) == 8


def test_a_thread_that_nobody_needs_ends_and_the_next_question_begins_another(folder):
    box = WatchedMailbox("made up", folder.open, SystemClock(), lambda: None, watched.Pace(poll=0.02, unused=0.2))
    mark = box.mark()
    until(lambda: box._thread is None)
    folder.mails[1] = b"one"
    assert len(box.above(mark)) == 1
    assert box._thread is not None
    box.stop()


@pytest.mark.parametrize("mark", ["", "maildir1.5.a", "imap1", "imap1.1.2", "imap1.x.y.z", "imap2.1.2.3"])
def test_a_mark_of_something_else_is_told(polled, mark):
    with pytest.raises(MarkOfAnother):
        polled.above(mark)
