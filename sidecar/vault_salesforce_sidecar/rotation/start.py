"""Rotations: the face of this package. `rotate` begins or joins, and may wait; `request` only begins."""

import threading
from collections.abc import Collection, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Final

import structlog

from vault_plugin_sdk.logical.errors import CallerError, EngineError, TransientError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_contract.api.config import Config
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_contract.registration import Held
from vault_salesforce_sidecar.records.history_entry import HistoryEntry
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation import machine, tokens
from vault_salesforce_sidecar.rotation.asking import IN_HAND, Situation, begins, check_version, new_rotation_id
from vault_salesforce_sidecar.rotation.beginning import Beginning
from vault_salesforce_sidecar.rotation.carrying import Carrier
from vault_salesforce_sidecar.rotation.chores import EMPTY, HISTORY, PUSH
from vault_salesforce_sidecar.rotation.drift import Drift
from vault_salesforce_sidecar.rotation.foreign import KvFault
from vault_salesforce_sidecar.rotation.holding import Holding
from vault_salesforce_sidecar.rotation.holds import Holds
from vault_salesforce_sidecar.rotation.journal import fresh, with_entry, with_queued
from vault_salesforce_sidecar.rotation.keepsakes import way_of
from vault_salesforce_sidecar.rotation.machine import REST, Request, State
from vault_salesforce_sidecar.rotation.organizations import Organizations
from vault_salesforce_sidecar.rotation.parts import Account, Parts, PushFailed, is_named, open_account
from vault_salesforce_sidecar.rotation.served import Served
from vault_salesforce_sidecar.rotation.slots import Pool, Slots
from vault_salesforce_sidecar.rotation.stale_consumers import StaleConsumers
from vault_salesforce_sidecar.rotation.unlocking import Unlocking
from vault_salesforce_sidecar.rotation.views import Outlook, RotationView, Status, status_of
from vault_salesforce_sidecar.rotation.waiting import Waiting
from vault_salesforce_sidecar.rotation.watching import Watching
from vault_salesforce_sidecar.salesforce import ways_in
from vault_salesforce_sidecar.store import KvUnavailable, Stored

log = structlog.get_logger(__name__)

SLOTS: Final = 64
HOLD_SECONDS: Final = 25
_TRIES: Final = 8


