"""Preflight: looks at everything that a rotation depends on, changes nothing, and sends no user's password."""

import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from vault_plugin_sdk.logical.errors import CallerError, EngineError
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.diagnosis import connection_checks, role_checks
from vault_salesforce_sidecar.diagnosis.facts import (
    IDENTITY_OR_APP,
    REFUSED_IDENTITY,
    WAY,
    Broken,
    ConnectionFacts,
    Hidden,
    RoleFacts,
    UserFacts,
    asked,
    look_at_user,
    open_admin,
)
from vault_salesforce_sidecar.diagnosis.rows import Row
from vault_salesforce_sidecar.diagnosis.samples import sample_fault
from vault_salesforce_sidecar.mailbox.mail import MailboxUnavailable
from vault_salesforce_sidecar.rotation.parts import Parts, open_account
from vault_salesforce_sidecar.rotation.start import Rotations
from vault_salesforce_sidecar.salesforce import ways_in
from vault_salesforce_sidecar.salesforce.interface import Org, Session, User
from vault_salesforce_sidecar.salesforce.probe import Reach
from vault_salesforce_sidecar.salesforce.ways_in import JWT_BEARER
from vault_salesforce_sidecar.store import KvUnavailable

SECONDS: Final = 9.0  # less than the plugin waits; what was not seen by then is skipped


class Diagnosis:
    """Preflights of one sidecar.

    Args:
        parts: The world.
        rotations: The accounts' entries.
        reach: The way to a connection's host. Raises ValueError where its addresses cannot be used.
        kv_faults: What is wrong with the KV mounts. Raises KvUnavailable.
        seconds: Longest time of a preflight.
    """

    def __init__(
        self,
        parts: Parts,
        rotations: Rotations,
        reach: Callable[[Config], Reach],
        kv_faults: Callable[[], list[str]],
        seconds: float = SECONDS,
    ) -> None:
        self._parts, self._rotations = parts, rotations
        self._reach, self._kv_faults, self._seconds = reach, kv_faults, seconds

    def of_connection(self, name: str) -> list[Row]:
        """A row for each check of a connection. Raises: CallerError 404, KvUnavailable."""
        connection = self._parts.connections.get(name)
        if connection is None:
            raise CallerError(f"there is no connection {name!r}", status=HTTPStatus.NOT_FOUND)
        facts = self._facts_of(name, connection.record)
        org = self._parts.open_org(connection.record)  # without the brake that another org behind it would pull
        self._within_time(lambda stopped: self._gather_connection(org, facts, stopped))
        return connection_checks.rows(facts)

    def of_role(self, name: str) -> list[Row]:
        """A row for each check of a role and its connection. Raises: CallerError 404, 409, KvUnavailable."""
        account = open_account(self._parts, name, checked=False)
        org = self._parts.open_org(account.config)
        facts = RoleFacts(name, account.role, self._facts_of(account.role.config, account.config))
        stored = self._rotations.carrier.journal.get(account.username)
        facts.entry = stored.record if stored and stored.record.role == name else None

        def gather(stopped: threading.Event) -> None:
            self._gather_connection(org, facts.connection, stopped)
            if not stopped.is_set():
                self._gather_role(org, facts, stopped)

        self._within_time(gather)
        return role_checks.rows(facts)

    def _facts_of(self, name: str, config: Config) -> ConnectionFacts:
        return ConnectionFacts(name, config, self._parts.clock.now(), self._rotations.mount)

    def _within_time(self, gather: Callable[[threading.Event], None]) -> None:
        """Gather in a thread of its own, which a silent org holds up for the length of one call at most."""
        stopped = threading.Event()
        thread = threading.Thread(target=gather, args=(stopped,), name="preflight", daemon=True)
        thread.start()
        thread.join(self._seconds)
        stopped.set()

    def _gather_connection(self, org: Org, facts: ConnectionFacts, stopped: threading.Event) -> None:
        config = facts.config
        try:
            facts.kv_faults = tuple(self._kv_faults())
        except KvUnavailable as exc:
            facts.kv_faults = (exc.sentence,)
        try:
            facts.reach = self._reach(config)
        except ValueError as exc:
            facts.reach = Reach(fault=str(exc))
        if facts.reach.fault:
            facts.session = Hidden(WAY) if ways_in.of_connection(config) else None
            facts.organization, facts.own = Hidden(WAY), UserFacts.unseen(Hidden(WAY))
        elif not stopped.is_set():
            facts.session, facts.organization = open_admin(org)
        if isinstance(facts.session, Session) and not stopped.is_set():
            look_at_user(org, facts.session, facts.session.user_id, facts.now, facts.own)
        elif isinstance(facts.session, Broken):
            facts.own = UserFacts.unseen(Hidden(REFUSED_IDENTITY))
        if not stopped.is_set():
            facts.mailbox_fault = self._mailbox_fault(config)

    def _gather_role(self, org: Org, facts: RoleFacts, stopped: threading.Event) -> None:
        facts.sample_fault = sample_fault(self._parts, facts.role)
        admin = facts.connection.session
        if isinstance(admin, Session):
            facts.user = _look(org, admin, facts, facts.seen)
        seen_whole = isinstance(facts.user, User) and not any(
            isinstance(one, Hidden) for one in vars(facts.seen).values()
        )
        if seen_whole or stopped.is_set():
            return
        own = _own_session(org, facts)
        if isinstance(own, Session):
            facts.is_itself = not isinstance(admin, Session)
            by_itself = UserFacts()
            facts.fill(_look(org, own, facts, by_itself), by_itself)
        elif not isinstance(admin, Session):
            facts.fill(own, UserFacts.unseen(own))

    def _mailbox_fault(self, config: Config) -> str:
        try:
            mailbox = self._parts.open_mailbox(config)
            if mailbox is not None:
                mailbox.mark()
        except (MailboxUnavailable, EngineError) as exc:
            return str(exc) or "it cannot be read"
        return ""


def _look(org: Org, session: Session, facts: RoleFacts, into: UserFacts) -> User | Broken | None:
    """The user, and what this session sees of them."""
    user = asked(lambda: org.find_user(session, facts.role.username))
    if isinstance(user, User):
        look_at_user(org, session, user.user_id, facts.now, into)
    return user


def _own_session(org: Org, facts: RoleFacts) -> Session | Hidden | Broken:
    """A session that the connection's app opens as the user."""
    if facts.role.self_login == JWT_BEARER:
        return asked(lambda: org.log_in_as(facts.role.username))
    return Hidden(REFUSED_IDENTITY if isinstance(facts.connection.session, Broken) else IDENTITY_OR_APP)
