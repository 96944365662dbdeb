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

_SENDER = "salesforce.com"
_ADDRESS = re.compile(r"\S*://\S+|\bwww\.\S+")
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


class Mailbox(Protocol):
    """Where token mails arrive; every call may raise `MailboxUnavailable`."""

    def mark(self) -> str:
        """What is there now, as a text that `above` understands: short enough to be kept in the journal."""

    def above(self, mark: str) -> list[Mail]:
        """The mails that came since `mark`, oldest first."""

    def delete(self, key: str) -> None:
        """Remove a mail that was used; one that is gone is no error."""


def find_token(mail: Mail, username: str) -> SecretStr | None:
    """The security token that this mail brings for exactly that user name, or None.

    Labels differ with the user's language, so it goes by the user name and by the look of a token: where more than one
    run of characters could be the token, none is taken. That the sender is Salesforce is checked by the From line
    alone, which anybody can write: whoever uses the token proves it with a login.

    Args:
        mail: Any mail at all.
        username: Login name; capitals do not matter.
    """
    try:
        message = email.message_from_bytes(mail.raw, policy=email.policy.default)
        bodies = list(texts(message)) if _is_from_salesforce(message) else []
    except Exception:  # noqa: BLE001 - the standard library's parser may raise anything on what strangers send
        return None
    name = _whole(username)
    for body in bodies:
        seen = _ADDRESS.sub(" ", body)
        if name.search(seen) and (token := _token_in(seen)):
            return SecretStr(token)
    return None


def _is_from_salesforce(message: EmailMessage) -> bool:
    senders = message.get_all("From", [])
    # Of a malformed line, readers differ on which part is the address.
    if len(senders) != 1 or any(isinstance(defect, InvalidHeaderDefect) for defect in senders[0].defects):
        return False
    domains = [f".{address.domain.lower()}" for address in senders[0].addresses]
    return bool(domains) and all(domain.endswith(f".{_SENDER}") for domain in domains)


def _whole(username: str) -> re.Pattern[str]:
    """The name, and no part of a longer one: `a@b.example` is not in `a@b.example.sandbox`, nor in `aa@b.example`."""
    before, after = r"(?<![A-Za-z0-9._%+@-])(?<![A-Za-z0-9]')", r"(?![A-Za-z0-9_%+@-]|\.[A-Za-z0-9])"
    return re.compile(before + re.escape(username) + after, re.IGNORECASE)


def _token_in(text: str) -> str | None:
    runs = {run for run in _RUN.findall(text) if run.upper() != run != run.lower() and run[1:] != run[1:].lower()}
    # Nearly every token has a digit; a company's name in one word has not.
    likely = {run for run in runs if any(character.isdigit() for character in run)} or runs
    return likely.pop() if len(likely) == 1 else None
