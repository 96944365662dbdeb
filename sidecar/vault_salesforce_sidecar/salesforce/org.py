"""Orgs, each through one connection: which call goes where, and the sessions of the connections' own identities."""

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.clock import Clock
from vault_salesforce_sidecar.salesforce import faults, faults_oauth, policies, rest, rights
from vault_salesforce_sidecar.salesforce.admin_sessions import AdminSessions, Identity
from vault_salesforce_sidecar.salesforce.attempts import KeptAttempts
from vault_salesforce_sidecar.salesforce.hosts import AllowedHosts
from vault_salesforce_sidecar.salesforce.idle import IdleLines
from vault_salesforce_sidecar.salesforce.ids import same_record
from vault_salesforce_sidecar.salesforce.interface import LoginRow, Lost, Org, OrgRefused, Session, User
from vault_salesforce_sidecar.salesforce.lines import Proxy
from vault_salesforce_sidecar.salesforce.login import METHODS, PASSWORD_LOGINS, jwt_bearer
from vault_salesforce_sidecar.salesforce.login.entrance import Entrance
from vault_salesforce_sidecar.salesforce.login.password import joined
from vault_salesforce_sidecar.salesforce.message import Answer, Request
from vault_salesforce_sidecar.salesforce.soap import Soap
from vault_salesforce_sidecar.salesforce.tls import tls_context
from vault_salesforce_sidecar.salesforce.transport import Transport
from vault_salesforce_sidecar.store import Kv

LONGEST_CALL_SECONDS = 15.0
FRESH_SECONDS = 60.0
_ORGS_KEPT = 512
_LONGEST_TIME = 64  # characters; it is kept in the journal
_MOST_PAGES = 25  # of 2,000 records each
_DESCRIPTIONS_KEPT, _DESCRIPTION_SECONDS = 64, 600.0
_POLICY_SECONDS = 3600.0


