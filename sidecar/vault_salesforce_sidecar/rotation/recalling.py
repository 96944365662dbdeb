"""What a sidecar remembers of the journal is worth more than a KV that went back: it is written there again.

Whoever restores Vault from an older copy takes the newest passwords out of it. A sidecar that runs meanwhile still has
them in memory. So an entry that is older than the one that this sidecar knows is overwritten with that, which changes
nothing in Salesforce, and everything is held until a person has looked.
"""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Final

import structlog

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.clock import Clock
from vault_salesforce_sidecar.records.hold import RESTORED, START_HELD, Hold
from vault_salesforce_sidecar.records.journal_entry import JournalEntry, Kept
from vault_salesforce_sidecar.rotation.holds import ALL, Holds
from vault_salesforce_sidecar.rotation.journal import KEPT_FOR, Journal, key, position
from vault_salesforce_sidecar.store import Conflict, Kv, KvUnavailable, Stored

log = structlog.get_logger(__name__)

LOOK_FIRST: Final = "look with `vault-salesforce doctor --after-restore` before this hold is deleted"
STARTED_HELD: Final = Hold(f"a sidecar was started with VAULT_SALESFORCE_START_HELD; {LOOK_FIRST}", cause=START_HELD)
_LAG_SECONDS: Final = 0.25  # between two looks at what may lag behind
_LOOKS_AGAIN: Final = 8  # a standby that lags behind is a standby that lags for less than that
_TRIES: Final = 4


def restored(what: str) -> Hold:
    """The hold for a Vault that went back. `what`: the evidence, as a sentence without its end."""
    return Hold(f"{what}: Vault, or its KV, was restored from an older copy; {LOOK_FIRST}", cause=RESTORED)


def looks(clock: Clock, holds: Holds) -> Iterator[None]:
    """One turn for each look at what a standby may not know yet; the last one is believed.

    Under a hold that stops what is under way, nobody waits: the first is the last.
    """
    yield
    for _ in range(_LOOKS_AGAIN):
        if holds.stopping() is not None:
            return
        clock.wait(threading.Event(), _LAG_SECONDS)
        yield


class RecallingJournal(Journal):
    """The journal of a sidecar that notices when an entry went back.

    Args:
        kv: The engine's own mount.
        clock: Time.
        holds: Where the brake is pulled.
        kept_for: How long what KV held instead is kept.
    """

    def __init__(self, kv: Kv, clock: Clock, holds: Holds, kept_for: timedelta = KEPT_FOR) -> None:
        super().__init__(kv)
        self._clock, self._holds, self._kept_for = clock, holds, kept_for
        self._lock = threading.Lock()
        self._newest: dict[str, Stored[JournalEntry]] = {}
        self._owed: Hold | None = None  # the brake that is still to be pulled: until then, no entry is read

    def get(self, username: str) -> Stored[JournalEntry] | None:
        """See `Journal.get`; where it went back, the entry that was remembered, and everything is held."""
        for _ in range(_TRIES):
            self._pull()
            stored = self._look(username)
            newest = self._known(username)
            if newest is None or not _is_behind(stored, newest):
                if stored is not None:
                    self._know(stored)
                return stored
            try:
                # That it fits is the proof: a node that lags behind would be contradicted by the active one.
                self.put(username, self._recalled(stored, newest), stored.version if stored else None)
            except Conflict:
                continue  # another sidecar remembers it too
            log.warning("a journal entry went back, and was written again", account=username, role=newest.record.role)
            with self._lock:
                self._owed = restored(f"the journal entry of {username} was older than the one that was written")
        raise KvUnavailable(f"the journal entry of {username} changes while it is read")

    def put(self, username: str, entry: JournalEntry, version: int | None) -> Stored[JournalEntry]:
        """See `Journal.put`."""
        stored = super().put(username, entry, version)
        self._know(stored)
        return stored

    def _pull(self) -> None:
        """Pull the brake, if that is owed. Raises: KvUnavailable, it still is."""
        with self._lock:
            owed = self._owed
        if owed is None:
            return
        try:
            self._holds.pull(ALL, owed)
        except Conflict as exc:
            raise KvUnavailable("the hold on everything is written by others again and again") from exc
        with self._lock:
            self._owed = None

    def _look(self, username: str) -> Stored[JournalEntry] | None:
        """The entry; what is older than what is known is read again, for a standby may lag behind."""
        stored = None
        for _ in looks(self._clock, self._holds):
            stored = super().get(username)
            newest = self._known(username)
            if newest is None or not _is_behind(stored, newest):
                break
        return stored

    def _recalled(self, stored: Stored[JournalEntry] | None, newest: Stored[JournalEntry]) -> JournalEntry:
        """The entry to be written on top of what KV holds; no password of either is lost."""
        record, now = newest.record, self._clock.now()
        counted_before = position(newest) - (stored.version if stored else 0)
        if stored is None:
            return replace(record, counted_before=counted_before)
        held, known = stored.record, set(_passwords(record))
        others = [Kept(one, now + self._kept_for) for one in dict.fromkeys(_passwords(held)) if one not in known]
        return replace(record, counted_before=counted_before, kept=(*record.kept, *others))

    def _known(self, username: str) -> Stored[JournalEntry] | None:
        with self._lock:
            return self._newest.get(key(username))

    def _know(self, stored: Stored[JournalEntry]) -> None:
        name = key(stored.record.username)
        with self._lock:
            known = self._newest.get(name)
            if known is None or not _is_behind(stored, known):
                self._newest[name] = stored


def _is_behind(stored: Stored[JournalEntry] | None, newest: Stored[JournalEntry]) -> bool:
    return stored is None or position(stored) < position(newest)


def _passwords(record: JournalEntry) -> list[SecretStr]:
    one_by_one = (record.given_password, record.candidate_password, record.current_password)
    return [one for one in (*one_by_one, *(kept.password for kept in record.kept)) if one]
