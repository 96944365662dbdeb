"""One folder of an IMAP server, over one TLS connection. The only module that imports IMAPClient."""

import imaplib
import re
import select
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import LoginError

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.mailbox.address import Address
from vault_salesforce_sidecar.mailbox.mail import LARGEST_MAIL, SENDER, MailboxUnavailable
from vault_salesforce_sidecar.mailbox.metered import MeteredSocket

CALL_SECONDS: Final = 10.0  # for logging in, and for each command
SILENCE_SECONDS: Final = 5.0  # for connecting, and between two pieces of an answer
LOOK_SECONDS: Final = 10.0  # for a short look at the folder, everything together
MOST_MAILS: Final = 200  # of those above a mark; of more the latest
_AT_ONCE: Final = 10  # mails per FETCH
_ANSWER_BYTES: Final = 1024 * 1024  # of any answer without mails; a SEARCH in a full folder is the longest
_MAIL_BYTES: Final = LARGEST_MAIL + 4096  # with what is around it
_WANTED: Final = ["FROM", SENDER, "SMALLER", LARGEST_MAIL + 1]
_CODE = re.compile(r"\[([A-Z-]{2,40})\]")


@dataclass(frozen=True)
class Place:
    """Where a folder ends now.

    Attributes:
        validity: UIDVALIDITY: while it stays, UIDs mean what they meant.
        next_uid: UIDNEXT: what comes later has this UID or a higher one.
        latest: When the last mail arrived, by the server's clock in seconds since 1970; 0: there is none.
    """

    validity: int
    next_uid: int
    latest: int


class Folder:
    """An open folder, for one thread at a time; once a method has raised MailboxUnavailable it is of no more use."""

    def __init__(self, client: IMAPClient, host: str, selected: dict[bytes, Any], until: float) -> None:
        self._client, self._host, self._selected, self._until = client, host, selected, until

    @property
    def validity(self) -> int:
        """UIDVALIDITY, as it was when the folder was opened."""
        return int(self._selected.get(b"UIDVALIDITY", 0))

    @property
    def idles(self) -> bool:
        """Whether the server tells by itself of what arrives."""
        with self._call("asking what it can do"):
            return bool(self._client.has_capability("IDLE"))

    def place(self) -> Place:
        """Where the folder ended when it was opened."""
        with self._call("looking for the latest mail"):
            newest = self._client.search(["UID", "*"]) if self._selected.get(b"EXISTS") else []
            latest = 0
            if newest:
                found = self._client.fetch([max(newest)], ["INTERNALDATE"])
                latest = max((int(one[b"INTERNALDATE"].timestamp()) for one in found.values()), default=0)
        next_uid = int(self._selected.get(b"UIDNEXT") or max(newest, default=0) + 1)
        return Place(self.validity, next_uid, latest)

    def above(self, next_uid: int) -> dict[int, bytes]:
        """Salesforce's mails with this UID or a higher one, by UID; of many the latest, and none that is too large."""
        with self._call("looking for new mails"):
            # In an empty range the server counts backwards, and finds the last mail.
            found = [uid for uid in self._client.search(["UID", f"{next_uid}:*", *_WANTED]) if uid >= next_uid]
        return self._fetch(sorted(found)[-MOST_MAILS:])

    def later(self, latest: int) -> dict[int, bytes]:
        """The same for mails that arrived after this time by the server's clock, whatever their UIDs."""
        with self._call("looking for new mails"):
            uids = sorted(self._client.search(_WANTED))[-MOST_MAILS:]
            dates = self._client.fetch(uids, ["INTERNALDATE"])
        return self._fetch([uid for uid in uids if uid in dates and _arrived(dates[uid]) > latest])

    def delete(self, uids: list[int]) -> None:
        """Remove these mails; those that are gone are no error."""
        if not uids:
            return
        with self._call("removing a mail that was used"):
            self._client.delete_messages(uids, silent=True)
            # Without UIDPLUS an EXPUNGE would remove what somebody else has only marked.
            if self._client.has_capability("UIDPLUS"):
                self._client.uid_expunge(uids)

    def idle(self, woken: int, seconds: float) -> None:
        """Wait until something arrives, at most so long.

        Args:
            woken: A file descriptor; it ends the wait when it can be read.
            seconds: How long.
        """
        with self._call("waiting for mail"):
            self._client.idle()
        poller = select.poll()
        for descriptor in (self._client.socket().fileno(), woken):
            poller.register(descriptor, select.POLLIN)
        poller.poll(seconds * 1000)
        with self._call("waiting for mail"):
            self._client.idle_done()

    def _fetch(self, uids: list[int]) -> dict[int, bytes]:
        mails = {}
        for start in range(0, len(uids), _AT_ONCE):
            some = uids[start : start + _AT_ONCE]
            with self._call("reading a mail", _ANSWER_BYTES + len(some) * _MAIL_BYTES):
                found = self._client.fetch(some, [f"BODY.PEEK[]<0.{LARGEST_MAIL + 1}>"])
            for uid, parts in found.items():
                raw = parts.get(b"BODY[]<0>")
                if isinstance(raw, bytes) and len(raw) <= LARGEST_MAIL:
                    mails[uid] = raw
        return mails

    @contextmanager
    def _call(self, doing: str, size: int = _ANSWER_BYTES) -> Iterator[None]:
        _allow(self._client, self._until, size)
        with translated(self._host, doing):
            yield


