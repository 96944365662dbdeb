"""The post office: delivers the org's letters into memory, into one maildir for all users, and to a mail server."""

import mailbox
import smtplib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock

from .clock import stamp
from .later import Later
from .mail import Letter
from .misbehave import Misbehave

SMTP_SECONDS = 10.0


def _open_maildir(directory: Path) -> mailbox.Maildir:
    # The library makes the three folders only where the directory itself is absent.
    for folder in ("tmp", "new", "cur"):
        (directory / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    return mailbox.Maildir(directory)


class PostOffice:
    """Delivers letters.

    Args:
        misbehave: The knobs `mail_lost`, `mail_duplicate`, `mail_delay_seconds` and `mail_after_answer`.
        later: Where delayed letters wait.
        directory: The maildir, made when it is absent; None is none.
        server: Host and port of a mail server; None is none.
    """

    def __init__(
        self,
        misbehave: Misbehave,
        later: Later,
        *,
        directory: Path | None = None,
        server: tuple[str, int] | None = None,
    ) -> None:
        self._maildir = _open_maildir(directory) if directory else None
        self._server = server
        self._misbehave = misbehave
        self._later = later
        self._lock = Lock()
        self._delivered: list[Letter] = []
        self._keys: list[str] = []

    def post(
        self, letter: Letter, operation: str, after_answer: Callable[[Callable[[], None]], None] | None = None
    ) -> None:
        """Send a letter, as well as the knobs allow.

        Args:
            letter: The letter.
            operation: The operation that caused it; a knob may be limited to one.
            after_answer: Takes what must happen after the client has its answer; None when nobody waits for one.
        """
        if self._misbehave.take("mail_lost", operation, letter.username):
            return
        duplicate = self._misbehave.take("mail_duplicate", operation, letter.username)
        copies = int(duplicate.number("copies")) if duplicate else 1
        delay = self._misbehave.take("mail_delay_seconds", operation, letter.username)
        if delay:
            self._later.run_after(delay.number("seconds"), lambda: self._deliver(letter, copies))
        elif after_answer and self._misbehave.take("mail_after_answer", operation, letter.username):
            after_answer(lambda: self._deliver(letter, copies))
        else:
            self._deliver(letter, copies)

    def letters(self, username: str) -> list[dict[str, str]]:
        """Show the letters delivered to one user, oldest first, bodies and all."""
        with self._lock:
            return [
                {
                    "kind": letter.kind,
                    "time": stamp(letter.time),
                    "from": letter.sender,
                    "to": letter.to,
                    "subject": letter.subject,
                    "body": letter.body,
                }
                for letter in self._delivered
                if letter.username.lower() == username.lower()
            ]

    def reset(self) -> None:
        """Take back every letter that was delivered, except what a mail server was given."""
        with self._lock:
            self._delivered.clear()
            for key in self._keys:
                if self._maildir is not None:
                    self._maildir.discard(key)
            self._keys.clear()

    def _deliver(self, letter: Letter, copies: int) -> None:
        for _ in range(copies):
            with self._lock:
                self._delivered.append(letter)
                if self._maildir is not None:
                    # Maildir.add writes the file in tmp/ and links it into new/ once it is whole.
                    self._keys.append(self._maildir.add(letter.message()))
            if self._server is not None:
                self._send(letter, *self._server)

    def _send(self, letter: Letter, host: str, port: int) -> None:
        # A mail server that is away costs the letter and nothing else, as it would Salesforce's.
        with suppress(OSError, smtplib.SMTPException), smtplib.SMTP(host, port, timeout=SMTP_SECONDS) as server:
            server.send_message(letter.message(), letter.sender, [letter.to])
