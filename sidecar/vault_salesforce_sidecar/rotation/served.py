"""The mount's copies: they may lag behind KV, and never lead. Where one does, KV was restored from an older copy alone.

Then the copy is the newest that Vault has: the entry is told so, nothing is tried of what KV holds, and a person has
the copy proven (`resync/<role> try=served`).
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog

from vault_plugin_sdk.logical.errors import EngineError
from vault_salesforce_contract.registration import Held
from vault_salesforce_sidecar.records.journal_entry import JournalEntry, Kept
from vault_salesforce_sidecar.rotation.carrying import Carrier
from vault_salesforce_sidecar.rotation.foreign import AHEAD
from vault_salesforce_sidecar.rotation.holds import ALL
from vault_salesforce_sidecar.rotation.machine import FREE, State
from vault_salesforce_sidecar.rotation.recalling import looks, restored
from vault_salesforce_sidecar.store import Conflict, KvUnavailable, Stored

log = structlog.get_logger(__name__)

_REFUSALS: Final = (KvUnavailable, EngineError, Conflict)


class Served:
    """What comes of copies that lead."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier

    def ahead(self, copies: Mapping[str, Held]) -> None:
        """Look at each, and hold everything where one of them does lead.

        Args:
            copies: What the mount holds of roles of which KV holds less, as far as memory knows.
        """
        for role, copy in copies.items():
            try:
                self._look(role, copy)
            except _REFUSALS as exc:  # it is told again with a later heartbeat
                log.warning("a copy ahead of KV is left for later", role=role, reason=str(exc))

    def _look(self, role: str, copy: Held) -> None:
        stored = self._behind(role, copy)
        if stored is None:
            return
        what = f"the mount serves version {copy.version} of {role}, and KV knows of {stored.record.published_version}"
        parts = self._carrier.parts
        parts.holds.pull(ALL, restored(what))
        after = _told(stored.record, copy, parts.clock.now(), parts.clock.now() + parts.kept_for)
        self._carrier.roster.note(self._carrier.journal.put(stored.record.username, after, stored.version))
        log.warning("the mount's copy is newer than KV", role=role, version=copy.version)

    def _behind(self, role: str, copy: Held) -> Stored[JournalEntry] | None:
        """The role's entry, where neither it nor KV's credential knows the copy; a standby's word is asked again.

        A deleted role's last version is handed over before its entry tells of it, and another sidecar may have
        published the copy a moment ago.
        """
        carrier = self._carrier
        stored = None
        for _ in looks(carrier.parts.clock, carrier.parts.holds):
            known = carrier.roster.publishers([role]).get(role)
            stored = carrier.reread(known.username) if known is not None else None
            if stored is None or stored.record.role != role or stored.record.published_version >= copy.version:
                return None
            found = carrier.credentials.read(role)
            if found.version > copy.version or (found.version, found.rotation_id) == (copy.version, copy.rotation_id):
                return None
        return stored


def _told(record: JournalEntry, copy: Held, now: datetime, kept_until: datetime) -> JournalEntry:
    """The entry that knows what was published; what it took for the live password is an earlier one."""
    record = replace(record, published_version=copy.version, published_id=copy.rotation_id)
    if State(record.state) not in FREE or not record.current_password:
        return record
    kept = (*record.kept, Kept(record.current_password, kept_until))
    return replace(record, state=State.WITHDRAWN.value, reason=AHEAD, since=now, kept=kept)
