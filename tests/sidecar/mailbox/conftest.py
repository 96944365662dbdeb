"""A real mail server for the tests of IMAP, where there is one."""

import contextlib
import http.server
import sys
import threading
from pathlib import Path

import pytest
from dovecot import HASTY, Dovecot, TokenInfo, why_not

from vault_salesforce_sidecar.clock import SystemClock
from vault_salesforce_sidecar.mailbox.opening import Mailboxes

# The helpers that lie beside these tests, and the world in memory of the rotation's.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "rotation")]


@pytest.fixture(scope="session")
def dovecot():
    """A server of this test process."""
    if reason := why_not():
        pytest.skip(reason)
    issuer = http.server.ThreadingHTTPServer(("127.0.0.1", 0), TokenInfo)
    threading.Thread(target=issuer.serve_forever, daemon=True).start()
    made = Dovecot(issuer.server_address[1])
    try:
        made.start()
        yield made
    finally:
        made.remove()
        issuer.shutdown()
        issuer.server_close()


@pytest.fixture
def inbox(dovecot):
    """The same server, with an empty INBOX of `sf`."""
    dovecot.empty()
    return dovecot


@pytest.fixture
def opened():
    """Opens mailboxes that do not outlive the test."""
    with contextlib.ExitStack() as stack:

        def opened(config, arrived=lambda: None, pace=HASTY):
            mailboxes = Mailboxes("", SystemClock(), arrived, pace)
            stack.callback(mailboxes.stop)
            return mailboxes.open(config)

        yield opened
