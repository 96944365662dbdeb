"""Has a password been changed outside? The org's record tells those who may look, at no login."""

from typing import Final

import structlog

from vault_plugin_sdk.logical.errors import EngineError
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import machine
from vault_salesforce_sidecar.rotation.actions import Actions
from vault_salesforce_sidecar.rotation.asking import Situation
from vault_salesforce_sidecar.rotation.carrying import Carrier
from vault_salesforce_sidecar.rotation.journal import Now, with_entry
from vault_salesforce_sidecar.rotation.machine import FREE, Request, State
from vault_salesforce_sidecar.rotation.parts import open_account
from vault_salesforce_sidecar.rotation.runner import at_rest
from vault_salesforce_sidecar.store import KvUnavailable

log = structlog.get_logger(__name__)

# Each look is a call of the org's daily limit: some 8,600 a day, however many roles there are.
APART_SECONDS: Final = 10.0
ROLE_SECONDS: Final = 300.0


class Drift:
    """Looks at one role after the other, the longest unseen first."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier, self._clock = carrier, carrier.parts.clock
        self._looked_at: dict[str, float] = {}
        self._last = self._clock.monotonic()

    def tick(self) -> None:
        """Begin a look, if it is time for one."""
        now = self._clock.monotonic()
        if now - self._last < APART_SECONDS:
            return
        self._last = now
        roles = self._carrier.roster.roles()
        for gone in set(self._looked_at) - set(roles):
            del self._looked_at[gone]
        for name in roles:
            self._looked_at.setdefault(name, now - ROLE_SECONDS)
        candidates = [name for name in roles if now - self._looked_at[name] >= ROLE_SECONDS and self._can_drift(name)]
        if candidates:
            name = min(candidates, key=self._looked_at.__getitem__)
            self._looked_at[name] = now
            self._carrier.jobs.offer(roles[name].username.lower(), lambda: self._look(name))

    def _can_drift(self, name: str) -> bool:
        role = self._carrier.roster.role(name)
        seen = self._carrier.roster.seen(role.username) if role else None
        return seen is not None and bool(seen.record.proven_record) and State(seen.record.state) in FREE

    def _look(self, name: str) -> None:
        try:
            parts = self._carrier.parts
            account = open_account(parts, name)
            stored = self._carrier.reread(account.username) if account.administered else None
            if stored is None or not stored.record.proven_record:
                return
            actions = Actions(account, self._carrier.credentials, parts.clock, lambda: None, parts.counted)
            changed = actions.last_change()
            if changed is None or changed == stored.record.proven_record:
                return
            before = stored.version

            def change(situation: Situation) -> JournalEntry | None:
                unmoved = situation.stored is not None and situation.stored.version == before
                drifted = machine.ask(situation.entry, Request.DRIFT, None, situation.kv) if unmoved else None
                if drifted is None:
                    return None
                now = Now(parts.clock.now(), parts.instance, 0)
                return at_rest(with_entry(situation.record, drifted, now), now)

            drifted = self._carrier.desk.edit(account, change)
            if drifted is not None:
                self._carrier.roster.note(drifted)
                log.warning("the password was changed outside", role=name)
        except (EngineError, KvUnavailable) as exc:
            log.warning("drift could not be looked for", role=name, reason=str(exc))
