"""Which org is behind a connection: remembered, and compared whenever a session is opened through it.

A sandbox that was refreshed, and a connection that now leads elsewhere, are other orgs with users of the same names:
their passwords are other ones, and what is changed there would be published as if it were here.
"""

import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.clock import Clock
from vault_salesforce_sidecar.records import organization
from vault_salesforce_sidecar.records.hold import ANOTHER_ORG, Hold
from vault_salesforce_sidecar.records.organization import Organization
from vault_salesforce_sidecar.rotation import findings
from vault_salesforce_sidecar.rotation.holds import Holds
from vault_salesforce_sidecar.salesforce.interface import LoginRow, Org, OrgRefused, Session, User
from vault_salesforce_sidecar.store import Conflict, Kv, KvUnavailable, Store, Stored

log = structlog.get_logger(__name__)


class Organizations:
    """The orgs behind all connections; thread-safe.

    Args:
        kv: The engine's own mount.
        holds: Where the brake is pulled.
        clock: Time.
    """

    def __init__(self, kv: Kv, holds: Holds, clock: Clock) -> None:
        self._store = Store(kv, "config-state", dump=organization.dump, load=organization.load)
        self._holds, self._clock = holds, clock
        self._lock = threading.Lock()
        self._known: dict[str, Stored[Organization]] = {}

    def guarded(self, name: str, config: Config, org: Org) -> Org:
        """The org of a connection, none of whose sessions is another org's.

        Args:
            name: The connection's name.
            config: The connection.
            org: The org behind it.
        """
        return GuardedOrg(org, self, name, config)

    def check(self, name: str, config: Config, session: Session) -> None:
        """Compare the session's org with the one that is remembered; the first one is remembered.

        Raises: OrgRefused: it is another one; the connection is held from now on.
        """
        if not session.organization_id:
            return
        found = Organization(session.organization_id, session.is_sandbox, self._clock.now())
        expected = self._expected(name, config, found)
        if expected is None or expected.is_same(found):
            return
        fault = findings.another_org(name, expected, found)
        made = Hold(
            reason=fault.cause,
            cause=ANOTHER_ORG,
            organization_id=found.organization_id,
            is_sandbox=found.is_sandbox,
        )
        try:
            self._holds.pull(name, made)
        except (KvUnavailable, Conflict) as exc:
            log.warning("a hold could not be written", config=name, reason=str(exc))
        raise OrgRefused(fault)

    def is_new_stranger(self, name: str, config: Config, session: Session) -> bool:
        """Whether the session's org is another one than is remembered, and nobody was told of that one yet."""
        found = Organization(session.organization_id, session.is_sandbox)
        expected = self._expected(name, config, found) if found.organization_id else None
        if expected is None or expected.is_same(found):
            return False
        held = self._holds.on(name)
        return held is None or held.hold.organization_id != found.organization_id

    def accept(self, name: str, organization_id: str) -> None:
        """Somebody says that this is the connection's org from now on. Raises: Conflict, KvUnavailable."""
        known = self._load(name)
        accepted = Organization(organization_id, None, self._clock.now())
        if known is None or known.record.organization_id != organization_id or known.record.is_sandbox is not None:
            self._put(name, accepted, known)

    def forget(self, name: str) -> None:
        """The connection is gone, or leads elsewhere before any role used it. Raises: Conflict, KvUnavailable."""
        known = self._load(name)
        if known is not None:
            self._store.delete(name, known.version)
        with self._lock:
            self._known.pop(name, None)

    def _expected(self, name: str, config: Config, found: Organization) -> Organization | None:
        """What is remembered; None: this is the first, and it is remembered, or Vault did not say."""
        with self._lock:
            known = self._known.get(name)
        try:
            if known is None or not known.record.is_same(found):
                known = self._load(name)  # another sidecar may know better
            if known is None and not config.organization_id:
                self._put(name, found, None)
            elif (
                known is not None
                and known.record.is_same(found)
                and known.record.is_sandbox is None is not found.is_sandbox
            ):
                self._put(name, found, known)
        except Conflict:
            known = self._load(name)
        except KvUnavailable as exc:
            log.warning("the org of a connection could not be remembered", config=name, reason=exc.sentence)
        if config.organization_id and (known is None or known.record.organization_id != config.organization_id):
            return Organization(config.organization_id)
        return known.record if known else None

    def _load(self, name: str) -> Stored[Organization] | None:
        try:
            stored = self._store.get(name)
        except ValueError as exc:
            log.warning("the org of a connection cannot be read, and is not compared", config=name, reason=str(exc))
            return None
        with self._lock:
            if stored is None:
                self._known.pop(name, None)
            else:
                self._known[name] = stored
        return stored

    def _put(self, name: str, record: Organization, known: Stored[Organization] | None) -> None:
        stored = self._store.put(name, record, known.version if known else None)
        with self._lock:
            self._known[name] = stored


