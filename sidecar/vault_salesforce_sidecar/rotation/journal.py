"""The journal in KV: one entry per account, and its form as the machine sees it."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, unquote

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import OperatorError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_sidecar.records import journal_entry
from vault_salesforce_sidecar.records.journal_entry import JournalEntry, Kept
from vault_salesforce_sidecar.rotation.machine import REST, Entry, Fate, Secret, State
from vault_salesforce_sidecar.salesforce.interface import Fault
from vault_salesforce_sidecar.store import Kv, Store, Stored

KEPT_FOR: Final = timedelta(days=7)
KEPT_AT_MOST: Final = 5


def key(username: str) -> str:
    """The account's name in the journal: user names are unique over all orgs, without regard to case."""
    return quote(username.lower(), safe="")


class Journal:
    """The entries, each write by check-and-set.

    An entry's metadata is made before its first version, with `max_versions=1`: each write then removes the version
    before it from storage, so that no candidate lingers.
    """

    def __init__(self, kv: Kv) -> None:
        self._store = Store(kv, "journal", dump=journal_entry.dump, load=journal_entry.load, max_versions=1)

    def get(self, username: str) -> Stored[JournalEntry] | None:
        """The account's entry, or None. Raises: KvUnavailable; OperatorError 503: this release cannot read it."""
        try:
            stored = self._store.get(key(username))
            if stored is not None:
                machine_entry(stored.record)
        except ValueError as exc:
            raise OperatorError(
                f"the journal entry of {username!r} cannot be used: {exc}",
                status=HTTPStatus.SERVICE_UNAVAILABLE,
                code="unreadable_entry",
                remedy="run the release that wrote it, or a later one",
            ) from exc
        return stored

    def put(self, username: str, entry: JournalEntry, version: int | None) -> Stored[JournalEntry]:
        """Write on top of `version`; None: the first. Raises: Conflict, KvUnavailable."""
        return self._store.put(key(username), entry, version)

    def usernames(self) -> list[str]:
        """Every account that has an entry, lower-cased."""
        return [unquote(name) for name in self._store.list()]


def position(stored: Stored[JournalEntry]) -> int:
    """How often the entry was written: it goes on counting where KV, once restored, counts from an older version."""
    return stored.version + stored.record.counted_before


@dataclass(frozen=True)
class Now:
    """What every write to an entry knows of its moment.

    Attributes:
        time: The time of day.
        instance: This sidecar.
        hold_seconds: How long it may go on without writing.
        kept_for: How long earlier passwords are kept.
    """

    time: datetime
    instance: str
    hold_seconds: int
    kept_for: timedelta = KEPT_FOR


def machine_entry(record: JournalEntry) -> Entry:
    """The part of the record that decides. Raises: ValueError where it holds a word that no release of ours wrote."""
    try:
        fate = Fate[record.fate.upper()]
    except KeyError as exc:
        raise ValueError(f"the journal entry holds an unknown fate {record.fate!r}") from exc
    return Entry(
        state=State(record.state),
        current=Secret(record.current_password, record.current_token),
        base=record.base_version,
        candidate=_secret(record.candidate_password, record.candidate_token),
        given=_secret(record.given_password, record.given_token),
        fate=fate,
        tries=record.tries,
        refused=frozenset(record.refused),
        marked=record.marked,
        wants_token=record.wants_token,
        charges=record.charges,
        kept=frozenset(one.password for one in record.kept),
        reason=record.reason,
        mends=record.mends,
        by_admin=record.by_admin,
        resets=record.resets,
    )


def with_entry(record: JournalEntry, entry: Entry, now: Now) -> JournalEntry:
    """The record after a step: the machine's part, since when, who holds it, and what is kept until when."""
    resting = entry.state in REST
    return replace(
        record,
        state=entry.state.value,
        reason=entry.reason,
        since=record.since if entry.state.value == record.state else now.time,
        current_password=entry.current.password,
        current_token=entry.current.token,
        candidate_password=entry.candidate and entry.candidate.password,
        candidate_token=entry.candidate and entry.candidate.token,
        given_password=entry.given and entry.given.password,
        given_token=entry.given and entry.given.token,
        base_version=entry.base,
        fate=entry.fate.name.lower(),
        tries=entry.tries,
        refused=tuple(sorted(entry.refused)),
        marked=entry.marked,
        wants_token=entry.wants_token,
        charges=entry.charges,
        kept=_kept(record, entry, now),
        mends=entry.mends,
        by_admin=entry.by_admin,
        resets=entry.resets,
        holder="" if resting else now.instance,
        hold_seconds=0 if resting else now.hold_seconds,
    )


