"""The rules of logging in with a password: the gates that come first, the credentials, the device, and the lock."""

import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .addresses import inside
from .app_settings import AppSettings
from .faults import FaultError
from .org import LoginRow, Org
from .sessions import API, OAUTH, OAUTH_LOGIN_TYPE, SOAP_LOGIN_TYPE, Origin, Session
from .user import ClientCount, User

PUBLIC_LOGIN_HOSTS = {"login.salesforce.com": False, "test.salesforce.com": True}

_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class LoginAttempt:
    """One call of login(), or one OAuth password grant.

    Attributes:
        username: As it was sent.
        secret: Password, with the security token behind it or not.
        source: Address of the client.
        host: Host that the client asked for.
        api_type: How LoginHistory names the interface.
        api_version: Version in the address, such as 64.0.
        application: What the client calls itself.
        stale: The attempt is the simulator's own stale consumer's, not a client's.
        oauth: It is a password grant.
        app: The app of a password grant.
        scope: Scopes of the grant.
    """

    username: str
    secret: str = field(repr=False)
    source: str
    host: str = ""
    api_type: str = "SOAP Partner"
    api_version: str = "64.0"
    application: str = "N/A"
    stale: bool = False
    oauth: bool = False
    app: AppSettings | None = None
    scope: str = ""

    @property
    def login_type(self) -> str:
        """What LoginHistory calls this kind of login."""
        return OAUTH_LOGIN_TYPE if self.oauth else SOAP_LOGIN_TYPE


@dataclass(frozen=True)
class LoggedIn:
    """A login that succeeded."""

    session: Session
    password_expired: bool


@dataclass(frozen=True)
class _Refusal:
    """How a login ends that is not let in: the code, LoginHistory's status, and whether it is a failed attempt."""

    code: str
    status: str
    counts: bool = False


def log_in(org: Org, attempt: LoginAttempt) -> LoggedIn:
    """Log a user in, or refuse; either way the attempt is counted and written to the login history.

    Raises:
        FaultError: The login is refused.
    """
    with org.lock:
        user = org.user(attempt.username)
        now = org.clock.now()
        was_locked = user is not None and user.locked(now)
        try:
            if not attempt.oauth:
                _pass_gates(org, attempt, user)
            result = _enter(org, attempt, user, now)
        except FaultError:
            if user is not None:
                _tally(user, attempt, failed=True, locked=was_locked)
            raise
        _tally(result.session.user, attempt, failed=False, locked=False)
        return result


def fail(org: Org, user: User, *, stale: bool = False) -> None:
    """Count a failed attempt against a user, and lock the user when it is one too many."""
    policy = org.policy(user)
    user.failed_count += 1
    if policy.max_login_attempts and user.failed_count >= policy.max_login_attempts:
        user.lock(policy, org.clock.now())
        user.counters.lockouts += 1
        user.counters.stale_lockouts += stale


def _pass_gates(org: Org, attempt: LoginAttempt, user: User | None) -> None:
    settings = org.settings
    if float(attempt.api_version) > settings.max_login_version:
        raise FaultError(
            "INVALID_OPERATION",
            f"The SOAP Login operation is not available in the API version specified ({attempt.api_version}).",
        )
    if settings.retire_mode == "retired":
        raise FaultError("INVALID_OPERATION", "SOAP API login() has been retired.")
    if not settings.soap_login:
        raise FaultError("INVALID_OPERATION", "SOAP API login() is disabled by default in this org.")
    if settings.retire_mode == "S26-permission" and user is not None and not user.settings.use_any_api_auth:
        raise FaultError("INSUFFICIENT_ACCESS", "SOAP API login() requires the Use Any API Auth user permission.")
    if settings.api_access_control and user is not None and not user.settings.use_any_api_client:
        raise FaultError("CLIENT_NOT_ACCESSIBLE_FOR_USER")


def _enter(org: Org, attempt: LoginAttempt, user: User | None, now: datetime) -> LoggedIn:
    if user is None:
        # An unknown name leaves no row, and reads like a wrong password.
        _count_source(org, attempt)
        raise FaultError("INVALID_LOGIN")
    refusal = _keep_out(org, attempt, user, now) or _judge(org, attempt, user) or _challenge(org, attempt, user, now)
    if refusal is None and not user.settings.api_enabled:
        refusal = _Refusal("API_CURRENTLY_DISABLED", "Failed: API disabled")
    row = write_row(org, attempt, user, refusal.status if refusal else "Success")
    if refusal:
        if refusal.counts:
            fail(org, user, stale=attempt.stale)
            _count_source(org, attempt)
        raise FaultError(refusal.code)
    user.failed_count = 0
    user.locked_until = None
    user.last_login = now
    user.prove(attempt.secret)
    org.failures_by_source.pop(attempt.source, None)
    kind = OAUTH if attempt.oauth else API
    origin = Origin(attempt.source, kind, attempt.login_type, row.number, attempt.app, attempt.scope)
    return LoggedIn(org.open_session(user, origin), user.password_expired(org.policy(user), now))


