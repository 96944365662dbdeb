"""Where a connection's mailbox is, as its `mailbox` says. PURE."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

MAILDIR = "maildir:"
IMAPS = "imaps://"
IMAPS_PORT = 993
INBOX = "INBOX"


@dataclass(frozen=True)
class Address:
    """A folder of an IMAP server.

    Attributes:
        host: The server.
        port: Its TLS port.
        username: Whose mailbox it is, as the server wants it.
        folder: The folder.
    """

    host: str
    port: int
    username: str
    folder: str


def parse(text: str) -> Address:
    """The folder at `imaps://user@host[:port]/folder`; a user that is a mail address may hold its own `@`.

    Raises: ValueError with what is wrong, as the end of a sentence.
    """
    form = "must be imaps://<user>@<host>[:<port>]/<folder>"
    if not text.lower().startswith(IMAPS) or not text.isprintable():
        raise ValueError(form)
    try:
        parts = urlsplit(text)
        port = parts.port or IMAPS_PORT
    except ValueError as exc:
        raise ValueError(form) from exc
    login, _, _ = parts.netloc.rpartition("@")
    if ":" in login:
        raise ValueError("holds a password: give it as mailbox_password")
    username, folder = unquote(login), unquote(parts.path.removeprefix("/")) or INBOX
    plain = (username + folder).isprintable() and "\N{REPLACEMENT CHARACTER}" not in username + folder
    if not username or not parts.hostname or parts.query or parts.fragment or not plain:
        raise ValueError(form)
    return Address(parts.hostname, port, username, folder)


def fault(text: str) -> str | None:
    """What is wrong with a connection's `mailbox`, or None; which maildirs are allowed is for the sidecar to say."""
    if not text or text.startswith(MAILDIR):
        return None
    if not text.lower().startswith(IMAPS):
        return "must be maildir:<path> or imaps://<user>@<host>/<folder>"
    try:
        parse(text)
    except ValueError as exc:
        return str(exc)
    return None