class GuardedOrg:
    """An org whose every new session is compared before it is used; see `interface.Org`."""

    def __init__(self, org: Org, organizations: Organizations, name: str, config: Config) -> None:
        self._org, self._organizations, self._name, self._config = org, organizations, name, config
        self.longest_call_seconds = org.longest_call_seconds

    def log_in(self, username: str, password: SecretStr, security_token: SecretStr | None) -> Session:
        """See `Org.log_in`. Another org than the one remembered is refused: another_org."""
        return self._checked(self._org.log_in(username, password, security_token))

    def log_in_as(self, username: str, *, fresh: bool = False) -> Session:
        """See `Org.log_in_as`. Another org than the one remembered is refused: another_org."""
        session = self._org.log_in_as(username, fresh=fresh)
        return self._checked(self._org.log_in_as(username) if self._is_forgotten(session) else session)

    def admin_session(self) -> Session | None:
        """See `Org.admin_session`. Another org than the one remembered is refused: another_org."""
        session = self._org.admin_session()
        if session is not None and self._is_forgotten(session):
            session = self._org.admin_session()
        return self._checked(session) if session is not None else None

    def forget_admin_session(self, session: Session) -> None:
        """See `Org.forget_admin_session`."""
        self._org.forget_admin_session(session)

    def change_own_password(self, session: Session, old: SecretStr, new: SecretStr) -> None:
        """See `Org.change_own_password`."""
        self._org.change_own_password(session, old, new)

    def set_password(self, session: Session, user_id: str, new: SecretStr) -> None:
        """See `Org.set_password`."""
        self._org.set_password(session, user_id, new)

    def reset_password(self, session: Session, user_id: str) -> SecretStr:
        """See `Org.reset_password`."""
        return self._org.reset_password(session, user_id)

    def unlock(self, session: Session, user_id: str) -> None:
        """See `Org.unlock`."""
        self._org.unlock(session, user_id)

    def end_sessions(self, session: Session, user_id: str) -> int:
        """See `Org.end_sessions`."""
        return self._org.end_sessions(session, user_id)

    def login_history(self, session: Session, user_id: str, since: datetime) -> tuple[LoginRow, ...]:
        """See `Org.login_history`."""
        return self._org.login_history(session, user_id, since)

    def query(self, session: Session, soql: str) -> list[Mapping[str, Any]]:
        """See `Org.query`."""
        return self._org.query(session, soql)

    def columns(self, session: Session, sobject: str) -> frozenset[str]:
        """See `Org.columns`."""
        return self._org.columns(session, sobject)

    def password_policy(self, session: Session) -> Mapping[str, str]:
        """See `Org.password_policy`."""
        return self._org.password_policy(session)

    def find_user(self, session: Session, username: str) -> User | None:
        """See `Org.find_user`."""
        return self._org.find_user(session, username)

    def _is_forgotten(self, session: Session) -> bool:
        """Forget one that may have been kept since before the org was another one: only a new one tells which it is."""
        if not self._organizations.is_new_stranger(self._name, self._config, session):
            return False
        self._org.forget_admin_session(session)
        return True

    def _checked(self, session: Session) -> Session:
        self._organizations.check(self._name, self._config, session)
        return session
