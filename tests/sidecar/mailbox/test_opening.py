"""Mailboxes of connections: which may be opened, and what a real server makes of it."""

import threading

import pytest
import trustme
from dovecot import ACCESS_TOKEN, PASSWORD, config_of
from waiting import until

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.clock import SystemClock
from vault_salesforce_sidecar.mailbox.mail import MailboxUnavailable
from vault_salesforce_sidecar.mailbox.maildir import Maildir
from vault_salesforce_sidecar.mailbox.opening import Mailboxes, check_mailbox
from vault_salesforce_sidecar.mailbox.watched import WatchedMailbox

URL = "https://x.my.salesforce.com"


def an_imap(**settings):
    known = {"login_url": URL, "mailbox": "imaps://bot@mail.example/INBOX", "mailbox_password": SecretStr("hidden")}
    return Config(**(known | settings))


def test_a_connection_has_no_mailbox_a_maildir_or_a_folder_at_a_server(tmp_path):
    mailboxes = Mailboxes(tmp_path, SystemClock())
    assert mailboxes.open(Config(login_url=URL)) is None
    assert isinstance(mailboxes.open(Config(login_url=URL, mailbox=f"maildir:{tmp_path}")), Maildir)
    assert isinstance(mailboxes.open(an_imap()), WatchedMailbox)
    mailboxes.stop()


def test_connections_with_the_same_mailbox_share_it_and_another_secret_opens_another():
    mailboxes = Mailboxes("", SystemClock())
    one = mailboxes.open(an_imap())
    assert mailboxes.open(an_imap(login_url="https://y.my.salesforce.com")) is one
    for other in ({"mailbox_password": SecretStr("new")}, {"mailbox_auth": "xoauth2"}, {"mailbox": "imaps://b@h/x"}):
        assert mailboxes.open(an_imap(**other)) is not one
    mailboxes.stop()


def test_nothing_runs_before_somebody_asks():
    before = threading.active_count()
    mailboxes = Mailboxes("", SystemClock())
    mailboxes.open(an_imap())
    assert threading.active_count() == before
    mailboxes.stop()


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"mailbox_password": SecretStr("")}, "mailbox_password is missing"),
        ({"mailbox": "imaps://bot:hidden@mail.example/INBOX"}, "holds a password"),
        ({"mailbox": "imap://bot@mail.example/INBOX"}, "must be"),
        ({"mailbox_auth": "xoauth2", "mailbox_password": SecretStr('{"client_secret": "hidden"}')}, "token_url"),
        ({"mailbox": "maildir:/etc"}, "no maildirs"),
    ],
)
def test_what_cannot_be_opened_is_refused_when_it_is_written_without_its_secret(settings, why):
    with pytest.raises(CallerError, match=why) as error:
        check_mailbox(an_imap(**settings), "")
    assert error.value.status == 400
    assert "hidden" not in str(error.value)


@pytest.mark.parametrize("user", ["sf", "sf@acme.example"])
def test_a_password_opens_it(inbox, opened, user):
    assert opened(config_of(inbox, user)).mark().startswith("imap1.")


def test_an_access_token_opens_it(inbox, opened):
    secret = SecretStr(ACCESS_TOKEN)
    assert opened(config_of(inbox, mailbox_auth="xoauth2", mailbox_password=secret)).mark().startswith("imap1.")


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"mailbox_password": SecretStr("Wrong-password-1")}, "refused the login"),
        ({"mailbox_password": SecretStr("Wrong-password-1"), "mailbox_auth": "xoauth2"}, "refused the login"),
        ({"ca_cert": trustme.CA().cert_pem.bytes().decode()}, "its certificate is not good"),
        ({"ca_cert": ""}, "its certificate is not good"),
    ],
)
def test_what_a_server_refuses_is_told_in_one_sentence_without_a_secret(inbox, opened, settings, why):
    box = opened(config_of(inbox, **settings))
    with pytest.raises(MailboxUnavailable, match=why) as error:
        box.mark()
    told = until(box.fault)
    assert "\n" not in f"{error.value}{told}"
    assert not any(word in f"{error.value}{told}" for word in ("Wrong-password-1", PASSWORD))


def test_a_folder_that_is_not_there_is_named(inbox, opened):
    box = opened(config_of(inbox, mailbox=f"imaps://sf@127.0.0.1:{inbox.port}/Tokens"))
    with pytest.raises(MailboxUnavailable, match="'Tokens'"):
        box.mark()


def test_a_server_that_is_not_there_is_told(opened):
    with pytest.raises(MailboxUnavailable, match="cannot be reached"):
        opened(an_imap(mailbox="imaps://bot@127.0.0.1:1/INBOX")).mark()
