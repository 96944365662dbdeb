"""Has a password been changed outside, and when does it expire? The org tells those who may look, at no login."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

import structlog

from vault_plugin_sdk.logical.errors import EngineError
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import findings, machine
from vault_salesforce_sidecar.rotation.asking import Situation
from vault_salesforce_sidecar.rotation.carrying import Carrier
from vault_salesforce_sidecar.rotation.journal import with_entry
from vault_salesforce_sidecar.rotation.machine import FREE, Request, State
from vault_salesforce_sidecar.rotation.parts import open_account
from vault_salesforce_sidecar.rotation.renamed import ID_LENGTH, called_now
from vault_salesforce_sidecar.rotation.roster import Seen
from vault_salesforce_sidecar.rotation.runner import at_rest
from vault_salesforce_sidecar.salesforce.interface import Lost, NotSent, Org, OrgRefused, Session
from vault_salesforce_sidecar.salesforce.ways_in import JWT_BEARER
from vault_salesforce_sidecar.store import KvUnavailable

log = structlog.get_logger(__name__)

# Each look is a call of the org's daily limit: some 8,600 a day at most, however many roles there are.
APART_SECONDS: Final = 10.0
ROUND_SECONDS: Final = 300.0
MOST_USERS: Final = 200
MOST_CHARACTERS: Final = 4000  # of the names in one query, which travels in an address of 16 KB
_EXPIRES: Final = "PasswordExpirationDate"


@dataclass(frozen=True)
class Told:
    """What the org says of a user.

    Attributes:
        changed: Its text of the time of the last change of the password.
        expires: When it lets the password expire; None: never, or it does not say.
    """

    changed: str | None
    expires: datetime | None


class Drift:
    """Looks at every role in rounds, many users of one connection with one query.

    Where a connection has no identity, its app lets each user look at themself; they take turns between the rounds.
    """

    def __init__(self, carrier: Carrier) -> None:
        self._carrier, self._clock = carrier, carrier.parts.clock
        self._last = self._clock.monotonic()
        self._round: deque[tuple[str, Sequence[str]]] = deque()
        self._began = float("-inf")
        self._alone: deque[tuple[str, str]] = deque()
        self._waiting: set[str] = set()

    def tick(self) -> None:
        """Begin a look, if it is time for one; returns at once."""
        now = self._clock.monotonic()
        if now - self._last < APART_SECONDS:
            return
        self._last = now
        if not self._round and now - self._began >= ROUND_SECONDS:
            self._began = now
            self._round.extend(self._batches())
        if self._round:
            connection, names = self._round.popleft()
            self._carrier.jobs.offer(f"look\0{connection}", partial(self._look, connection, names))
        elif self._alone:
            connection, name = self._alone.popleft()
            self._waiting.discard(name)
            self._carrier.jobs.offer(f"look\0{connection}", partial(self._look, connection, [name], alone=True))

    def _batches(self) -> Iterator[tuple[str, Sequence[str]]]:
        """A connection, and some of its roles, again and again."""
        by_connection: dict[str, list[str]] = {}
        roles = self._carrier.roster.roles()
        for name, role in roles.items():
            by_connection.setdefault(role.config, []).append(name)
        for connection, names in by_connection.items():
            batch: list[str] = []
            characters = 0
            for name in names:
                if len(batch) == MOST_USERS or characters > MOST_CHARACTERS:
                    yield connection, batch
                    batch, characters = [], 0
                batch.append(name)
                characters += len(roles[name].username)
            yield connection, batch

    def _queue(self, connection: str, names: Iterable[str]) -> None:
        for name in names:
            role = self._carrier.roster.role(name)
            if role is not None and role.self_login == JWT_BEARER and name not in self._waiting:
                self._waiting.add(name)
                self._alone.append((connection, name))

    def _look(self, connection: str, names: Sequence[str], *, alone: bool = False) -> None:
        before = {name: seen for name in names if (seen := self._at_rest(name)) is not None}
        try:
            stored = self._carrier.parts.connections.get(connection)
            if not before or stored is None:
                return
            if stored.record.auth_method == "none" and not alone:
                self._queue(connection, before)
                return
            parts = self._carrier.parts
            org = parts.organizations.guarded(connection, stored.record, parts.open_org(stored.record))
            usernames = [seen.record.username for seen in before.values()]
            told = ask(org, usernames, partial(org.log_in_as, usernames[0]) if alone else org.admin_session)
            unknown = [seen.record for seen in before.values() if seen.record.username.lower() not in told]
            called = called_now(org, [record.user_id for record in unknown])
        except (EngineError, KvUnavailable, ValueError, OrgRefused, Lost, NotSent) as exc:
            log.warning("drift could not be looked for", connection=connection, reason=str(exc))
            return
        for name, seen in before.items():
            account = seen.record.username.lower()
            found = told.get(account)
            if found is not None and (_has_moved(seen.record, found) or found.expires != seen.record.password_expires):
                self._carrier.jobs.offer(account, partial(self._note, name, seen, found))
            renamed_to = called.get(seen.record.user_id[:ID_LENGTH], "")
            if found is None and renamed_to != seen.record.renamed_to:
                self._carrier.jobs.offer(account, partial(self._note_name, name, seen, renamed_to))

    def _at_rest(self, name: str) -> Seen | None:
        role = self._carrier.roster.role(name)
        seen = self._carrier.roster.seen(role.username) if role else None
        free = seen is not None and State(seen.record.state) in FREE and seen.record.published_version
        return seen if free and seen and seen.record.role == name else None

    def _note(self, name: str, seen: Seen, told: Told) -> None:
        """Write down what the org said, unless the entry has moved since it was asked."""
        parts = self._carrier.parts

        def change(situation: Situation) -> JournalEntry | None:
            if situation.stored is None or situation.stored.version != seen.stored.version:
                return None
            record = replace(situation.record, password_expires=told.expires)
            drifted = machine.ask(situation.entry, Request.DRIFT, None, situation.kv)
            if _has_moved(record, told) and drifted is not None:
                now = parts.moment()
                record = at_rest(with_entry(record, drifted, now), now)
            return record if record != situation.record else None

        try:
            stored = self._carrier.desk.edit(open_account(parts, name, checked=False), change)
        except (EngineError, KvUnavailable) as exc:
            log.warning("drift could not be looked for", role=name, reason=str(exc))
            return
        if stored is not None:
            self._carrier.roster.note(stored)
            if stored.version == seen.stored.version + 1 and stored.record.reason == machine.CHANGED_OUTSIDE:
                log.warning("the password was changed outside", role=name)

    def _note_name(self, name: str, seen: Seen, renamed_to: str) -> None:
        """Write down what the user is called now."""

        def change(situation: Situation) -> JournalEntry | None:
            unmoved = situation.stored is not None and situation.stored.version == seen.stored.version
            return replace(situation.record, renamed_to=renamed_to) if unmoved else None

        try:
            account = open_account(self._carrier.parts, name, checked=False)
            stored = self._carrier.desk.edit(account, change)
        except (EngineError, KvUnavailable) as exc:
            log.warning("drift could not be looked for", role=name, reason=str(exc))
            return
        if stored is not None:
            self._carrier.roster.note(stored)
            log.warning("the user was renamed", role=name, renamed_to=renamed_to)


def ask(org: Org, usernames: Collection[str], opened: Callable[[], Session | None]) -> dict[str, Told]:
    """What the org says of these users, by their names in small letters; of some it may say nothing.

    Args:
        org: Where.
        usernames: Of whom.
        opened: Gives the session of who looks.

    Raises: OrgRefused, Lost, NotSent.
    """
    for last in (False, True):
        session = opened()
        if session is None:
            break
        try:
            fields = ["Username", "LastPasswordChangeDate", *({_EXPIRES} & org.columns(session, "User"))]
            rows = org.query(session, query(fields, usernames))
        except OrgRefused as refused:
            if refused.fault.code != findings.DEAD_SESSION or last:
                raise
            org.forget_admin_session(session)
            continue
        return {
            str(row.get("Username")).lower(): Told(
                _text(row.get("LastPasswordChangeDate")), _time(_text(row.get(_EXPIRES)))
            )
            for row in rows
        }
    return {}


def query(fields: Sequence[str], usernames: Collection[str]) -> str:
    """The SOQL that reads these fields of these users."""
    names = ", ".join("'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'" for name in usernames)
    return f"SELECT {', '.join(fields)} FROM User WHERE Username IN ({names})"  # noqa: S608 - escaped


def _has_moved(record: JournalEntry, told: Told) -> bool:
    return bool(told.changed and record.proven_record and told.changed != record.proven_record)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _time(text: str | None) -> datetime | None:
    """A time with its zone; None for what is none."""
    try:
        time = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return time if time is not None and time.tzinfo is not None else None