@contextmanager
def open_folder(
    address: Address,
    auth: str,
    secret: Callable[[], SecretStr],
    context: ssl.SSLContext,
    *,
    readonly: bool,
    within: float | None = None,
) -> Iterator[Folder]:
    """The folder, until the end of the block.

    Args:
        address: Which.
        auth: `password` or `xoauth2`.
        secret: The password, or a valid access token. Raises: MailboxUnavailable.
        context: Made by `tls_context`.
        readonly: Nothing will be removed.
        within: A limit for everything together, in seconds.

    Raises: MailboxUnavailable.
    """
    host = address.host
    until = time.monotonic() + within if within is not None else float("inf")
    limits = SocketTimeout(SILENCE_SECONDS, SILENCE_SECONDS)
    known = secret()
    with translated(host, "connecting"):
        client = IMAPClient(host, address.port, ssl_context=context, timeout=limits)
    try:
        client.normalise_times = False
        _allow(client, until, _ANSWER_BYTES)
        with translated(host, "logging in"):
            _log_in(client, address.username, auth, known)
        _allow(client, until, _ANSWER_BYTES)
        with translated(host, f"opening the folder {address.folder!r}"):
            selected = client.select_folder(address.folder, readonly=readonly)
        yield Folder(client, host, selected, until)
    finally:
        # LOGOUT would wait for a server that may be the very thing that does not answer.
        with suppress(OSError, imaplib.IMAP4.error):
            client.shutdown()


@contextmanager
def translated(host: str, doing: str) -> Iterator[None]:
    """Whatever goes wrong with the server becomes a MailboxUnavailable, of which no word is the server's own."""
    try:
        yield
    except LoginError as exc:
        raise MailboxUnavailable(f"{host} refused the login{_code(exc)}: see mailbox and mailbox_password") from exc
    except ssl.SSLCertVerificationError as exc:
        why = f"{host}: its certificate is not good ({exc.verify_message}): see ca_cert"
        raise MailboxUnavailable(why) from exc
    except TimeoutError as exc:
        raise MailboxUnavailable(f"{host} does not answer in time ({doing})") from exc
    except ssl.SSLError as exc:
        raise MailboxUnavailable(f"{host} speaks no TLS 1.2 or newer ({doing})") from exc
    except imaplib.IMAP4.abort as exc:
        raise MailboxUnavailable(f"{host} broke the connection off ({doing})") from exc
    except imaplib.IMAP4.error as exc:
        raise MailboxUnavailable(f"{host} refused it{_code(exc)} ({doing})") from exc
    except OSError as exc:
        raise MailboxUnavailable(f"{host} cannot be reached: {exc.strerror or exc} ({doing})") from exc
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError, MemoryError, RecursionError) as exc:
        raise MailboxUnavailable(f"{host} answered in a way that is no IMAP ({doing})") from exc


def _log_in(client: IMAPClient, username: str, auth: str, secret: SecretStr) -> None:
    if auth == "password":
        client.login(username, secret.reveal())
        return
    # A server that refuses it tells why in a challenge, and waits for an empty answer.
    answers = iter([f"user={username}\1auth=Bearer {secret.reveal()}\1\1"])
    client.sasl_login("XOAUTH2", lambda _challenge: next(answers, ""))


def _arrived(parts: dict[bytes, Any]) -> int:
    return int(parts[b"INTERNALDATE"].timestamp())


def _code(exc: Exception) -> str:
    """The response code, such as [AUTHENTICATIONFAILED]: of what a server says, it alone repeats nothing of ours."""
    found = _CODE.search(str(exc))
    return f" [{found[1]}]" if found else ""


def _allow(client: IMAPClient, until: float, size: int) -> None:
    socket = client.socket()
    if not isinstance(socket, MeteredSocket):
        raise TypeError("the folder was not opened with a context of tls_context")
    socket.allow(min(CALL_SECONDS, until - time.monotonic()), size)