def with_fault(record: JournalEntry, fault: Fault | None) -> JournalEntry:
    """The record with the last fault, or with none."""
    if fault is None:
        return replace(record, fault_code="", fault_cause="", fault_remedy="")
    return replace(record, fault_code=fault.code, fault_cause=fault.cause, fault_remedy=fault.remedy)


def with_queued(record: JournalEntry, rotation_id: str, caller: Caller, *, end_sessions: bool = False) -> JournalEntry:
    """The record with one more rotation asked for, by `caller`; an empty id takes it away."""
    return replace(
        record,
        queued=rotation_id,
        queued_by=caller.display_name,
        queued_request_id=caller.request_id,
        queued_entity_id=caller.entity_id,
        queued_accessor=caller.accessor,
        queued_end_sessions=end_sessions,
    )


def queued_by(record: JournalEntry) -> Caller:
    """Who asked for the rotation that is queued."""
    return Caller(record.queued_request_id, record.queued_by, record.queued_entity_id, record.queued_accessor)


def without_notes(record: JournalEntry) -> JournalEntry:
    """The record without what others may add while it is in hand: one more rotation, a push, an end of sessions."""
    return replace(with_queued(record, "", Caller()), owed=(), end_sessions=False)


def with_notes(record: JournalEntry, noted: JournalEntry) -> JournalEntry:
    """The record with what others added to the one that was written before it."""
    owed = tuple(sorted({*record.owed, *noted.owed}))
    queued = with_queued(record, noted.queued, queued_by(noted), end_sessions=noted.queued_end_sessions)
    return replace(queued, owed=owed, end_sessions=record.end_sessions or noted.end_sessions)


def fresh(username: str, role: str) -> JournalEntry:
    """The entry of an account that had none: nothing is known of it."""
    return JournalEntry(username=username, role=role, state=State.WITHDRAWN.value, salt=secrets.token_hex(16))


def forgotten(record: JournalEntry, now: datetime) -> JournalEntry:
    """The record without the passwords whose time is over; a deleted role's entry loses all of them at the end."""
    if State(record.state) not in (State.SETTLED, State.WITHDRAWN, State.DELETED):
        return record
    kept = tuple(one for one in record.kept if one.until is None or one.until > now)
    if record.state == State.DELETED and not kept:
        return replace(record, kept=(), current_password=SecretStr(""), current_token=None)
    return replace(record, kept=kept)


def digest_of(record: JournalEntry, secret: Secret | SecretStr) -> str:
    """A salted digest, by which a secret is known again without being kept."""
    parts = secret if isinstance(secret, Secret) else (secret,)
    text = "\0".join(part.reveal() if part else "" for part in parts)
    return hmac.new(record.salt.encode(), text.encode(), hashlib.sha256).hexdigest()


def _secret(password: SecretStr | None, token: SecretStr | None) -> Secret | None:
    return None if password is None else Secret(password, token)


def _kept(record: JournalEntry, entry: Entry, now: Now) -> tuple[Kept, ...]:
    """What the machine keeps, each until its own time; of too many the oldest go, but only once nothing is open."""
    known = {one.password: one for one in record.kept}
    kept = [known.get(one) or Kept(one, now.time + now.kept_for) for one in entry.kept if one]
    kept.sort(key=lambda one: one.until or now.time, reverse=True)
    if entry.state in (State.STUCK, State.AWAITING_TOKEN) or entry.state not in REST:
        return tuple(kept)
    return tuple(one for one in kept[:KEPT_AT_MOST] if one.until is None or one.until > now.time)
