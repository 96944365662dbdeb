"""Mails from Salesforce, and the new security token in them. PURE but for the protocol's implementations."""

import email
import email.policy
import re
from dataclasses import dataclass, field
from email.errors import InvalidHeaderDefect
from email.message import EmailMessage
from typing import Protocol

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.mailbox.text import texts

SENDER = "salesforce.com"
LARGEST_MAIL = 256 * 1024  # bytes; a token mail has a few thousand
# Of these the standard library makes trees, and some texts take it a time that grows with the square of their length.
_STRUCTURED = re.compile(rb"(?:from|content-[a-z-]+|mime-version)[ \t]*:", re.IGNORECASE)
_LONGEST_STRUCTURED, _STRUCTURED_BYTES = 1000, 4000  # one with its folded lines, and all of them together
_MOST_BOUNDARIES = 1000  # lines that may begin a part
_WORD = re.compile(r"\S+")
_ADDRESS_BEGINS = re.compile(r"\bwww\.(?=\S)")
_FORGED = re.compile(r"\bdmarc\s*=\s*fail\b", re.IGNORECASE)
# Salesforce's tokens have 24 or 25 letters and digits; no page of theirs promises a length.
_RUN = re.compile(r"(?<![\w./@+-])[A-Za-z0-9]{20,40}(?![A-Za-z0-9_/@+-]|\.[A-Za-z0-9])", re.ASCII)


@dataclass(frozen=True)
class Mail:
    """One mail.

    Attributes:
        key: What the mailbox calls it; keys of one mailbox do not repeat.
        raw: The whole message, RFC 5322. It may hold a token, so it does not print.
    """

    key: str
    raw: bytes = field(repr=False)


class MailboxUnavailable(Exception):  # noqa: N818 - the state of a server
    """The mailbox cannot be read now; the text says why, without secrets."""


class MarkOfAnother(MailboxUnavailable):
    """The mark was not made by a mailbox of this kind: the connection's mailbox was changed."""

    def __init__(self) -> None:
        super().__init__("the connection's mailbox was changed since the rotation began: what came since is not known")


class Mailbox(Protocol):
    """Where token mails arrive; every call may raise `MailboxUnavailable`."""

    def mark(self) -> str:
        """What is there now, as a text that `above` understands: short enough to be kept in the journal."""

    def above(self, mark: str) -> list[Mail]:
        """The mails that came since `mark`, oldest first."""

    def delete(self, key: str) -> None:
        """Remove a mail that was used; one that is gone is no error."""

    def latest(self) -> str | None:
        """A mark that costs nothing and may lag behind, by which a caller knows what it has looked at; None: none."""


@dataclass(frozen=True)
class Reading:
    """What a mail is to one user.

    Attributes:
        token: The new security token that it brings.
        refusal: Why it brings none although it names the user; empty where it does not.
    """

    token: SecretStr | None = None
    refusal: str = ""


def read_mail(mail: Mail, username: str) -> Reading:
    """What this mail brings for exactly that user name.

    Labels differ with the user's language, so it goes by the user name and by the look of a token: where more than one
    run of characters could be the token, none is taken. Who sent it is not proven by anything that is in a mail, so
    that a stranger may have: whoever uses the token proves it with a login. Refused is what is known to be forged.

    Args:
        mail: Any mail at all.
        username: Login name; capitals do not matter.
    """
    message, bodies = _parsed(mail)
    reading = _in(bodies, username)
    if message is None or reading == Reading():
        return Reading()
    try:
        if not _is_from_salesforce(message):
            return Reading(refusal="it is not from salesforce.com")
        if _is_known_to_be_forged(message):
            return Reading(refusal="the server that received it says that its sender is forged (dmarc=fail)")
    except Exception:  # noqa: BLE001 - the standard library's parser may raise anything on what strangers send
        return Reading(refusal="its header cannot be read")
    return reading


def read_given_mail(text: SecretStr, username: str) -> Reading:
    """The same for a mail that somebody hands in and so vouches for: from whomever, with or without its header."""
    mail = Mail("", text.reveal().encode("utf-8", "replace"))
    message, bodies = _parsed(mail)
    reading = _in(bodies, username)
    if reading.token is not None or (message is not None and "From" in message):
        return reading
    return _in([text.reveal()], username)


def _parsed(mail: Mail) -> tuple[EmailMessage | None, list[str]]:
    if _takes_too_long(mail.raw):
        return None, []
    try:
        message = email.message_from_bytes(mail.raw, policy=email.policy.default)
        return message, list(texts(message))
    except Exception:  # noqa: BLE001 - as above
        return None, []


def _takes_too_long(raw: bytes) -> bool:
    """Whether its structured header lines are longer, or its parts more, than those of any mail that means well."""
    lines = raw.splitlines()
    length, together = 0, 0
    for line in lines:
        folded = length and line[:1] in (b" ", b"\t")
        length = length + len(line) if folded else len(line) if _STRUCTURED.match(line) else 0
        together += len(line) if length else 0
        if length > _LONGEST_STRUCTURED or together > _STRUCTURED_BYTES:
            return True
    return sum(line.startswith(b"--") for line in lines) > _MOST_BOUNDARIES


def _without_addresses(text: str) -> str:
    """The text without links. Word by word: a pattern that looks for `://` behind every character takes too long."""
    return _WORD.sub(_seen_of, text)


def _seen_of(word: re.Match[str]) -> str:
    text = word[0]
    if "://" in text[:-1]:
        return " "
    begins = _ADDRESS_BEGINS.search(text)
    return text[: begins.start()] + " " if begins else text


def _in(bodies: list[str], username: str) -> Reading:
    name, named = _whole(username), False
    for body in bodies:
        seen = _without_addresses(body)
        if name.search(seen):
            named = True
            if token := _token_in(seen):
                return Reading(SecretStr(token))
    return Reading(refusal="it holds no security token, or more than one text that might be it") if named else Reading()


def _is_from_salesforce(message: EmailMessage) -> bool:
    senders = message.get_all("From", [])
    # Of a malformed line, readers differ on which part is the address.
    if len(senders) != 1 or any(isinstance(defect, InvalidHeaderDefect) for defect in senders[0].defects):
        return False
    domains = [f".{address.domain.lower()}" for address in senders[0].addresses]
    return bool(domains) and all(domain.endswith(f".{SENDER}") for domain in domains)


def _is_known_to_be_forged(message: EmailMessage) -> bool:
    """Whether the last server that judged the sender says so; what stands below its line, a stranger may have put.

    Source: RFC 8601, each server puts its `Authentication-Results` on top.
    """
    judged = message.get_all("Authentication-Results", [])
    return bool(judged) and _FORGED.search(str(judged[0])) is not None


def _whole(username: str) -> re.Pattern[str]:
    """The name, and no part of a longer one: `a@b.example` is not in `a@b.example.sandbox`, nor in `aa@b.example`."""
    before, after = r"(?<![A-Za-z0-9._%+@-])(?<![A-Za-z0-9]')", r"(?![A-Za-z0-9_%+@-]|\.[A-Za-z0-9])"
    return re.compile(before + re.escape(username) + after, re.IGNORECASE)


def _token_in(text: str) -> str | None:
    runs = {run for run in _RUN.findall(text) if run.upper() != run != run.lower() and run[1:] != run[1:].lower()}
    # Nearly every token has a digit; a company's name in one word has not.
    likely = {run for run in runs if any(character.isdigit() for character in run)} or runs
    return likely.pop() if len(likely) == 1 else None
