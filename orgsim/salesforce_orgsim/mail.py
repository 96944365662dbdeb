"""The org's mail: what the letters say, and the post office that puts them into one maildir for all users."""

import html
import mailbox
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from threading import Lock

from .clock import stamp
from .later import Later
from .misbehave import Misbehave
from .user import User

TOKEN = "security_token"  # noqa: S105 -- a kind of letter
RESET_LINK = "password_reset"

_WORDINGS = {
    "new": ("noreply@salesforce.com", "Your new Salesforce security token"),
    "old": ("support@salesforce.com", "salesforce.com security token confirmation"),
}


@dataclass(frozen=True)
class Letter:
    """One mail, before it is posted.

    Attributes:
        kind: TOKEN or RESET_LINK.
        username: The user it is about; one mailbox may serve many.
        to: The user's e-mail address.
        time: When the org wrote it.
    """

    kind: str
    username: str
    to: str
    sender: str
    subject: str
    body: str = field(repr=False)
    time: datetime

    def message(self) -> EmailMessage:
        """Write the letter as RFC 5322 wants it, in plain text and in HTML."""
        message = EmailMessage()
        message["From"] = f"Salesforce <{self.sender}>"
        message["To"] = self.to
        message["Subject"] = self.subject
        message["Date"] = format_datetime(self.time)
        message["Message-ID"] = make_msgid(domain="salesforce.com")
        message.set_content(self.body)
        lines = html.escape(self.body).replace("\n", "<br>\n")
        message.add_alternative(f"<html><body>{lines}</body></html>", subtype="html")
        return message


def token_letter(user: User, token: str, now: datetime, *, wording: str) -> Letter:
    """Write the mail that brings a user's new security token.

    Args:
        user: Whose token it is.
        token: The token.
        now: The org's time.
        wording: `new` or `old`: which sender and subject.
    """
    sender, subject = _WORDINGS[wording]
    body = (
        "You have a new Salesforce security token: it was asked for, or your password was changed.\n"
        "\n"
        f"Username: {user.username}\n"
        f"Security token (case-sensitive): {token}\n"
        "\n"
        "From now on, programs that log in with your password need this token behind it.\n"
        "For more information on using your security token, see the online help.\n"
    )
    return Letter(TOKEN, user.username, user.settings.email, sender, subject, body, now)


def reset_link_letter(user: User, now: datetime) -> Letter:
    """Write the mail that tells a user of a reset and brings a link for choosing a password."""
    body = (
        "An administrator has reset your Salesforce password.\n"
        "\n"
        f"Username: {user.username}\n"
        "\n"
        "Follow this link within 24 hours to choose a new one: https://orgsim.example/secur/forgotpassword\n"
    )
    sender = _WORDINGS["new"][0]
    return Letter(
        RESET_LINK, user.username, user.settings.email, sender, "Your Salesforce password was reset", body, now
    )


def _open_maildir(directory: Path) -> mailbox.Maildir:
    # The library makes the three folders only where the directory itself is absent.
    for folder in ("tmp", "new", "cur"):
        (directory / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    return mailbox.Maildir(directory)


class PostOffice:
    """Delivers letters into memory and, when there is one, into a maildir.

    Args:
        directory: The maildir, made when it is absent; None keeps letters in memory only.
        misbehave: The knobs `mail_lost`, `mail_delay_seconds` and `mail_after_answer`.
        later: Where delayed letters wait.
    """

    def __init__(self, directory: Path | None, misbehave: Misbehave, later: Later) -> None:
        self._maildir = _open_maildir(directory) if directory else None
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
        delay = self._misbehave.take("mail_delay_seconds", operation, letter.username)
        if delay:
            self._later.run_after(delay.number("seconds"), lambda: self._deliver(letter))
        elif after_answer and self._misbehave.take("mail_after_answer", operation, letter.username):
            after_answer(lambda: self._deliver(letter))
        else:
            self._deliver(letter)

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
        """Take back every letter that was delivered."""
        with self._lock:
            self._delivered.clear()
            for key in self._keys:
                if self._maildir is not None:
                    self._maildir.discard(key)
            self._keys.clear()

    def _deliver(self, letter: Letter) -> None:
        with self._lock:
            self._delivered.append(letter)
            if self._maildir is not None:
                # Maildir.add writes the file in tmp/ and links it into new/ once it is whole.
                self._keys.append(self._maildir.add(letter.message()))
