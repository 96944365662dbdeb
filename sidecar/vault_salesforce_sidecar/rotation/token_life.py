"""What is known of a role's security token: whether anybody needs one, and whether the published one works. PURE.

The sidecar may log in from an address that the org trusts, where no token is needed, or from another one; and so may
the consumers. `sidecar_address` of the connection tells of the one, `security_token_from` of the role of the others.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import machine
from vault_salesforce_sidecar.rotation.machine import Fate, State
from vault_salesforce_sidecar.rotation.roster import FIRST_TOKEN


class TokenState(StrEnum):
    """How the token is that readers get."""

    NOT_REQUIRED = "not_required"  # whoever logs in does so from an address that the org trusts
    FRESH = "fresh"  # a login proved it after the last change of the password
    STALE = "stale"  # the password was changed since, and that is taken to end it
    UNPROVEN = "unproven"  # the org trusts the sidecar's address: no login from there proves one
    SURVIVED = "survived"  # it is older than the password, and a login proved that it works all the same
    UNKNOWN = "unknown"  # nothing has proved one yet, or nobody knows what became of it


@dataclass(frozen=True)
class TokenLife:
    """How a role's security token is.

    Attributes:
        state: In one word.
        since: Since when; None: nothing has happened yet.
        reason: Why, as a sentence.
    """

    state: TokenState
    since: datetime | None
    reason: str


_ELSEWHERE = (
    "The org trusts the sidecar's address, so that no login from it proves a token and none is published; "
    "consumers at other addresses need one."
)
_TRUSTED_ALL_THE_SAME = (
    "A login without one succeeded, so that the org trusts the sidecar's address: sidecar_address=trusted says so, "
    "and no login from it proves a token."
)


def life_of(record: JournalEntry, role: StaticRole, *, trusted: bool) -> TokenLife:
    """How the token is.

    Args:
        record: The account's entry.
        role: The role.
        trusted: The org trusts the sidecar's address.
    """
    for_consumers = role.security_token_from != "none"  # noqa: S105 - where tokens come from
    for_us = not trusted and (record.wants_token or record.current_token is not None)
    if not for_consumers and not for_us:
        return TokenLife(TokenState.NOT_REQUIRED, record.last_rotation, _no_need(trusted=trusted))
    if record.reason == FIRST_TOKEN:
        return TokenLife(TokenState.UNKNOWN, record.since, "None has been handed in or mailed yet.")
    if trusted and record.current_token is None:
        return TokenLife(TokenState.UNPROVEN, record.last_rotation, _ELSEWHERE)
    return _ended(record) or _published(record)


def with_token_proven(before: JournalEntry, after: JournalEntry, now: datetime) -> JournalEntry:
    """The record of a rotation that settles, with what its login said of the token that is published now.

    Args:
        before: The record while that was still to be published: its current pair is the one before.
        after: The record at rest.
        now: The time of day.
    """
    token = after.current_token
    if token is None:
        return replace(after, token_state="", token_since=None, token_reason="")
    if token != before.current_token or not before.published_version:
        return _noted(after, TokenState.FRESH, now, f"It {_came(after)}, and a login proved it.")
    if after.current_password != before.current_password:
        reason = "The password was changed, and a login proved that the token of before still works."
        return _noted(after, TokenState.SURVIVED, now, reason)
    return after if after.token_state else _noted(after, TokenState.FRESH, now, "A login proved it.")


def _ended(record: JournalEntry) -> TokenLife | None:
    """How it is where the password of now is not, or may not be, the published one; None: it is."""
    if record.state == State.AWAITING_TOKEN:
        refused = record.reason == machine.TOKEN_REFUSED
        what = "the one that came was refused" if refused else "the one that belongs to the new one is missing"
        return TokenLife(TokenState.STALE, record.since, f"The password was changed, and {what}.")
    if record.reason == machine.CHANGED_OUTSIDE:
        reason = "Somebody changed the password in Salesforce, which is taken to end the token."
        return TokenLife(TokenState.STALE, record.since, reason)
    if record.candidate_password is None or record.fate in (_name(Fate.UNSENT), _name(Fate.REFUSED)):
        return None
    if record.fate == _name(Fate.DONE):
        reason = "The password was changed, and no login has proved the new one yet."
        return TokenLife(TokenState.STALE, record.since, reason)
    return TokenLife(TokenState.UNKNOWN, record.since, "It is not known whether the password was changed.")


def _published(record: JournalEntry) -> TokenLife:
    if not record.published_version:
        return TokenLife(TokenState.UNKNOWN, record.since, "Nothing has been published yet.")
    if record.current_token is None:
        if record.evidence == "record":
            reason = "Nobody logs in as this user, so that nothing proves one."
            return TokenLife(TokenState.UNKNOWN, record.last_rotation, reason)
        return TokenLife(TokenState.UNPROVEN, record.last_rotation, _TRUSTED_ALL_THE_SAME)
    if record.token_state in (TokenState.FRESH, TokenState.SURVIVED):
        return TokenLife(TokenState(record.token_state), record.token_since, record.token_reason)
    return TokenLife(TokenState.FRESH, record.last_rotation, "A login proved it.")


def _no_need(*, trusted: bool) -> str:
    consumers = "No consumer needs one (security_token_from=none)"
    return (
        f"{consumers}, and the org trusts the sidecar's address." if trusted else f"{consumers}, nor does the sidecar."
    )


def _came(record: JournalEntry) -> str:
    if record.token_mailed:
        return "came by mail"
    return "was given when the role was created" if record.cause == "create" else "was handed in"


def _noted(record: JournalEntry, state: TokenState, now: datetime, reason: str) -> JournalEntry:
    return replace(record, token_state=state.value, token_since=now, token_reason=reason)


def _name(fate: Fate) -> str:
    return fate.name.lower()
