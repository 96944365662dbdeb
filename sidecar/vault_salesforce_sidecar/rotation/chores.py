"""What is owed after a rotation came to rest, at least once and by whoever sees it owed: push, history, emptying."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, OperatorError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_contract.published import PublishedCredential
from vault_salesforce_contract.registration import Held
from vault_salesforce_sidecar.records import history_entry
from vault_salesforce_sidecar.records.history_entry import HistoryEntry, remembered
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation.credentials import Credentials, Found
from vault_salesforce_sidecar.rotation.journal import Journal
from vault_salesforce_sidecar.rotation.machine import State
from vault_salesforce_sidecar.rotation.parts import Parts, PushFailed, open_account
from vault_salesforce_sidecar.rotation.schedule import interval, next_due
from vault_salesforce_sidecar.rotation.sessions import Sessions
from vault_salesforce_sidecar.salesforce.interface import Lost, NotSent, OrgRefused, Session
from vault_salesforce_sidecar.store import Conflict, Store, Stored

log = structlog.get_logger(__name__)

EMPTY, PUSH, HISTORY, SESSIONS = "empty", "push", "history", "sessions"
LEFT: Final = "not ended: "  # how the record begins that tells of sessions which nobody may end
_TRIES = 5
_CREATION = timedelta(minutes=10)  # of a role whose creation takes longer nothing is owed


class Chores:
    """Does what an entry owes."""

    def __init__(self, parts: Parts, journal: Journal, credentials: Credentials) -> None:
        self._parts, self._journal, self._credentials = parts, journal, credentials
        self._history = Store(parts.engine_kv, "history", dump=history_entry.dump, load=history_entry.load)

    def do(
        self, stored: Stored[JournalEntry], own: Session | None = None, *, pushed: bool | None = None
    ) -> Stored[JournalEntry]:
        """Do what is owed, and write what is left.

        Args:
            stored: The entry.
            own: The session of the user's that proved the new password, where it is still in hand.
            pushed: How the push went that was tried already; None: none was.

        Raises:
            KvUnavailable: It stays owed.
            Conflict: The entry has moved on; what it owes then is known from itself.
        """
        record, left = stored.record, set(stored.record.owed)
        if EMPTY in left:
            record = self._empty(record)
            left -= {EMPTY}
        if PUSH in left and (self.pushed(record) if pushed is None else pushed):
            left -= {PUSH}
        if HISTORY in left:
            self.remember(record)
            left -= {HISTORY}
        if SESSIONS in left and (told := self._end_sessions(record, own)):
            record = replace(record, sessions=told)
            self.remember(record)
            left -= {SESSIONS}
        record = replace(record, owed=tuple(sorted(left)))
        return stored if record == stored.record else self._journal.put(record.username, record, stored.version)

    def history(self, role: str, username: str = "") -> tuple[HistoryEntry, ...]:
        """The role's rotations, newest first. Raises: KvUnavailable.

        Args:
            role: Its name.
            username: Its user: what their entry owes the history is shown as if it were written. Empty: nobody's is.
        """
        newest = None
        with suppress(OperatorError):  # an entry of a newer release: its row is there, or comes
            newest = self._journal.get(username) if username else None
        known = self._history.get(role)
        rows = known.record if known else ()
        if newest is None or newest.record.role != role or HISTORY not in newest.record.owed:
            return rows
        return remembered(rows, _row(newest.record))

    def push(self, name: str, record: JournalEntry, found: Found | None = None) -> bool:
        """Hand over what KV holds now, if it is a proven version of ours.

        Args:
            name: The role.
            record: The entry that published it.
            found: What KV holds, where that is known; None: it is read.

        Returns: False where the role is being created, and not there to be pushed yet.
        Raises: PushFailed, KvUnavailable.
        """
        role = None if record.state == State.DELETED else self._parts.roles.get(name)
        if role is None and record.state != State.DELETED:
            return record.since is None or self._parts.clock.now() - record.since >= _CREATION
        found = found or self._credentials.read(name)
        # Another version is somebody else's, or that of a rotation which pushes it itself.
        if record.published_version and found.version == record.published_version:
            credential = self._credential(role.record, record, found) if role else self._deleted(record)
            if credential is not None:
                self._parts.push(name, credential)
        return True

    def push_former(self, name: str, held: Held) -> None:
        """Hand over the last, empty version of a role that has no entry any longer. Raises: as `push`."""
        if self._credentials.read(name).secret is None:
            self._parts.push(name, self._tombstone("", held, self._parts.clock.now()))

    def _end_sessions(self, record: JournalEntry, own: Session | None) -> str:
        """End the user's other sessions; what became of them, or empty: it stays owed."""
        try:
            account = open_account(self._parts, record.role, checked=False)
            sessions = Sessions(account, self._parts.clock, lambda: None)
            sessions.own = own
            ended = sessions.end_others(record.user_id)
        except OrgRefused as refused:
            log.warning("sessions were not ended", role=record.role, code=refused.fault.code)
            return f"{LEFT}{refused.fault.cause}"
        except CallerError as exc:
            return f"{LEFT}{exc.sentence}"
        except (Lost, NotSent):
            log.warning("sessions are still to be ended", role=record.role)
            return ""
        log.info("sessions ended", role=record.role, ended=ended, rotation_id=record.rotation_id)
        return f"{ended} ended"

    def pushed(self, record: JournalEntry, found: Found | None = None) -> bool:
        """Whether the entry's version could be handed over; `found`: see `push`. Raises: KvUnavailable."""
        try:
            return self.push(record.role, record, found)
        except PushFailed as exc:
            log.warning("push failed", role=record.role, version=record.published_version, reason=str(exc))
            return False

    def _deleted(self, record: JournalEntry) -> PublishedCredential:
        held = Held(record.published_version, record.published_id)
        return self._tombstone(record.username, held, record.since or self._parts.clock.now())

    def _tombstone(self, username: str, held: Held, when: datetime) -> PublishedCredential:
        return PublishedCredential(
            username=username,
            password=SecretStr(""),
            version=held.version,
            rotation_id=held.rotation_id,
            last_vault_rotation=when,
            login_url="",
            deleted=True,
        )

    def _credential(self, role: StaticRole, record: JournalEntry, found: Found) -> PublishedCredential | None:
        if found.secret is None:
            return None
        now = self._parts.clock.now()
        hints = role.consumer_hints == "ttl"
        return PublishedCredential(
            username=role.username,
            password=found.secret.password,
            security_token=found.secret.token or SecretStr(""),
            version=found.version,
            rotation_id=record.published_id,
            last_vault_rotation=found.last_rotation or now,
            login_url=found.login_url,
            instance_url=found.instance_url,
            organization_id=found.organization_id,
            rotation_period=_period(role, record) if hints else None,
            next_rotation=_next(role, record, now) if hints else None,
            ttl=role.ttl,
            max_ttl=role.max_ttl,
            # Where nothing but a request rotates, the end of a lease makes nothing due that would then stay due.
            rotate_on_lease_end="never" if role.disable_automated_rotation else role.rotate_on_lease_end,
        )

    def _empty(self, record: JournalEntry) -> JournalEntry:
        """Move the KV version of a deleted role on, to one that holds nothing."""
        for _ in range(_TRIES):
            found = self._credentials.read(record.role)
            if found.version and found.secret is None:
                version = found.version
                break
            try:
                now = self._parts.clock.now()
                version = self._credentials.empty(record.role, found.version, record.rotation_id, now)
                break
            except Conflict:  # a rotation that had not heard of it
                continue
        else:
            raise Conflict(record.role)
        return replace(record, published_version=version, published_id=record.rotation_id)

    def remember(self, record: JournalEntry) -> None:
        """Write the rotation into the role's history, once. Raises: Conflict, KvUnavailable."""
        try:
            self.note(record.role, _row(record))
        except ValueError as exc:  # of a newer release, or spoilt: no rotation waits for that
            log.warning("a history is left alone", role=record.role, reason=str(exc))

    def note_request(self, record: JournalEntry, caller: Caller, *, cause: str, outcome: str, reason: str) -> None:
        """Write into the history of the entry's role what somebody asked for besides rotations. Raises: as `note`."""
        now = self._parts.clock.now()
        row = HistoryEntry(
            rotation_id=record.rotation_id,
            cause=cause,
            began=now,
            ended=now,
            outcome=outcome,
            reason=reason,
            version=record.published_version,
            request_id=caller.request_id,
            display_name=caller.display_name,
            entity_id=caller.entity_id,
            accessor=caller.accessor,
        )
        self.note(record.role, row)

    def note(self, role: str, row: HistoryEntry) -> None:
        """Write a row into a role's history, once. Raises: Conflict, KvUnavailable; ValueError: it cannot be read."""
        for _ in range(_TRIES):
            known = self._history.get(role)
            rows = remembered(known.record if known else (), row)
            if known is not None and rows == known.record:
                return
            try:
                self._history.put(role, rows, known.version if known else None)
            except Conflict:  # another account of a role of this name, or another sidecar
                continue
            return
        raise Conflict(role)


def _row(record: JournalEntry) -> HistoryEntry:
    return HistoryEntry(
        rotation_id=record.rotation_id,
        cause=record.cause,
        began=record.began,
        ended=record.since,
        outcome=record.state,
        reason=record.reason,
        evidence=record.evidence,
        way=record.way,
        sessions=record.sessions,
        version=record.published_version,
        fault_code=record.fault_code,
        request_id=record.request_id,
        display_name=record.display_name,
        entity_id=record.entity_id,
        accessor=record.accessor,
    )


def _next(role: StaticRole, record: JournalEntry, now: datetime) -> datetime | None:
    due = next_due(role, record, now)
    return due.at if due else None


def _period(role: StaticRole, record: JournalEntry) -> int | None:
    """The whole time between two rotations, as agents need it beside `ttl`."""
    whole = interval(role, record.last_rotation) if record.last_rotation else None
    return max(1, int(whole / timedelta(seconds=1))) if whole else role.rotation_period