class SalesforceOrg:
    """One org through one connection; see `interface.Org`.

    Args:
        config: The connection.
        transport: Carries the bytes to the hosts that the connection allows.
        sessions: Those that are kept, of all connections.
        clock: Dates assertions.
        longest_call_seconds: Limit of every call of this class.
    """

    def __init__(
        self,
        config: Config,
        transport: Transport,
        sessions: AdminSessions,
        clock: Clock,
        longest_call_seconds: float = LONGEST_CALL_SECONDS,
    ) -> None:
        self.longest_call_seconds = longest_call_seconds
        self._config, self._transport, self._sessions = config, transport, sessions
        self._soap = Soap(transport)
        self._entrance = Entrance(config, transport, self._soap, clock, longest_call_seconds)
        self._changes_by_soap = config.set_password_by == "soap"  # noqa: S105 - the name of an API
        self._has_failed_logins = True
        self._lock = threading.Lock()
        self._policies: OrderedDict[str, tuple[float, Mapping[str, str] | None]] = OrderedDict()
        self._described: OrderedDict[tuple[str, str], tuple[float, frozenset[str]]] = OrderedDict()

    def log_in(self, username: str, password: SecretStr, security_token: SecretStr | None) -> Session:
        """See `Org.log_in`. A session on a host that the connection does not allow is refused: host_not_allowed."""
        log_in = PASSWORD_LOGINS[self._config.password_login]
        return log_in(self._entrance, self._config, username, joined(password, security_token))

    def log_in_as(self, username: str, *, fresh: bool = False) -> Session:
        """See `Org.log_in_as`."""
        config = self._config
        if not (config.client_id and config.private_key):
            raise OrgRefused(faults_oauth.NO_APP)
        secrets = jwt_bearer.secrets_of(config)
        identity = Identity(config.login_url, "jwt_bearer", username.lower(), secrets, can_lock=False, itself=True)
        longest = FRESH_SECONDS if fresh else None
        return self._sessions.get(identity, lambda: jwt_bearer.log_in_user(self._entrance, config, username), longest)

    def change_own_password(self, session: Session, old: SecretStr, new: SecretStr) -> None:
        """See `Org.change_own_password`."""
        self._soap.change_own_password(session.server_url, session.id, old, new, self.longest_call_seconds)

    def set_password(self, session: Session, user_id: str, new: SecretStr) -> None:
        """See `Org.set_password`.

        The session's own user is refused (own_user), and nothing is sent; but for the session of an expired password,
        in which SOAP has it.
        """
        if not session.password_expired:
            _refuse_own(session, user_id)
        if self._changes_by_soap or session.password_expired:
            self._soap.set_password(session.server_url, session.id, user_id, new, self.longest_call_seconds)
        else:
            self._change(rest.set_password_request(session, self._config.api_version, user_id, new))

    def reset_password(self, session: Session, user_id: str) -> SecretStr:
        """See `Org.reset_password`. The session's own user is refused (own_user), and nothing is sent.

        By REST the org also mails the user a link, by SOAP nothing.
        """
        _refuse_own(session, user_id)
        if self._changes_by_soap:
            return self._soap.reset_password(session.server_url, session.id, user_id, self.longest_call_seconds)
        request = rest.reset_password_request(session, self._config.api_version, user_id)
        return rest.new_password(self._transport.send(request, self.longest_call_seconds))

    def unlock(self, session: Session, user_id: str) -> None:
        """See `Org.unlock`."""
        deadline = time.monotonic() + self.longest_call_seconds
        found = self._records(session, rest.user_login_id_soql(user_id), deadline)
        if not found:
            raise OrgRefused(faults.TABLE["NOT_FOUND"])
        request = rest.unlock_request(session, self._config.api_version, rest.id_of(found[0]))
        self._change(request, deadline)

    def end_sessions(self, session: Session, user_id: str) -> int:
        """See `Org.end_sessions`. Refused also where the session's user would not be shown those of others."""
        deadline = time.monotonic() + self.longest_call_seconds
        own = same_record(user_id, session.user_id)
        found = self._records(session, rest.sessions_soql(user_id, but_the_own=own), deadline)
        ids = [rest.id_of(record) for record in found]
        if not ids and not own:
            self._require_manage_users(session, deadline)
        for start in range(0, len(ids), rest.MOST_DELETED):
            some = ids[start : start + rest.MOST_DELETED]
            request = rest.delete_request(session, self._config.api_version, some)
            rest.were_deleted(self._transport.send(request, deadline - time.monotonic()), len(some))
        return len(ids)

    def login_history(self, session: Session, user_id: str, since: datetime) -> tuple[LoginRow, ...]:
        """See `Org.login_history`."""
        return rest.login_rows(self.query(session, rest.login_history_soql(user_id, since)))

    def query(self, session: Session, soql: str) -> list[Mapping[str, Any]]:
        """See `Org.query`. Lost also where there are more than 25 pages."""
        return self._records(session, soql, time.monotonic() + self.longest_call_seconds)

    def columns(self, session: Session, sobject: str) -> frozenset[str]:
        """See `Org.columns`. Kept for ten minutes, and apart for each user: they see different ones."""
        key, now = (session.user_id, sobject), time.monotonic()
        with self._lock:
            since, names = self._described.get(key, (0.0, frozenset()))
        if names and now - since < _DESCRIPTION_SECONDS:
            return names
        request = rest.describe_request(session, self._config.api_version, sobject)
        names = rest.columns(self._transport.send(request, self.longest_call_seconds, repeatable=True))
        with self._lock:
            self._described[key] = now, names
            if len(self._described) > _DESCRIPTIONS_KEPT:
                self._described.popitem(last=False)
        return names

    def password_policy(self, session: Session) -> Mapping[str, str]:
        """See `Org.password_policy`. Kept for an hour, and apart for each user."""
        now = time.monotonic()
        with self._lock:
            since, policy = self._policies.get(session.user_id, (0.0, None))
        if policy is not None and now - since < _POLICY_SECONDS:
            return policy
        request = rest.tooling_query_request(session, self._config.api_version, policies.POLICY_SOQL)
        try:
            policy = policies.policy_of(self._query(request, time.monotonic() + self.longest_call_seconds))
        except OrgRefused as refused:
            if refused.fault.code not in rights.NOT_SHOWN:
                raise
            policy = {}
        with self._lock:
            self._policies[session.user_id] = now, policy
            if len(self._policies) > _DESCRIPTIONS_KEPT:
                self._policies.popitem(last=False)
        return policy

    def find_user(self, session: Session, username: str) -> User | None:
        """See `Org.find_user`. Locked and frozen are looked up for other users alone: who has a session is neither."""
        deadline = time.monotonic() + self.longest_call_seconds
        found = self._query_user(session, username, deadline)
        if found is None:
            return None
        user_id, told = rest.id_of(found), found.get("Username", username)
        if not isinstance(told, str) or told.lower() != username.lower():
            raise Lost("the org answered with the record of another user")
        other = not same_record(user_id, session.user_id)
        login = self._query_user_login(session, user_id, deadline) if other else None
        changed, failed = found.get("LastPasswordChangeDate"), found.get("NumberOfFailedLogins")
        return User(
            user_id=user_id,
            username=username,
            is_active=found.get("IsActive") is True,
            last_password_change=changed if isinstance(changed, str) and len(changed) <= _LONGEST_TIME else None,
            failed_logins=int(failed) if isinstance(failed, int | float) else None,
            is_locked=login.get("IsPasswordLocked") is True if login else None,
            is_frozen=login.get("IsFrozen") is True if login else None,
        )

    def admin_session(self) -> Session | None:
        """See `Org.admin_session`."""
        method = METHODS.get(self._config.auth_method)
        if method is None:
            return None
        config = self._config
        return self._sessions.get(_identity(config), lambda: method.log_in(self._entrance, config))

    def forget_admin_session(self, session: Session) -> None:
        """See `Org.forget_admin_session`."""
        self._sessions.forget(session)

    def _query_user(self, session: Session, username: str, deadline: float) -> rest.Record | None:
        version, with_failed_logins = self._config.api_version, self._has_failed_logins
        request = rest.user_request(session, version, username, with_failed_logins=with_failed_logins)
        try:
            found = self._query(request, deadline)
        except OrgRefused as refused:
            if not with_failed_logins or refused.fault.code != "INVALID_FIELD":
                raise
            self._has_failed_logins = False
            return self._query_user(session, username, deadline)
        return found[0] if found else None

    def _query_user_login(self, session: Session, user_id: str, deadline: float) -> rest.Record | None:
        request = rest.user_login_request(session, self._config.api_version, user_id)
        try:
            found = self._query(request, deadline)
        except OrgRefused as refused:
            if refused.fault.code not in rights.NOT_SHOWN:
                raise
            return None
        return found[0] if found else None

    def _query(self, request: Request, deadline: float) -> list[rest.Record]:
        return rest.page(self._read(request, deadline)).records

    def _records(self, session: Session, soql: str, deadline: float) -> list[rest.Record]:
        page = rest.page(self._read(rest.query_request(session, self._config.api_version, soql), deadline))
        found = page.records
        for _ in range(_MOST_PAGES - 1):
            if page.next_path is None:
                return found
            page = rest.page(self._read(rest.next_page_request(session, page.next_path), deadline))
            found += page.records
        if page.next_path is not None:
            raise Lost(f"the query found more than {_MOST_PAGES} pages of records")
        return found

    def _require_manage_users(self, session: Session, deadline: float) -> None:
        wanted = {"PermissionsManageUsers"}
        found = self._records(session, rights.assignments_query(session.user_id, wanted), deadline)
        if not rights.granted(found, wanted):
            raise OrgRefused(faults.SESSIONS_NOT_SHOWN)

    def _read(self, request: Request, deadline: float) -> Answer:
        return self._transport.send(request, deadline - time.monotonic(), repeatable=True)

    def _change(self, request: Request, deadline: float | None = None) -> None:
        seconds = self.longest_call_seconds if deadline is None else deadline - time.monotonic()
        rest.was_done(self._transport.send(request, seconds))