def rate_exceeded(org: Org, user: User, now: datetime) -> bool:
    """Count a login or grant of a user, and say whether it is one too many within the hour."""
    limit = org.settings.login_rate
    user.login_times = [*(time for time in user.login_times if now - time < _HOUR), now][-limit - 1 :]
    return len(user.login_times) > limit


def wrong_host(org: Org, host: str, *, my_domain_only: bool) -> bool:
    """Say whether a login host is not that of this org.

    Args:
        org: The org.
        host: Host that the client asked for; any but the two public ones is taken for the org's My Domain.
        my_domain_only: Both public hosts are closed.
    """
    sandboxes = PUBLIC_LOGIN_HOSTS.get(host.partition(":")[0].lower())
    return sandboxes is not None and (my_domain_only or sandboxes != org.settings.is_sandbox)


def outside_hours(user: User, now: datetime) -> bool:
    """Say whether the user's profile lets nobody in at this hour."""
    hours = user.settings.login_hours
    return bool(hours) and not hours[0] <= now.hour < hours[1]


def _keep_out(org: Org, attempt: LoginAttempt, user: User, now: datetime) -> _Refusal | None:
    settings = org.settings
    blocked_after = settings.locked_ip_after_failures
    my_domain_only = settings.my_domain_only_ui if attempt.oauth else settings.my_domain_only_api
    enforced = attempt.app is None or attempt.app.ip_relaxation == "enforce"
    cases = (
        (rate_exceeded(org, user, now), _Refusal("INVALID_LOGIN", "Login Rate Exceeded")),
        (
            blocked_after and org.failures_by_source.get(attempt.source, 0) >= blocked_after,
            _Refusal("INVALID_LOGIN", "Failed: source address blocked"),
        ),
        (
            wrong_host(org, attempt.host, my_domain_only=my_domain_only),
            _Refusal("INVALID_LOGIN", "Restricted Domain"),
        ),
        (not user.settings.active, _Refusal("INVALID_LOGIN", "User is Inactive")),
        (user.locked(now), _Refusal("INVALID_LOGIN", "Password Lockout")),
        (user.settings.frozen, _Refusal("INVALID_LOGIN", "User is frozen")),
        (user.settings.sso_enabled, _Refusal("INVALID_LOGIN", "Failed: single sign-on only")),
        (
            enforced and user.settings.login_ranges and not inside(attempt.source, user.settings.login_ranges),
            _Refusal("LOGIN_DURING_RESTRICTED_DOMAIN", "Restricted IP"),
        ),
        (outside_hours(user, now), _Refusal("LOGIN_DURING_RESTRICTED_TIME", "Restricted Time")),
    )
    return next((refusal for applies, refusal in cases if applies), None)


def _judge(org: Org, attempt: LoginAttempt, user: User) -> _Refusal | None:
    if user.settings.mfa_api:
        return _Refusal("INVALID_LOGIN", "Failed: multi-factor code required", counts=True)
    if user.security_token is not None and _equal(attempt.secret, user.password + user.security_token):
        return None
    if not _equal(attempt.secret, user.password):
        return _Refusal("INVALID_LOGIN", "Invalid Password", counts=True)
    if org.trusts(user, attempt.source):
        return None
    counts = org.settings.missing_token_counts_to_lockout
    return _Refusal("LOGIN_MUST_USE_SECURITY_TOKEN", "Failed: API security token required", counts)


def _challenge(org: Org, attempt: LoginAttempt, user: User, now: datetime) -> _Refusal | None:
    """Ask for a proof of identity from an address that the user has not confirmed."""
    if not org.settings.device_activation or org.trusts(user, attempt.source):
        return None
    challenged = attempt.source in user.devices
    device = org.device(user, attempt.source)
    if device.confirmed:
        return None
    device.challenged = now
    code = "LOGIN_CHALLENGE_PENDING" if challenged else "LOGIN_CHALLENGE_ISSUED"
    return _Refusal(code, "Failed: Computer activation required")


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _count_source(org: Org, attempt: LoginAttempt) -> None:
    org.failures_by_source[attempt.source] = org.failures_by_source.get(attempt.source, 0) + 1


def write_row(org: Org, attempt: LoginAttempt, user: User, status: str) -> LoginRow:
    """Write an attempt to the login history, and return the row."""
    row = LoginRow(
        number=org.history_count + 1,
        user=user,
        time=org.clock.now(),
        status=status,
        source=attempt.source,
        login_url=attempt.host,
        login_type=attempt.login_type,
        api_type=attempt.api_type,
        api_version=attempt.api_version,
        application=attempt.application,
    )
    org.write_history(row)
    return row


def _tally(user: User, attempt: LoginAttempt, *, failed: bool, locked: bool) -> None:
    client = user.clients.setdefault(attempt.source, ClientCount(stale=attempt.stale))
    client.logins += 1
    client.failed_logins += failed
    counters = user.counters
    if attempt.stale:
        counters.stale_logins += 1
        counters.stale_failed_logins += failed
        return
    counters.logins += 1
    counters.failed_logins += failed
    counters.logins_after_lock += locked
