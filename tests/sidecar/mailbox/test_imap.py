"""Servers that do not answer, answer too much, too slowly or nonsense: one clear sentence, soon, and no memory."""

import time
from pathlib import Path

import pytest
from bad_server import SELECTED, BadServer
from dovecot import HASTY, PASSWORD, config_of
from waiting import until

from vault_salesforce_sidecar.mailbox import imap, metered, watched
from vault_salesforce_sidecar.mailbox.mail import MailboxUnavailable


@pytest.fixture
def serving(monkeypatch):
    """A server that behaves so, and limits that a test can wait for."""
    monkeypatch.setattr(imap, "CALL_SECONDS", 0.6)
    monkeypatch.setattr(imap, "SILENCE_SECONDS", 0.4)
    monkeypatch.setattr(imap, "LOOK_SECONDS", 1.0)
    monkeypatch.setattr(watched, "LOOK_SECONDS", 1.0)
    monkeypatch.setattr(metered, "_GREETING_SECONDS", 0.6)
    servers = []

    def serving(behave, **options):
        servers.append(BadServer(behave, **options))
        return servers[-1]

    yield serving
    for server in servers:
        server.stop()


def say(text):
    return lambda line: line.say(text)


FOREVER = b"* OK still here\r\n"


@pytest.mark.parametrize(
    ("behave", "why"),
    [
        pytest.param(lambda line: line.silence(), "in time", id="the greeting never comes"),
        pytest.param(lambda line: line.drip(b"*"), "in time", id="the greeting drips"),
        pytest.param(lambda line: line.drip(b"x" * 65536, 0), "no IMAP|too large|broke", id="the greeting never ends"),
        pytest.param(say(b"* BYE too busy\r\n"), "refused it|broke", id="it says goodbye"),
        pytest.param(say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "refused it|broke|no IMAP", id="it is no mail server"),
        pytest.param(say(b""), "broke", id="it hangs up"),
        pytest.param(
            lambda line: line.serve(
                login=lambda to: to.say(to.tag + b" NO [AUTHENTICATIONFAILED] no " + PASSWORD.encode() + b"\r\n")
            ),
            r"refused the login \[AUTHENTICATIONFAILED\]",
            id="it refuses the login",
        ),
        pytest.param(
            lambda line: line.serve(login=lambda to: to.say(to.tag + b" BAD LOGIN sf " + PASSWORD.encode() + b"\r\n")),
            "refused the login",
            id="it repeats the login",
        ),
        pytest.param(lambda line: line.serve(login=lambda to: to.silence()), "in time", id="the login hangs"),
        pytest.param(lambda line: line.serve(login=lambda to: to.drip(FOREVER)), "in time", id="the login drips"),
        pytest.param(
            lambda line: line.serve(examine=lambda to: to.say(to.tag + b" NO [NONEXISTENT] none\r\n")),
            r"refused it \[NONEXISTENT\]",
            id="there is no such folder",
        ),
        pytest.param(
            lambda line: line.serve(examine=lambda to: to.drip(FOREVER * 4096, 0)),
            "too large|in time",
            id="the folder floods",
        ),
        pytest.param(
            lambda line: line.serve(search=lambda to: to.ok(b"* SEARCH one two\r\n")),
            "no IMAP|refused",
            id="a search is nonsense",
        ),
        pytest.param(
            lambda line: line.serve(fetch=lambda to: to.ok(b"* 1 FETCH (UID 1 INTERNALDATE\r\n")),
            "no IMAP|refused",
            id="a date is nonsense",
        ),
    ],
)
def test_a_mark_fails_with_one_sentence_in_time(serving, opened, behave, why):
    server = serving(behave)
    began = time.monotonic()
    with pytest.raises(MailboxUnavailable, match=why) as error:
        opened(config_of(server)).mark()
    assert time.monotonic() - began < 10
    assert PASSWORD not in str(error.value)
    assert "\n" not in str(error.value)


def gigantic(line):
    """A mail of a gigabyte, whatever part of it was asked for."""
    line.say(b"* 1 FETCH (UID 1 BODY[]<0> {1000000000}\r\n")
    line.drip(b"x" * 65536, 0)


def resident_kib(name):
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(name))


@pytest.mark.parametrize(
    "fetch",
    [
        pytest.param(gigantic, id="gigantic"),
        pytest.param(lambda to: to.say(b"* 1 FETCH (UID 1 BODY[]<0> {1000000000}\r\n"), id="promised"),
        pytest.param(lambda to: to.say(b"* 1 FETCH (UID 1 BODY[]<0> {999999999999999999}\r\n"), id="beyond all memory"),
        pytest.param(lambda to: to.drip(b"* 1 FETCH (FLAGS ())\r\n"), id="about something else"),
    ],
)
def test_a_mail_that_never_ends_takes_neither_time_nor_memory(serving, opened, fetch):
    server = serving(lambda line: line.serve(fetch=fetch))
    box = opened(config_of(server))
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
    before, began = resident_kib("VmRSS"), time.monotonic()
    with pytest.raises(MailboxUnavailable):
        box.above("imap1.7.1.0")
    assert time.monotonic() - began < 10
    assert resident_kib("VmHWM") - before < 32 * 1024


def test_a_server_that_drops_whoever_waits_is_asked_again_and_not_in_a_loop(serving, opened):
    def hang_up(line):
        line.say(b"+ idling\r\n")
        raise OSError

    server = serving(lambda line: line.serve(idle=hang_up))
    box = opened(config_of(server), pace=watched.Pace(idle=5, first_pause=0.2, longest_pause=0.4))
    box.latest()
    box.mark()
    until(box.fault)
    until(lambda: server.connections >= 4)
    assert time.monotonic() - server.began > 0.4
    assert box.mark() == "imap1.7.2.1893456000"


def test_old_tls_is_not_spoken(serving, opened):
    server = serving(lambda line: line.serve(), oldest=True)
    with pytest.raises(MailboxUnavailable, match=r"TLS 1\.2"):
        opened(config_of(server)).mark()


def test_without_uidplus_a_mail_is_only_marked_as_deleted(serving, opened):
    heard = []

    def capability(line):
        line.ok(b"* CAPABILITY IMAP4rev1\r\n")

    def store(line):
        heard.append("store")
        line.ok()

    def expunge(line):
        heard.append("expunge")
        line.ok()

    server = serving(
        lambda line: line.serve(capability=capability, store=store, expunge=expunge, login=lambda to: to.ok())
    )
    box = opened(config_of(server), pace=HASTY)
    box.mark()
    until(box.latest)
    box.delete("7.1")
    until(lambda: heard)
    assert heard == ["store"]


def test_what_selects_without_telling_uids_is_still_marked(serving, opened):
    nothing_told = (b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n", SELECTED[1])
    server = serving(lambda line: line.serve(examine=lambda to: to.ok(*nothing_told)))
    assert opened(config_of(server)).mark().startswith("imap1.7.2.")
