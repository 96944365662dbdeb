"""Security tokens that come by mail, and what to do while none comes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.mailbox.mail import MailboxUnavailable, find_token
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation.journal import digest_of
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


def newest_token(account: Account, record: JournalEntry) -> MailedToken | None:
    """The newest token mailed to this user since the rotation's mark that was not tried. Raises: MailboxUnavailable.

    Each reset makes the tokens before it worthless; but who sent a mail is not proven, so a newest one that was refused
    does not hide the others.
    """
    if account.mailbox is None or record.mailbox_mark is None:
        return None
    for mail in reversed(account.mailbox.above(record.mailbox_mark)):
        token = find_token(mail, account.username)
        if token is not None and digest_of(record, token) not in record.tokens_tried:
            return MailedToken(token, mail.key)
    return None


def tidy(account: Account, record: JournalEntry) -> None:
    """Remove the mails whose token is published now. One that stays does no harm: it is below the next mark."""
    if account.mailbox is None or record.mailbox_mark is None or not record.token_mailed:
        return
    try:
        for mail in account.mailbox.above(record.mailbox_mark):
            if find_token(mail, account.username) == record.current_token:
                account.mailbox.delete(mail.key)
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
    if source == "none" or trusted:
        return None
    if source == "manual":
        return "its new security token has to be handed in (security_token_from=manual)"
    if not mailbox:
        return "its connection has no mailbox for the new security token"
    if not record.token_seen:
        return "no mail with a security token has been seen for this user yet, and Salesforce may send none"
    return None
