"""What this sidecar remembers of every role, so that a tick and a list cost no reads."""

import heapq
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_contract.registration import Held
from vault_salesforce_sidecar.records.index_page import Line
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation.journal import forgotten, position
from vault_salesforce_sidecar.rotation.machine import REST, State
from vault_salesforce_sidecar.rotation.schedule import Due, is_replanned, next_due
from vault_salesforce_sidecar.store import Stored

FIRST_TOKEN = "waiting for the first security token"  # noqa: S105 - a reason


@dataclass(frozen=True)
class Seen:
    """An account's entry as it was seen last.

    Attributes:
        stored: The entry.
        since: When this very version was first seen, by our own monotonic clock.
    """

    stored: Stored[JournalEntry]
    since: float

    @property
    def record(self) -> JournalEntry:
        """The entry itself."""
        return self.stored.record


class Roster:
    """Roles by name and entries by account. Entries of accounts without a role are remembered too."""

    def __init__(self, now: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._now, self._monotonic = now, monotonic
        self._lock = threading.Lock()
        self._roles: dict[str, StaticRole] = {}
        self._seen: dict[str, Seen] = {}
        self._gone: set[str] = set()  # names that are still listed, and no roles any longer
        self._busy: dict[str, None] = {}  # in the order in which they came to need care
        self._news: dict[str, Line] = {}
        self._due: dict[str, Due] = {}
        self._coming: list[tuple[datetime, str]] = []  # a heap; what `_due` does not say any longer is void
        self._come: dict[str, Due] = {}  # those of `_due` whose time has come, in that order
        self._replanned: set[str] = set()
        self._former: dict[str, Held] = {}  # of deleted roles whose account serves another one now

    def know_role(self, name: str, role: StaticRole) -> None:
        """A role was read or written."""
        with self._lock:
            self._roles[name] = role
            self._gone.discard(name)
        self._reckon(name)

    def forget_role(self, name: str) -> None:
        """The role is gone."""
        with self._lock:
            self._roles.pop(name, None)
            self._gone.add(name)
            self._expect(name, None)
            self._replanned.discard(name)

    def note(self, stored: Stored[JournalEntry]) -> None:
        """An entry was read or written; an older one than is known changes nothing."""
        account = stored.record.username.lower()
        with self._lock:
            known = self._seen.get(account)
            if known is not None and position(known.stored) >= position(stored):
                return
            if known is not None and known.record.role != stored.record.role and known.record.published_id:
                self._former[known.record.role] = Held(known.record.published_version, known.record.published_id)
            self._seen[account] = Seen(stored, self._monotonic())
            self._news[account] = Line(stored.record.role, position(stored))
            if wants_care(stored.record):
                self._busy[account] = None
            else:
                self._busy.pop(account, None)
        self._reckon(stored.record.role)

    def news(self) -> list[tuple[str, Line]]:
        """What was noted since this was last asked: accounts, with their role and the entry's version."""
        with self._lock:
            news, self._news = self._news, {}
        return list(news.items())

    def role(self, name: str) -> StaticRole | None:
        """The role, if it is known."""
        with self._lock:
            return self._roles.get(name)

    def roles(self) -> MappingProxyType[str, StaticRole]:
        """All roles, as they are known now."""
        with self._lock:
            return MappingProxyType(dict(self._roles))

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Those names of which nothing is known yet."""
        with self._lock:
            return [name for name in names if name not in self._roles and name not in self._gone]

    def seen(self, username: str) -> Seen | None:
        """The account's entry, if one is known."""
        with self._lock:
            return self._seen.get(username.lower())

    def due(self, now: datetime) -> list[str]:
        """The roles whose scheduled time has come, the longest due first; one whose window is over waits for the next.

        Costs as much as there are, however many roles are not due.
        """
        over = []
        with self._lock:
            while self._coming and self._coming[0][0] <= now:
                at, name = heapq.heappop(self._coming)
                due = self._due.get(name)
                if due is not None and due.at == at:
                    self._come[name] = due
            over = [name for name, due in self._come.items() if due.until is not None and due.until <= now]
        for name in over:
            self._reckon(name)
        with self._lock:
            return list(self._come)

    def replanned(self) -> list[str]:
        """The roles whose schedule changed since their entry was given a next time."""
        with self._lock:
            return list(self._replanned)

    def next_rotation(self, name: str) -> datetime | None:
        """When the role's next scheduled rotation is due."""
        with self._lock:
            due = self._due.get(name)
            return due.at if due else None

    def busy(self) -> list[Seen]:
        """The entries that somebody has to look after: in hand, waiting for a token, owing something."""
        with self._lock:
            return [self._seen[account] for account in self._busy]

    def entries(self) -> Iterator[Seen]:
        """Every entry that is known."""
        with self._lock:
            return iter(list(self._seen.values()))

    def held(self) -> dict[str, Held]:
        """What KV holds of each role, deleted ones too, as far as we published it."""
        with self._lock:
            records = [seen.record for seen in self._seen.values()]
            former = dict(self._former)
        # Of a role that was created anew for another user there are two entries; its version went on counting.
        records.sort(key=lambda record: record.published_version)
        return former | {
            record.role: Held(record.published_version, record.published_id)
            for record in records
            if record.published_version and record.published_id
        }

    def written(self) -> int:
        """How often all entries together were written: only a restore makes it less."""
        with self._lock:
            return sum(position(seen.stored) for seen in self._seen.values())

    def remember_former(self, role: str, held: Held) -> None:
        """What KV holds of a role that has no entry any longer."""
        with self._lock:
            self._former.setdefault(role, held)

    def publishers(self, roles: Collection[str]) -> dict[str, JournalEntry]:
        """The entry that published the newest version of each of these roles, where there is one: in one pass."""
        with self._lock:
            records = [seen.stored.record for seen in self._seen.values()]
        records = sorted((one for one in records if one.role in roles), key=lambda one: one.published_version)
        return {record.role: record for record in records}

    def _reckon(self, name: str) -> None:
        """The next scheduled time, anew: whenever the role, its entry or the passing of a window may have moved it."""
        with self._lock:
            role = self._roles.get(name)
            seen = self._seen.get(role.username.lower()) if role else None
            if role is None or seen is None or seen.record.role != name:
                self._expect(name, None)
                return
            self._expect(name, next_due(role, seen.record, self._now()))
            if is_replanned(seen.record, role):
                self._replanned.add(name)
            else:
                self._replanned.discard(name)

    def _expect(self, name: str, due: Due | None) -> None:
        """Take note of a role's next time; the lock is held."""
        if due == self._due.get(name):
            return
        self._come.pop(name, None)
        if due is None:
            self._due.pop(name, None)
        else:
            self._due[name] = due
            heapq.heappush(self._coming, (due.at, name))


def wants_care(record: JournalEntry) -> bool:
    """Whether the entry needs somebody, be it only to wait for a mail."""
    state = State(record.state)
    if state not in REST or record.owed or record.queued or state is State.AWAITING_TOKEN:
        return True
    return record.reason == FIRST_TOKEN or bool(record.moving_to or record.moved_from)


def forgets(record: JournalEntry, now: datetime) -> bool:
    """Whether the entry keeps what it need not keep any longer."""
    return forgotten(record, now) != record