class Rotations:
    """All rotations of one sidecar; thread-safe.

    Args:
        parts: The world.
        slots: How many jobs run at once.
        hold_seconds: How long a write to an entry is good for, at least.
        pool: Where jobs run, in place of `slots` threads.
    """

    def __init__(
        self, parts: Parts, *, slots: int = SLOTS, hold_seconds: int = HOLD_SECONDS, pool: Pool | None = None
    ) -> None:
        self._parts = parts
        self.carrier = Carrier(parts, pool or Slots(slots), hold_seconds)
        self.beginning = Beginning(self.carrier)
        self.waiting = Waiting(self.carrier)
        self._watching = Watching(self.carrier, self.beginning)
        self._holding = Holding(self.carrier)
        self.carrier.after_rest = self._after_rest
        self._watching.saw = self._holding.saw
        self._unlocking = Unlocking(self.carrier, self.beginning)
        self._drift = Drift(self.carrier)
        self._stale = StaleConsumers(self.carrier)
        self._served = Served(self.carrier)
        self._loaded = threading.Event()

    @property
    def holds(self) -> Holds:
        """The brake."""
        return self._parts.holds

    @property
    def organizations(self) -> Organizations:
        """Which org is behind each connection."""
        return self._parts.organizations

    def mail_arrived(self) -> None:
        """A mailbox received something: whoever waits for a token looks. Never raises, never blocks."""
        self._watching.mailed.arrived()

    @property
    def mount(self) -> str:
        """The mount's path, for commands that people paste."""
        return self.carrier.mount

    @mount.setter
    def mount(self, path: str) -> None:
        self.carrier.mount = path.strip("/")

    def start(self, *, held: bool = False, written: int = 0) -> None:
        """Read what there is, and carry on what a process of our own name left in hand. Raises: KvUnavailable.

        Args:
            held: Hold everything first.
            written: How often the journal was written at least, as far as this sidecar remembers from before.
        """
        self._watching.load()
        self._holding.begin(held=held, written=written)
        self._loaded.set()
        self._watching.resume()

    def stop(self, timeout_seconds: float) -> None:
        """Stop every rotation after the outside call in hand, at a durable state, without its hold."""
        self.carrier.stopping.set()
        self.carrier.pool.stop(timeout_seconds)
        self.carrier.jobs.end()

    def tick(self) -> None:
        """Look after what time brings; to be called about every second, by one thread."""
        if not self._loaded.is_set() or self.carrier.stopping.is_set():
            return
        self._holding.tick()
        self._watching.tick()
        if self._parts.holds.stopping() is None:  # else no login is made, not even that of who only looks
            self._drift.tick()
            self._stale.tick()

    def copies_ahead(self, copies: Mapping[str, Held]) -> None:
        """The plugin holds these, and KV less, as far as is known here: see `Served`."""
        self._served.ahead(copies)

    def journal_writes(self) -> int | None:
        """How often the journal was written, all accounts together; None before it was read."""
        return self.carrier.roster.written() if self._loaded.is_set() else None

    def replan(self, role: str) -> tuple[str, ...]:
        """Store the next time of a role whose schedule changed. Returns: A warning that tells it."""
        return self._watching.scheduling.replan(role)

    def rotate(
        self,
        role: str,
        caller: Caller,
        *,
        expected_version: int | None = None,
        rotation_id: str | None = None,
        wait: float = 0,
        allow_security_token_wait: bool = False,
        force: bool = False,
        end_sessions: bool = False,
        cause: str = "manual",
    ) -> RotationView:
        """Begin or join a rotation, and watch it.

        Args:
            role: Which role.
            caller: Who asks.
            expected_version: Only if this is the published version.
            rotation_id: Only watch this rotation.
            wait: How many seconds to watch it.
            allow_security_token_wait: Also where the new security token may have to be handed in.
            force: One more after the one that is under way.
            end_sessions: End the user's other sessions after it.
            cause: Why.

        Raises:
            CallerError: 404 no such role or rotation; 409 the version is another one, or it may not begin now.
            TransientError: 429 no login is left.
            KvUnavailable: Vault did not say.
        """
        account = open_account(self._parts, role, checked=rotation_id is None)
        self.carrier.roster.know_role(role, account.role)
        if rotation_id is not None:
            return self.waiting.watch(account, rotation_id, wait, joined=True)
        for _ in range(_TRIES):
            if expected_version is not None:
                situation = self.carrier.desk.look(account)
                if not begins(situation, expected_version):
                    self.carrier.end_sessions_of(account, wanted=end_sessions)
                    return self.waiting.watch(account, situation.record.rotation_id, wait, joined=True)
            try:
                run = self.beginning.rotate(
                    account,
                    caller,
                    cause,
                    allow_token_wait=allow_security_token_wait,
                    end_sessions=end_sessions,
                    allow=lambda found: check_version(found, expected_version),
                )
            except CallerError as exc:
                if exc.code != IN_HAND:
                    raise
            else:
                return self.waiting.watch(account, run.stored.record.rotation_id, wait, joined=False)
            if expected_version is None:
                joined = self._join(
                    account, caller, force=force, allow_token_wait=allow_security_token_wait, end_sessions=end_sessions
                )
                if joined is not None:
                    return self.waiting.watch(account, joined[0], wait, joined=joined[1])
        raise TransientError(f"role {role!r} is rotated again and again", code="busy", retry_after_seconds=1)

    def request(
        self, role: str, cause: str, version: int | None, rotation_id: str | None = None, caller: Caller | None = None
    ) -> bool:
        """Begin for a trigger, whom `caller` set off. False: not now, ask again; True: begun, under way, or void."""
        if not self._loaded.is_set() or self.carrier.stopping.is_set():
            return False
        try:
            return self.beginning.trigger(role, cause, version, rotation_id, caller)
        except (KvUnavailable, EngineError) as exc:
            log.warning("a trigger is left for later", role=role, cause=cause, reason=str(exc))
            return False

    def delete(self, role: str, caller: Caller) -> None:
        """The role's account rests for good, with its secrets kept for a while; its KV path gets a last, empty version.

        The role's own record is the caller's to delete, afterwards. Raises: KvUnavailable: ask again.
        """
        account = open_account(self._parts, role, checked=False)

        def change(situation: Situation) -> JournalEntry | None:
            asked = machine.ask(situation.entry, Request.DELETE, None, situation.kv)
            if asked is None:
                return None
            record = with_entry(situation.record, asked, self._parts.moment())
            if situation.entry.state not in REST:
                self.carrier.chores.remember(replace(record, reason="its role was deleted"))
            record = self.beginning.anew(situation, record, caller, "delete")
            return replace(record, owed=(EMPTY, HISTORY, PUSH), sent_by=way_of(account.config))

        stored = self.carrier.desk.edit(account, change)
        if stored is not None:
            self.carrier.roster.note(stored)
            if not self.carrier.emptied(stored):
                raise KvUnavailable(f"the KV path of {role!r} could not be emptied yet; delete the role again")
        self.carrier.roster.forget_role(role)
        self._parts.changed()

    def unlock(self, role: str, caller: Caller, username: str | None = None) -> tuple[str, ...]:
        """Clear Salesforce's lock where somebody may, and count failed logins from zero: a stuck rotation goes on.

        Args:
            role: Which role.
            caller: Who asks.
            username: The account of a role that could not be created; of any other it is not needed.

        Raises:
            CallerError: 400 the role is another user's, 404 no such role, 409 it is in hand.
            OperatorError: 424: Salesforce did not unlock the user; nothing was changed.
            TransientError: 503: Salesforce gave no answer; nothing was counted anew.
            KvUnavailable: Vault did not say.

        Returns: Warnings.
        """
        return self._unlocking.unlock(role, caller, username)

    def status(self, role: str) -> Status:
        """How the role is, read anew. Raises: CallerError 404, KvUnavailable."""
        known = self._parts.roles.get(role)
        if known is None:
            raise CallerError(f"there is no role {role!r}", status=HTTPStatus.NOT_FOUND)
        self.carrier.roster.know_role(role, known.record)
        connection = self._parts.connections.get(known.record.config)
        config = connection.record if connection else None
        stored, fault = self.carrier.desk.beside_kv(role, known.record.username, self.mount)
        if stored is not None:
            self.carrier.roster.note(stored)
        return self._status(role, known.record, stored.record if stored else None, config, fault)

    def statuses(self) -> dict[str, Status]:
        """How every role is, from memory; only roles that are new are read. Raises: KvUnavailable."""
        self._watching.meet()
        configs: dict[str, Config | None] = {}
        found = {}
        for name, role in self.carrier.roster.roles().items():
            if role.config not in configs:
                connection = self._parts.connections.get(role.config)
                configs[role.config] = connection.record if connection else None
            seen = self.carrier.roster.seen(role.username)
            found[name] = self._status(name, role, seen.record if seen else None, configs[role.config])
        return found

    def history(self, role: str) -> list[HistoryEntry]:
        """The role's rotations, newest first. Raises: CallerError 404, KvUnavailable."""
        known = self._parts.roles.get(role)
        rows = list(self.carrier.chores.history(role, known.record.username if known else ""))
        if not rows and known is None:
            raise CallerError(f"there is no role {role!r}", status=HTTPStatus.NOT_FOUND)
        return rows

    def changing(self) -> tuple[str, ...]:
        """The roles whose published password is being replaced, or has been and the new one waits for its token."""
        here = self._parts.instance
        return tuple(
            sorted(
                seen.record.role
                for seen in self.carrier.roster.busy()
                if seen.record.candidate_password is not None
                and (seen.record.holder == here or seen.record.state == State.AWAITING_TOKEN)
            )
        )

    def held(self) -> dict[str, Held]:
        """What KV holds of every role, deleted ones too."""
        return self.carrier.roster.held()

    def republish(self, roles: Collection[str]) -> None:
        """Push what the plugin lacks: proven versions of ours only."""
        held, publishers = self.held(), self.carrier.roster.publishers(frozenset(roles))
        for role in roles:
            if self.carrier.stopping.is_set():  # the process would wait for the rest of them
                return
            ours = held.get(role)
            if ours is None:
                continue
            record = publishers.get(role)
            try:
                if record is None:
                    self.carrier.chores.push_former(role, ours)
                else:
                    self.carrier.chores.push(role, record)
            except (PushFailed, KvUnavailable, EngineError) as exc:
                log.warning("push failed", role=role, reason=str(exc))

    def _join(
        self, account: Account, caller: Caller, *, force: bool, allow_token_wait: bool, end_sessions: bool
    ) -> tuple[str, bool] | None:
        """Which rotation is under way, or was a moment ago; with `force` one more is queued behind it.

        Returns: Its id, and whether somebody else asked for it; None: it is over, and one more can begin.
        """
        queued = new_rotation_id()
        self.carrier.end_sessions_of(account, wanted=end_sessions)

        def change(situation: Situation) -> JournalEntry | None:
            if not force or situation.entry.state in REST or situation.record.queued:
                return None
            held = self._parts.holds.check(account.role.config)
            if held is not None:
                raise held.refusal(self.mount)
            self.beginning.check_gate(situation, allow_token_wait=allow_token_wait)
            return with_queued(situation.record, queued, caller, end_sessions=end_sessions)

        stored = self.carrier.desk.edit(account, change)
        if stored is None:
            return None
        self.carrier.roster.note(stored)
        if not force:
            return stored.record.rotation_id, True
        return (stored.record.queued, stored.record.queued != queued) if stored.record.queued else None

    def _after_rest(self, account: Account, stored: Stored[JournalEntry]) -> None:
        self._holding.saw(stored.record)
        self._watching.after_rest(account, stored)

    def _status(
        self,
        name: str,
        role: StaticRole,
        record: JournalEntry | None,
        config: Config | None,
        fault: KvFault | None = None,
    ) -> Status:
        record = record if record is not None and record.role == name else fresh(role.username, name)
        trusted = config is not None and config.sidecar_address == "trusted"
        mailbox = config is not None and bool(config.mailbox)
        gate = tokens.gate(role, record, trusted=trusted, mailbox=mailbox)
        due = self.carrier.roster.next_rotation(name)
        hold = self._parts.holds.on(role.config)
        now = self._parts.clock.now()
        mail_fault = self._watching.mailed.fault(role.username)
        outlook = Outlook(name, role, trusted, due, gate, now, self.mount, fault, hold, mail_fault)
        way_in = ways_in.of_role(role, config) if config else None
        administered = config is not None and config.auth_method != "none"
        mendable = administered and config is not None and is_named(config, role.username)
        outlook = replace(outlook, way_in=way_in, administered=administered, mendable=mendable)
        return status_of(record, replace(outlook, stale_consumers=self._stale.found(name, record)))
