"""Who goes on logging in with the password of before? After a rotation the login history is looked at, at no login."""

from datetime import timedelta
from typing import Final

import structlog

from vault_plugin_sdk.framework.coerce import jsonable
from vault_plugin_sdk.logical.errors import EngineError
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import findings
from vault_salesforce_sidecar.rotation.carrying import Carrier
from vault_salesforce_sidecar.rotation.machine import State
from vault_salesforce_sidecar.rotation.parts import Account, open_account
from vault_salesforce_sidecar.salesforce.interface import Lost, NotSent, OrgRefused, Session
from vault_salesforce_sidecar.salesforce.login_history import Consumer, stale_consumers
from vault_salesforce_sidecar.salesforce.login_rows import visible_logins
from vault_salesforce_sidecar.salesforce.ways_in import JWT_BEARER
from vault_salesforce_sidecar.store import KvUnavailable

log = structlog.get_logger(__name__)

APART_SECONDS: Final = 10.0  # between two looks: each is a call of the org's daily limit
ROLE_SECONDS: Final = 300.0  # between two looks at one role
FIRST_LOOK: Final = timedelta(minutes=2)  # consumers need a moment to read the new version, and rows one to appear
WATCHED: Final = timedelta(hours=24)
QUIET: Final = timedelta(minutes=15)  # rows come minutes late


class StaleConsumers:
    """Looks at the roles that were rotated within a day, one after the other, the longest unseen first.

    What it finds is kept in memory alone: the org's own history is the record of it.
    """

    def __init__(self, carrier: Carrier) -> None:
        self._carrier, self._clock = carrier, carrier.parts.clock
        self._looked_at: dict[str, float] = {}
        self._found: dict[str, tuple[str, tuple[Consumer, ...]]] = {}
        self._last = self._clock.monotonic()

    def found(self, name: str, record: JournalEntry) -> tuple[Consumer, ...] | None:
        """Who was seen to fail since the role's last rotation; None: nobody looked, or may."""
        rotation_id, consumers = self._found.get(name, ("", ()))
        return consumers if rotation_id and rotation_id == record.published_id else None

    def tick(self) -> None:
        """Begin a look, if it is time for one."""
        now = self._clock.monotonic()
        if now - self._last < APART_SECONDS:
            return
        self._last = now
        recent = {name for name in self._carrier.roster.roles() if self._is_recent(name)}
        for gone in (set(self._looked_at) | set(self._found)) - recent:
            self._looked_at.pop(gone, None)
            self._found.pop(gone, None)
        waiting = [name for name in recent if now - self._looked_at.get(name, now - ROLE_SECONDS) >= ROLE_SECONDS]
        if waiting:
            name = min(waiting, key=lambda one: (self._looked_at.get(one, 0.0), one))
            self._looked_at[name] = now
            role = self._carrier.roster.role(name)
            if role is not None:
                self._carrier.jobs.offer(role.username.lower(), lambda: self._look(name))

    def _is_recent(self, name: str) -> bool:
        role = self._carrier.roster.role(name)
        seen = self._carrier.roster.seen(role.username) if role else None
        if seen is None or not _is_published_last(seen.record) or seen.record.last_rotation is None:
            return False
        return FIRST_LOOK <= self._clock.now() - seen.record.last_rotation <= WATCHED

    def _look(self, name: str) -> None:
        try:
            account = open_account(self._carrier.parts, name, checked=False)
            seen = self._carrier.roster.seen(account.username)
            if seen is not None and seen.record.last_rotation is not None and _is_published_last(seen.record):
                self._note(account, seen.record, self._consumers(account, seen.record))
        except (EngineError, KvUnavailable, OrgRefused, Lost, NotSent) as exc:
            log.info("stale consumers could not be looked for", role=name, reason=str(exc))

    def _consumers(self, account: Account, record: JournalEntry) -> tuple[Consumer, ...] | None:
        """Who fails; None: nobody may look. Raises: OrgRefused, Lost, NotSent."""
        session = _session_of(account)
        if session is None or record.last_rotation is None or not record.user_id:
            return None
        try:
            rows = visible_logins(account.org, session, record.user_id, record.last_rotation)
        except OrgRefused as refused:
            if refused.fault.code == findings.DEAD_SESSION:
                account.org.forget_admin_session(session)
            raise
        if rows is None:
            return None
        # The engine itself makes no login of this user after the one that proved the version.
        return stale_consumers(rows, record.last_rotation, self._clock.now() - QUIET)

    def _note(self, account: Account, record: JournalEntry, consumers: tuple[Consumer, ...] | None) -> None:
        if consumers is None:
            self._found.pop(account.name, None)
            return
        before = {(one.source_address, one.application) for one in self.found(account.name, record) or ()}
        self._found[account.name] = record.published_id, consumers
        for one in consumers:
            if (one.source_address, one.application) not in before:
                log.warning(
                    "a stale consumer fails to log in",
                    role=account.name,
                    username=account.username,
                    source_address=one.source_address,
                    application=one.application,
                    failed_logins=one.failed_logins,
                    last=jsonable(one.last),
                )


def _is_published_last(record: JournalEntry) -> bool:
    """Whether nothing of ours came after the rotation that published what is live."""
    return record.state == State.SETTLED and record.rotation_id == record.published_id


def _session_of(account: Account) -> Session | None:
    if account.administered:
        return account.org.admin_session()
    if account.role.self_login == JWT_BEARER:
        return account.org.log_in_as(account.username)
    return None
