"""Orgs, each through one connection: which call goes where, and the sessions of the connections' own identities."""

import threading
import time
from collections import OrderedDict

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.clock import Clock
from vault_salesforce_sidecar.salesforce import faults, rest
from vault_salesforce_sidecar.salesforce.admin_sessions import AdminSessions, Identity
from vault_salesforce_sidecar.salesforce.hosts import AllowedHosts
from vault_salesforce_sidecar.salesforce.interface import Lost, Org, OrgRefused, Session, User
from vault_salesforce_sidecar.salesforce.login import METHODS
from vault_salesforce_sidecar.salesforce.message import Request
from vault_salesforce_sidecar.salesforce.soap import Soap
from vault_salesforce_sidecar.salesforce.transport import Transport, tls_context

LONGEST_CALL_SECONDS = 15.0
_ORGS_KEPT = 512
# What an org answers where it does not show UserLogin, or a field, to who asks.
_NOT_SHOWN = {"INVALID_FIELD", "INVALID_TYPE", "INSUFFICIENT_ACCESS"}


class SalesforceOrg:
    """One org through one connection; see `interface.Org`.

    Args:
        config: The connection.
        transport: Carries the bytes to the hosts that the connection allows.
        admin_sessions: Those of all connections.
        longest_call_seconds: Limit of every call of this class.
    """

    def __init__(
        self,
        config: Config,
        transport: Transport,
        admin_sessions: AdminSessions,
        longest_call_seconds: float = LONGEST_CALL_SECONDS,
    ) -> None:
        self.longest_call_seconds = longest_call_seconds
        self._config, self._transport, self._admin_sessions = config, transport, admin_sessions
        self._soap = Soap(transport)
        self._login_address = f"{config.login_url.rstrip('/')}/services/Soap/u/{config.api_version}"
        self._has_failed_logins = True

    def log_in(self, username: str, password: SecretStr, security_token: SecretStr | None) -> Session:
        """See `Org.log_in`. A session on a host that the connection does not allow is refused: host_not_allowed."""
        secret = SecretStr(password.reveal() + security_token.reveal()) if security_token else password
        result = self._soap.login(self._login_address, username, secret, self.longest_call_seconds)
        if not self._transport.allows(result.server_url):
            raise OrgRefused(faults.HOST_NOT_ALLOWED)
        return Session(
            id=result.session_id,
            server_url=result.server_url,
            username=username,
            user_id=result.user_id,
            organization_id=result.organization_id,
            password_expired=result.password_expired,
        )

    def change_own_password(self, session: Session, old: SecretStr, new: SecretStr) -> None:
        """See `Org.change_own_password`."""
        self._soap.change_own_password(session.server_url, session.id, old, new, self.longest_call_seconds)

    def set_password(self, session: Session, user_id: str, new: SecretStr) -> None:
        """See `Org.set_password`. The session's own user is refused (own_user), and nothing is sent."""
        if rest.same_user(user_id, session.user_id):
            raise OrgRefused(faults.OWN_USER)
        request = rest.set_password_request(session, self._config.api_version, user_id, new)
        rest.password_was_set(self._transport.send(request, self.longest_call_seconds))

    def find_user(self, session: Session, username: str) -> User | None:
        """See `Org.find_user`. Locked and frozen are looked up for other users alone: who has a session is neither."""
        deadline = time.monotonic() + self.longest_call_seconds
        found = self._query_user(session, username, deadline)
        if found is None:
            return None
        user_id = str(found.get("Id"))
        if not rest.USER_ID.fullmatch(user_id):
            raise Lost("the org's record of the user cannot be read")
        other = not rest.same_user(user_id, session.user_id)
        login = self._query_user_login(session, user_id, deadline) if other else None
        changed, failed = found.get("LastPasswordChangeDate"), found.get("NumberOfFailedLogins")
        return User(
            user_id=user_id,
            username=username,
            is_active=found.get("IsActive") is True,
            last_password_change=changed if isinstance(changed, str) else None,
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
        return self._admin_sessions.get(_identity(config), lambda: method.log_in(self, config))

    def forget_admin_session(self, session: Session) -> None:
        """See `Org.forget_admin_session`."""
        self._admin_sessions.forget(session)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._transport.close()

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
            if refused.fault.code not in _NOT_SHOWN:
                raise
            return None
        return found[0] if found else None

    def _query(self, request: Request, deadline: float) -> list[rest.Record]:
        left = deadline - time.monotonic()
        return rest.records(self._transport.send(request, left, repeatable=True))


class Orgs:
    """Opens connections, and keeps what they share.

    Args:
        clock: Measures how long a refused admin login is not tried again.
        longest_call_seconds: Limit of every call to an org.
    """

    def __init__(self, clock: Clock, longest_call_seconds: float = LONGEST_CALL_SECONDS) -> None:
        self._longest_call_seconds = longest_call_seconds
        self._admin_sessions = AdminSessions(clock)
        self._lock = threading.Lock()
        self._open: OrderedDict[Config, SalesforceOrg] = OrderedDict()

    def open(self, config: Config) -> Org:
        """The org behind a connection; the same object for the same contents. Nothing is sent.

        Raises: CallerError where its `ca_cert` is not PEM.
        """
        with self._lock:
            if config in self._open:
                self._open.move_to_end(config)
                return self._open[config]
        try:
            context = tls_context(config.ca_cert)
        except ValueError as exc:
            raise CallerError(f"ca_cert {exc}") from exc
        transport = Transport(AllowedHosts(config.login_url, config.allowed_hosts), context)
        made = SalesforceOrg(config, transport, self._admin_sessions, self._longest_call_seconds)
        with self._lock:
            org = self._open.setdefault(config, made)
            spare = self._open.popitem(last=False)[1] if len(self._open) > _ORGS_KEPT else None
        if spare:
            spare.close()
        return org

    def try_again(self, config: Config) -> None:
        """Somebody says that the connection's own credential is good now: earlier refusals of it hold no longer."""
        if config.auth_method in METHODS:
            self._admin_sessions.forgive(_identity(config))

    def close(self) -> None:
        """Close the connections that are not in use."""
        with self._lock:
            orgs = list(self._open.values())
        for org in orgs:
            org.close()


def _identity(config: Config) -> Identity:
    secrets = METHODS[config.auth_method].secrets_of(config)
    return Identity(config.login_url, config.auth_method, config.username, secrets)
