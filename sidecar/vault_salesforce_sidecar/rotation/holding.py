"""What a sidecar does about holds: keeps memory fresh, and pulls the brake where the journal says so."""

from collections import Counter

import structlog

from vault_plugin_sdk.logical.errors import EngineError
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation.brake import same_fault, tells
from vault_salesforce_sidecar.rotation.carrying import Carrier
from vault_salesforce_sidecar.rotation.holds import ALL
from vault_salesforce_sidecar.rotation.recalling import STARTED_HELD, restored
from vault_salesforce_sidecar.store import Conflict, KvUnavailable

log = structlog.get_logger(__name__)

_REFRESH = "\0holds"


class Holding:
    """The duties of a tick, and of each rotation that comes to rest."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier, self._holds = carrier, carrier.parts.holds

    def begin(self, *, held: bool, written: int) -> None:
        """Read all holds; hold everything where that is wanted, or the journal went back. Raises: KvUnavailable.

        Args:
            held: Whether it is wanted.
            written: How often the journal was written at least.
        """
        self.load()
        if held:
            self._holds.pull(ALL, STARTED_HELD)
        found = self._carrier.roster.written()
        if found < written:
            self._holds.pull(ALL, restored(f"the journal was written {written} times, and KV counts {found}"))

    def load(self) -> None:
        """Read all holds. Raises: KvUnavailable."""
        self._holds.refresh(Counter(role.config for role in self._carrier.roster.roles().values()))

    def tick(self) -> None:
        """Begin to read them anew, if it is time to; returns at once."""
        if self._holds.is_refresh_due():
            self._carrier.jobs.offer(_REFRESH, self._refresh)

    def saw(self, record: JournalEntry) -> None:
        """An entry came to rest, here or elsewhere: it may be one too many."""
        now, roster = self._carrier.parts.clock.now(), self._carrier.roster
        role = roster.role(record.role) if tells(record, now) else None
        if role is None or self._holds.on(role.config) is not None:
            return
        entries = (seen.record for seen in roster.entries())
        after = self._holds.over_since(role.config)
        made = same_fault(record, entries, roster.roles(), now=now, after=after)
        if made is None:
            return
        try:
            self._holds.pull(role.config, made)
        except (Conflict, KvUnavailable) as exc:
            log.warning("a hold could not be written", config=role.config, reason=str(exc))

    def _refresh(self) -> None:
        try:
            self.load()
        except (KvUnavailable, EngineError) as exc:
            log.warning("holds could not be read", reason=str(exc))