class Orgs:
    """Opens connections, and keeps what they share.

    Args:
        clock: Measures how long a refused login is not tried again, and dates assertions.
        kv: The engine's own mount: what logins of connections' own users cost is counted there.
        longest_call_seconds: Limit of every call to an org.
        proxy: Through which they are called; None: directly.
    """

    def __init__(
        self, clock: Clock, kv: Kv, longest_call_seconds: float = LONGEST_CALL_SECONDS, proxy: Proxy | None = None
    ) -> None:
        self._longest_call_seconds, self._proxy = longest_call_seconds, proxy
        self._idle = IdleLines()
        self._clock = clock
        self._admin_sessions = AdminSessions(clock, KeptAttempts(kv))
        self._lock = threading.Lock()
        self._open: OrderedDict[Config, SalesforceOrg] = OrderedDict()

    def open(self, config: Config) -> Org:
        """The org behind a connection; the same object for the same contents. Nothing is sent.

        Raises: CallerError where its `ca_cert`, or its client's certificate, cannot be used.
        """
        with self._lock:
            if config in self._open:
                self._open.move_to_end(config)
                return self._open[config]
        try:
            context = tls_context(config.ca_cert, config.client_cert, config.client_key)
        except ValueError as exc:
            raise CallerError(str(exc)) from exc
        hosts = AllowedHosts(config.login_url, config.allowed_hosts)
        transport = Transport(hosts, context, self._proxy, self._idle)
        made = SalesforceOrg(config, transport, self._admin_sessions, self._clock, self._longest_call_seconds)
        with self._lock:
            org = self._open.setdefault(config, made)
            if len(self._open) > _ORGS_KEPT:
                self._open.popitem(last=False)
        return org

    def try_again(self, config: Config) -> None:
        """Somebody says that the connection's own credential is good now: earlier refusals of it hold no longer.

        Raises: KvUnavailable.
        """
        if config.auth_method in METHODS:
            self._admin_sessions.forgive(_identity(config))

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._idle.close()


def _identity(config: Config) -> Identity:
    method = METHODS[config.auth_method]
    secrets = method.secrets_of(config)
    return Identity(config.login_url, config.auth_method, config.username, secrets, method.can_lock)


def _refuse_own(session: Session, user_id: str) -> None:
    if same_record(user_id, session.user_id):
        raise OrgRefused(faults.OWN_USER)
