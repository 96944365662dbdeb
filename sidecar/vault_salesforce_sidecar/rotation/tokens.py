"""Security tokens that come by mail, and what to do while none comes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.mailbox.mail import LARGEST_MAIL, Mail, MailboxUnavailable, read_given_mail, read_mail
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation.journal import digest_of
from vault_salesforce_sidecar.rotation.machine import FREE, State
from vault_salesforce_sidecar.rotation.parts import Account

log = structlog.get_logger(__name__)

TOKEN: Final = "token"  # noqa: S105 - the cause of a rotation that only proves a new token
OLD_TOKEN_AFTER: Final = timedelta(minutes=10)


@dataclass(frozen=True)
class MailedToken:
    """A token that came by mail.

    Attributes:
        token: The token.
        key: The mail's key in the mailbox.
    """

    token: SecretStr
    key: str


def newest_token(
    account: Account, record: JournalEntry, refused: Callable[[Account, Mail, str], None]
) -> MailedToken | None:
    """The newest token mailed to this user since the rotation's mark that was not tried.

    Each reset makes the tokens before it worthless; but who sent a mail is not proven, so a newest one that was refused
    does not hide the others. One that came before the mail of the token that is live is outdated.

    Args:
        account: Whose.
        record: Its entry.
        refused: Told of a mail that names the user and is not taken, and why.

    Raises: MailboxUnavailable.
    """
    if account.mailbox is None or record.mailbox_mark is None:
        return None
    live = record.current_token if State(record.state) in FREE and record.published_version else None
    for mail in reversed(account.mailbox.above(record.mailbox_mark)):
        reading = read_mail(mail, account.username)
        if reading.refusal:
            refused(account, mail, reading.refusal)
        if reading.token is not None and reading.token == live:
            return None
        if reading.token is not None and digest_of(record, reading.token) not in record.tokens_tried:
            return MailedToken(reading.token, mail.key)
    return None


def tidy(account: Account, record: JournalEntry) -> None:
    """Remove the mail whose token is published now, and the outdated ones of this user before it.

    One that stays does no harm: it is below the next mark. One that came later stays: its token is not the live one,
    so that somebody else may have sent it.
    """
    mailbox, live = account.mailbox, record.current_token
    if mailbox is None or record.mailbox_mark is None or live is None or account.config.mailbox_after == "keep":
        return
    outdated: list[str] = []
    try:
        for mail in mailbox.above(record.mailbox_mark):
            token = read_mail(mail, account.username).token
            if token is not None:
                outdated.append(mail.key)
            if token == live:
                for key in outdated:
                    mailbox.delete(key)
                outdated.clear()
    except MailboxUnavailable as exc:
        log.info("a used mail stays", role=account.name, reason=str(exc))


def old_token(record: JournalEntry, now: datetime) -> SecretStr | None:
    """The old token, once no mail has come for so long: not every change of password kills it."""
    token = record.current_token
    if token is None or record.since is None or now - record.since < OLD_TOKEN_AFTER:
        return None
    return None if digest_of(record, token) in record.tokens_tried else token


def gate(role: StaticRole, record: JournalEntry, *, trusted: bool, mailbox: bool) -> str | None:
    """Why a rotation might leave consumers without a token until somebody hands one in; None: it will not.

    Args:
        role: The role.
        record: Its account's entry.
        trusted: The org trusts our address.
        mailbox: The connection has a mailbox.
    """
    source = role.security_token_from
    if source == "none":
        ours = record.wants_token and not trusted
        return "the sidecar's own logins need the new one, which has to be handed in" if ours else None
    if trusted:
        return "the org trusts the sidecar's address, so that no login from it proves a new one, and none is published"
    if source == "manual":
        return "its new security token has to be handed in (security_token_from=manual)"
    if not mailbox:
        return "its connection has no mailbox for the new security token"
    if not record.token_seen:
        return "no mail with a security token has been seen for this user yet, and Salesforce may send none"
    return None


def handed_in_token(account: Account, token: SecretStr | None, mail: SecretStr | None) -> SecretStr:
    """The security token that somebody hands in, as it is or within the mail that brought it.

    Raises: CallerError 400: there is none, or the mail is not this user's.
    """
    if bool(token) == bool(mail):
        raise CallerError("give security_token, or mail: the whole mail that brought it")
    if mail:
        if len(mail.reveal()) > LARGEST_MAIL:
            raise CallerError(f"mail is longer than {LARGEST_MAIL // 1024} KiB, and no mail with a security token is")
        reading = read_given_mail(mail, account.username)
        if reading.token is None:
            why = reading.refusal or f"it does not name {account.username}"
            raise CallerError(f"the mail brings no security token: {why}", code="no_token")
        return reading.token
    return token or SecretStr("")
