"""One account's journal entry: lock, intent, attempt budget, earlier passwords and outcome in one record.

It is flat, so that a person can read it with `bao kv get` when no sidecar runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from vault_plugin_sdk.framework.coerce import coerce, jsonable
from vault_plugin_sdk.framework.fields import BOOLEAN, DURATION, INTEGER, LIST, SECRET, TEXT, TIME, declared, to_stored
from vault_plugin_sdk.framework.fields import field as item
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.records.schema import check_schema

SCHEMA: Final = 1


@dataclass(frozen=True)
class Kept:
    """An earlier password, or a candidate, that a late call might still bring to life.

    Attributes:
        password: What it is.
        until: When it may be forgotten; None: as long as the rotation is not over.
    """

    password: SecretStr
    until: datetime | None = None


@dataclass(frozen=True)
class JournalEntry:
    """The record at `journal/<username>`, written by check-and-set alone."""

    username: str = item(TEXT, "The account, as the role spells it.")
    role: str = item(TEXT, "The role that owns it.")
    state: str = item(TEXT, "What is about to be done, or why nothing is: see the states of a rotation.")
    reason: str = item(TEXT, "Why it rests where it rests.", default="")
    since: datetime | None = item(TIME, "When it came into this state.", default=None)

    current_password: SecretStr = item(SECRET, "What KV said when the rotation began.", default=SecretStr(""))
    current_token: SecretStr | None = item(SECRET, "The security token with it.", default=None)
    candidate_password: SecretStr | None = item(SECRET, "The new password, ours and random.", default=None)
    candidate_token: SecretStr | None = item(SECRET, "The security token with it.", default=None)
    given_password: SecretStr | None = item(SECRET, "What an operator says is true now.", default=None)
    given_token: SecretStr | None = item(SECRET, "The security token with it.", default=None)
    base_version: int = item(INTEGER, "KV version that the rotation starts from.", default=0)
    fate: str = item(TEXT, "What is known of the changes sent.", default="unsent")
    tries: int = item(INTEGER, "Changes sent in this round.", default=0)
    refused: tuple[str, ...] = item(LIST, "Which of current, candidate is out in this round.", default=())
    marked: bool = item(BOOLEAN, "The org's record of the last change was noted in this round.", default=False)
    mark: str = item(TEXT, "What that record said, before any change was sent.", default="")
    mailbox_mark: str | None = item(TEXT, "What the mailbox held then: only mail above it counts.", default=None)
    wants_token: bool = item(BOOLEAN, "No login without a security token.", default=False)
    charges: int = item(INTEGER, "Logins that failed, or may have, since the last that succeeded.", default=0)
    forgiven: int = item(INTEGER, "Of the org's own count of them, those that somebody has looked into.", default=0)
    kept: tuple[Kept, ...] = ()
    mends: bool = item(BOOLEAN, "It began because what KV held was not live.", default=False)
    by_admin: bool = item(BOOLEAN, "The connection's identity sets the candidate.", default=False)
    resets: bool = item(BOOLEAN, "A reset is about to be sent, which makes current_password.", default=False)

    counted_before: int = item(
        INTEGER, "Writes to this entry that KV does not count any longer, since it was restored.", default=0
    )
    holder: str = item(TEXT, "Sidecar that acts for it; empty: nobody.", default="")
    hold_seconds: int = item(DURATION, "How long the holder may go on without writing here.", default=0)
    organization_id: str = item(TEXT, "The org, once a login told it.", default="")
    user_id: str = item(TEXT, "The user, once a login told it.", default="")
    instance_url: str = item(TEXT, "The org's own host, once a login told it.", default="")

    rotation_id: str = item(TEXT, "The rotation in flight, or the last one.", default="")
    cause: str = item(TEXT, "Why it began.", default="")
    request_id: str = item(TEXT, "Vault's id of the request that began it, or its last round.", default="")
    display_name: str = item(TEXT, "Who asked.", default="")
    entity_id: str = item(TEXT, "Entity of who asked.", default="")
    accessor: str = item(TEXT, "Token accessor of who asked.", default="")
    began: datetime | None = item(TIME, "When it began.", default=None)
    evidence: str = item(TEXT, "What proved the new password: login, or the weaker record.", default="")
    way: str = item(TEXT, "By which call the password is changed, and in whose session.", default="")
    end_sessions: bool = item(BOOLEAN, "The user's other sessions end after it.", default=False)
    sessions: str = item(TEXT, "What became of them.", default="")
    fault_code: str = item(TEXT, "The last fault's code.", default="")
    fault_cause: str = item(TEXT, "What it means.", default="")
    fault_remedy: str = item(TEXT, "What to do about it.", default="")
    queued: str = item(TEXT, "Id of one more rotation, asked for while this one ran.", default="")
    queued_by: str = item(TEXT, "Who asked for that.", default="")
    queued_request_id: str = item(TEXT, "Vault's id of that request.", default="")
    queued_entity_id: str = item(TEXT, "Entity of who asked for that.", default="")
    queued_accessor: str = item(TEXT, "Token accessor of who asked for that.", default="")
    queued_end_sessions: bool = item(BOOLEAN, "The user's other sessions end after that.", default=False)
    owed: tuple[str, ...] = item(LIST, "Chores left: history, push, empty, sessions.", default=())

    published_version: int = item(INTEGER, "KV version that we published last.", default=0)
    published_id: str = item(TEXT, "The rotation that made it.", default="")
    last_rotation: datetime | None = item(TIME, "When it was proven and written.", default=None)
    proven_record: str = item(TEXT, "The org's record just before the login that proved it.", default="")
    token_mailed: bool = item(BOOLEAN, "The token in hand came by mail.", default=False)
    token_seen: bool = item(BOOLEAN, "A mailed security token of this user was once proven.", default=False)
    token_state: str = item(TEXT, "What the last login said of the published token: fresh, survived.", default="")
    token_since: datetime | None = item(TIME, "When that was.", default=None)
    token_reason: str = item(TEXT, "How it came to that.", default="")
    last_lease_rotation: datetime | None = item(TIME, "When a lease's end last began a rotation.", default=None)
    failures: int = item(INTEGER, "Automatic rotations in a row that came to nothing.", default=0)
    not_before: datetime | None = item(TIME, "No automatic rotation before this.", default=None)
    next_rotation: datetime | None = item(TIME, "When the next scheduled one is due.", default=None)
    next_rotation_until: datetime | None = item(TIME, "The end of its window.", default=None)
    planned_from: datetime | None = item(TIME, "The rotation that it was reckoned from.", default=None)
    planned_by: str = item(TEXT, "The schedule that it was reckoned by.", default="")
    password_expires: datetime | None = item(TIME, "When the org lets the password expire, as last seen.", default=None)
    salt: str = item(TEXT, "Of the digests below.", default="")
    tokens_tried: tuple[str, ...] = item(LIST, "Digests of tokens that were tried in this rotation.", default=())
    refused_digest: str = item(TEXT, "Digest of the last given pair that was refused.", default="")
    refused_at: datetime | None = item(TIME, "When that was.", default=None)
    first_password: str = item(TEXT, "Digest of the password that the role was created with.", default="")
    first_token: str = item(TEXT, "Digest of the token that the role was created with.", default="")

    sent_by: str = item(TEXT, "Digest of where its secrets were sent, once its role is deleted.", default="")
    renamed_to: str = item(TEXT, "The name that the user has in Salesforce now, if that is another one.", default="")
    moving_to: str = item(TEXT, "The account that the role is being moved to: nothing begins meanwhile.", default="")
    moved_from: str = item(TEXT, "The account that the role came from, until that is done with.", default="")

    unknown: Mapping[str, Any] = field(default_factory=dict, repr=False)


_FIELDS = declared(JournalEntry)


def dump(entry: JournalEntry) -> dict[str, Any]:
    """The record as KV stores it, secrets included, with what an older or newer release left in it."""
    kept = [
        {"password": one.password.reveal()} | ({"until": jsonable(one.until)} if one.until else {})
        for one in entry.kept
    ]
    return {**entry.unknown, "schema": SCHEMA, **to_stored(entry), "kept": kept}


def load(data: Mapping[str, Any]) -> JournalEntry:
    """The record that `dump` wrote.

    Raises:
        NewerSchema: A newer release wrote it.
        ValueError: It cannot be read.
    """
    check_schema(data, SCHEMA)
    try:
        kept = tuple(
            Kept(SecretStr(one["password"]), coerce(TIME, one["until"]) if one.get("until") else None)
            for one in data.get("kept") or ()
        )
        values = {name: coerce(_FIELDS[name].kind, value) for name, value in data.items() if name in _FIELDS}
        unknown = {name: value for name, value in data.items() if name not in _FIELDS | {"schema": None, "kept": None}}
        return JournalEntry(**values, kept=kept, unknown=unknown)
    except (KeyError, TypeError, AttributeError) as fault:
        raise ValueError("the journal entry is not of the shape that this release writes") from fault
