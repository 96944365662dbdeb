"""A maildir: what is new above a mark, whatever mail readers and clocks do meanwhile."""

import mailbox
import os

import pytest

from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_sidecar.mailbox import maildir as module
from vault_salesforce_sidecar.mailbox.mail import MailboxUnavailable
from vault_salesforce_sidecar.mailbox.maildir import Maildir, open_mailbox


class Box:
    """A maildir with somebody who delivers and somebody who reads."""

    def __init__(self, path):
        self.path = path
        mailbox.Maildir(path, create=True)
        self.count = 0

    def deliver(self, text="hello", *, arrived=None, part="new"):
        self.count += 1
        file = self.path / part / f"170000000{self.count}.M{self.count}P1.host"
        file.write_text(text)
        if arrived is not None:
            os.utime(file, ns=(arrived, arrived))
        return file

    def look_at(self, file, flags="S"):
        seen = self.path / "cur" / f"{file.name.partition(':')[0]}:2,{flags}"
        file.rename(seen)
        return seen


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path / "mail")


@pytest.fixture
def maildir(box):
    return Maildir(box.path)


def bodies(mails):
    return [mail.raw.decode() for mail in mails]


def test_what_came_after_the_mark_is_above_it_oldest_first(box, maildir):
    box.deliver("old")
    mark = maildir.mark()
    assert maildir.above(mark) == []
    box.deliver("third", arrived=3 * 10**18)
    box.deliver("second", arrived=2 * 10**18)
    assert bodies(maildir.above(mark)) == ["second", "third"]


def test_everything_is_above_the_mark_of_an_empty_maildir(box, maildir):
    mark = maildir.mark()
    box.deliver("one", arrived=0)
    box.deliver("two", part="cur", arrived=1)
    assert bodies(maildir.above(mark)) == ["one", "two"]


def test_a_mail_that_somebody_looked_at_is_no_newer(box, maildir):
    file = box.deliver("old")
    mark = maildir.mark()
    seen = box.look_at(file)
    assert maildir.above(mark) == []
    box.look_at(seen, "RS")
    assert maildir.above(mark) == []


def test_a_new_mail_that_somebody_looked_at_is_new(box, maildir):
    mark = maildir.mark()
    key = box.look_at(box.deliver("new")).name.partition(":")[0]
    (mail,) = maildir.above(mark)
    assert (mail.key, mail.raw) == (key, b"new")


def test_a_clock_that_went_back_hides_no_mail(box, maildir):
    box.deliver("old", arrived=5 * 10**18)
    mark = maildir.mark()
    box.deliver("new", arrived=1)
    assert bodies(maildir.above(mark)) == ["new"]


def test_a_mark_outlives_what_it_names(box, maildir):
    box.deliver("old").unlink()
    file = box.deliver("old")
    mark = maildir.mark()
    file.unlink()
    box.deliver("new")
    assert bodies(Maildir(box.path).above(mark)) == ["new"]


def test_a_mark_stays_short_however_many_mails_there_are(box, maildir, monkeypatch):
    monkeypatch.setattr(module, "MARK_NAMES", 10)
    for number in range(25):
        box.deliver("old", arrived=10**18 + number * 10**9)
    mark = maildir.mark()
    assert len(mark) < 200
    assert maildir.above(mark) == []
    box.deliver("among the latest", arrived=10**18 + 20 * 10**9)
    box.deliver("the latest", arrived=10**18 + 99 * 10**9)
    assert bodies(maildir.above(mark)) == ["among the latest", "the latest"]


def test_many_mails_of_one_moment_are_all_old(box, maildir, monkeypatch):
    monkeypatch.setattr(module, "MARK_NAMES", 3)
    for _ in range(9):
        box.deliver("old", arrived=10**18)
    mark = maildir.mark()
    assert maildir.above(mark) == []
    box.deliver("new", arrived=10**18 + 1)
    assert bodies(maildir.above(mark)) == ["new"]


def test_a_full_mark_fits_into_the_journal():
    digests = module.base64.urlsafe_b64encode(bytes(module._DIGEST_BYTES * module.MARK_NAMES))
    assert len(digests) < 5000


@pytest.mark.parametrize("mark", ["", "nonsense", "maildir1.x.", "maildir1.5.a", "uid.12.34", "maildir1"])
def test_a_mark_of_something_else_is_told(maildir, mark):
    with pytest.raises(MailboxUnavailable, match="mailbox was changed"):
        maildir.above(mark)


def test_only_mails_are_mails(box, maildir, tmp_path):
    mark = maildir.mark()
    (box.path / "tmp" / "1.half").write_text("half")
    (box.path / "new" / ".hidden").write_text("hidden")
    (box.path / "new" / "directory").mkdir()
    (tmp_path / "secret").write_text("secret")
    (box.path / "new" / "1.link").symlink_to(tmp_path / "secret")
    box.deliver("x" * (module.LARGEST_MAIL + 1))
    box.deliver("x" * module.LARGEST_MAIL)
    assert [len(mail.raw) for mail in maildir.above(mark)] == [module.LARGEST_MAIL]


def test_a_used_mail_is_deleted_wherever_it_is_now(box, maildir):
    mark = maildir.mark()
    file, other = box.deliver("used"), box.deliver("other")
    key = maildir.above(mark)[0].key
    box.look_at(file)
    maildir.delete(key)
    maildir.delete(key)
    maildir.delete("../../etc/passwd")
    assert bodies(maildir.above(mark)) == ["other"]
    assert other.exists()


def test_a_maildir_that_is_not_there_is_unavailable(tmp_path):
    gone = Maildir(tmp_path / "gone")
    for call in (gone.mark, lambda: gone.above("maildir1.-1."), lambda: gone.delete("x")):
        with pytest.raises(MailboxUnavailable, match="cannot be read"):
            call()


def test_a_connections_mailbox_is_opened_below_the_allowed_folder(box, tmp_path):
    box.deliver("one")
    for root in (tmp_path, str(tmp_path), box.path):
        opened = open_mailbox(f"maildir:{box.path}", root)
        assert bodies(opened.above("maildir1.-1.")) == ["one"]


@pytest.mark.parametrize(
    "address",
    [
        "maildir:{root}/../elsewhere",
        "maildir:{root}/link",
        "maildir:/etc",
        "maildir:mail",
        "maildir:",
        "maildir:{root}/\0",
        "{root}/mail",
        "imaps://user@mail.example/INBOX",
        "",
    ],
)
def test_nothing_else_is_opened(tmp_path, monkeypatch, address):
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (root / "link").symlink_to(tmp_path / "elsewhere")
    monkeypatch.chdir(root)
    with pytest.raises(CallerError) as error:
        open_mailbox(address.format(root=root), root)
    assert error.value.status == 400


def test_without_an_allowed_folder_none_is_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CallerError):
        open_mailbox(f"maildir:{tmp_path}/mail", "")
