"""The rules of OAuth grants: which app comes, on whose behalf, and whether the user may be acted for."""

import hmac
from dataclasses import dataclass, field
from typing import Any

import jwt

from .addresses import inside
from .app_settings import CLIENT_CREDENTIALS, JWT_BEARER, PASSWORD, read_public_key
from .apps import App, Credentials
from .faults import FaultError
from .login import PUBLIC_LOGIN_HOSTS, LoginAttempt, log_in, outside_hours, rate_exceeded, write_row, wrong_host
from .org import Org
from .sessions import OAUTH, OAUTH_LOGIN_TYPE, Origin, Session
from .user import User

JWT_BEARER_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
FLOW_OF_GRANT = {JWT_BEARER_GRANT: JWT_BEARER, "client_credentials": CLIENT_CREDENTIALS, "password": PASSWORD}

_INVALID_ASSERTION = ("invalid_grant", "invalid assertion")
_NOT_APPROVED = ("invalid_grant", "user hasn't approved this consumer")
_REFUSED_LOGIN = ("invalid_grant", "authentication failure")
_NOT_FOR_ACCESS = "Failed: Not approved for access"
_BLOCKED_STATUS = "Username-Password Flow Disabled"
_NOT_BY_THE_LIBRARY = ("verify_exp", "verify_aud", "verify_iat", "verify_iss", "verify_jti", "verify_nbf", "verify_sub")
_OFFLINE = {"refresh_token", "offline_access"}


@dataclass(frozen=True)
class Ask:
    """A request for a token.

    Attributes:
        form: What the client sent.
        client: Consumer key and secret, from the body or the Authorization header; empty where there is none.
        source: Address of the client.
        host: Host that the client asked for.
    """

    form: dict[str, str] = field(repr=False)
    client: tuple[str, str] = field(repr=False)
    source: str
    host: str


def grant(org: Org, ask: Ask) -> Session:
    """Open a session for an app.

    Raises:
        FaultError: The grant is refused; code and message are OAuth's error and its description.
    """
    flow = FLOW_OF_GRANT.get(ask.form.get("grant_type", ""))
    with org.lock:
        if flow is None:
            raise FaultError("unsupported_grant_type", "grant type not supported")
        return {JWT_BEARER: _by_assertion, CLIENT_CREDENTIALS: _by_client, PASSWORD: _by_password}[flow](org, ask)


def about(org: Org, ask: Ask) -> str:
    """Name the user that a grant is asked for, without believing a word of it."""
    name: Any = ask.form.get("username", "")
    if ask.form.get("grant_type") == JWT_BEARER_GRANT:
        try:
            claims = jwt.decode(ask.form.get("assertion", ""), options={"verify_signature": False})
        except (jwt.InvalidTokenError, ValueError):
            claims = {}
        name = claims.get("sub") or claims.get("prn") or ""
    elif ask.form.get("grant_type") == "client_credentials":
        found = org.app(ask.client[0])
        name = found[0].settings.run_as if found else ""
    user = org.user(name) if isinstance(name, str) else None
    return user.username if user else ""


def authenticate(org: Org, client: tuple[str, str], *, flow: str = "") -> App:
    """Find the app that a client says it is, by its key and secret.

    Args:
        org: The org.
        client: Consumer key and secret.
        flow: The flow it must be enabled for; empty is any.

    Raises:
        FaultError: There is no such app, the secret is wrong, or the flow is not enabled.
    """
    app, credentials = _app(org, client[0], flow)
    if not hmac.compare_digest(credentials.secret.encode(), client[1].encode()):
        raise FaultError("invalid_client", "invalid client credentials")
    return app


def _app(org: Org, key: str, flow: str) -> tuple[App, Credentials]:
    found = org.app(key)
    if found is None:
        raise FaultError("invalid_client_id", "client identifier invalid")
    settings = found[0].settings
    if flow and (flow not in settings.flows or (flow == PASSWORD and settings.kind == "external_client_app")):
        raise FaultError("unsupported_grant_type", "grant type not supported")
    return found


def _by_assertion(org: Org, ask: Ask) -> Session:
    if "scope" in ask.form:
        raise FaultError("invalid_request", "scope parameter not supported")
    claims, app = _claims(org, ask.form.get("assertion", ""))
    _check_audience(org, claims)
    _check_expiry(org, claims)
    subject = claims.get("sub") or claims.get("prn")
    user = org.user(subject) if isinstance(subject, str) else None
    if user is None:
        raise FaultError(*_NOT_APPROVED)
    return _Bid(org, ask, app, user).enter()


def _claims(org: Org, assertion: str) -> tuple[dict[str, Any], App]:
    try:
        unproven = jwt.decode(assertion, options={"verify_signature": False})
        issuer = unproven.get("iss")
        app, _ = _app(org, issuer if isinstance(issuer, str) else "", JWT_BEARER)
        key = read_public_key(app.settings.certificate)
        # The claims are judged here, by the org's own clock.
        options: Any = dict.fromkeys(_NOT_BY_THE_LIBRARY, False)
        return jwt.decode(assertion, key, algorithms=["RS256"], options=options), app
    except (jwt.InvalidTokenError, ValueError) as error:
        raise FaultError(*_INVALID_ASSERTION) from error


def _check_audience(org: Org, claims: dict[str, Any]) -> None:
    fitting = {
        f"https://{host}" for host, sandboxes in PUBLIC_LOGIN_HOSTS.items() if sandboxes == org.settings.is_sandbox
    }
    if claims.get("aud") not in fitting:
        raise FaultError("invalid_grant", "audience is invalid")


def _check_expiry(org: Org, claims: dict[str, Any]) -> None:
    expiry = claims.get("exp")
    # Salesforce's own clients send whole seconds, some of them as text.
    if not (type(expiry) is int or (isinstance(expiry, str) and expiry.isdecimal())):
        raise FaultError(*_INVALID_ASSERTION)
    left = int(expiry) - org.clock.now().timestamp()
    if not 0 < left <= org.settings.jwt_lifetime:
        raise FaultError("invalid_grant", "expired authorization code")


def _by_client(org: Org, ask: Ask) -> Session:
    if ask.host.partition(":")[0].lower() in PUBLIC_LOGIN_HOSTS:
        raise FaultError("invalid_grant", "request not supported on this domain")
    app = authenticate(org, ask.client, flow=CLIENT_CREDENTIALS)
    if "scope" in ask.form:
        raise FaultError("invalid_request", "scope parameter not supported")
    user = org.user(app.settings.run_as)
    if user is None:
        raise FaultError("invalid_grant", "no client credentials user enabled")
    return _Bid(org, ask, app, user).enter()


def _by_password(org: Org, ask: Ask) -> Session:
    user = org.user(ask.form.get("username", ""))
    if org.settings.username_password_flow_blocked:
        if user is not None:
            write_row(org, _attempt(ask, None, user.username), user, _BLOCKED_STATUS)
        raise FaultError(*_REFUSED_LOGIN)
    app = authenticate(org, ask.client, flow=PASSWORD)
    if user is not None:
        _Bid(org, ask, app, user).check_app()
    try:
        return log_in(org, _attempt(ask, app, ask.form.get("username", ""))).session
    except FaultError as fault:
        # Whatever was the matter, the client is told the same.
        raise FaultError(*_REFUSED_LOGIN) from fault


@dataclass(frozen=True)
class _Bid:
    """An app that wants to act for a user."""

    org: Org
    ask: Ask
    app: App
    user: User

    def enter(self) -> Session:
        """Open the session, without a password."""
        org, user, app = self.org, self.user, self.app.settings
        user.counters.grants += 1
        try:
            self.check_app()
            self.check_user()
        except FaultError:
            user.counters.failed_grants += 1
            raise
        row = write_row(org, _attempt(self.ask, self.app, user.username), user, "Success")
        user.last_login = org.clock.now()
        origin = Origin(self.ask.source, OAUTH, OAUTH_LOGIN_TYPE, row.number, app, " ".join(app.scopes))
        return org.open_session(user, origin, reuse=org.settings.access_token_reuse)

    def check_app(self) -> None:
        """Refuse an app that may not act for the user, whatever the state of the user."""
        app, user = self.app.settings, self.user.settings
        if not (app.installed or user.approve_uninstalled_apps or user.use_any_api_client):
            raise FaultError("invalid_client", "app must be installed into org")
        closed = self.org.settings.api_access_control and not app.allow_listed and not user.use_any_api_client
        is_assertion = self.ask.form.get("grant_type") == JWT_BEARER_GRANT
        acts_by_itself = self.ask.form.get("grant_type") == "client_credentials"
        may_use = acts_by_itself or app.preauthorizes(user.username, user.profile)
        if closed or (app.permitted_users == "admin_approved" and not may_use):
            self.refuse(_NOT_FOR_ACCESS, "invalid_app_access", "user is not admin approved to access this app")
        if is_assertion and not (may_use and _OFFLINE & set(app.scopes)):
            self.refuse(_NOT_FOR_ACCESS, *_NOT_APPROVED)

    def check_user(self) -> None:
        """Refuse a user who may not come in."""
        org, ask, user, now = self.org, self.ask, self.user.settings, self.org.clock.now()
        elsewhere = wrong_host(org, ask.host, my_domain_only=org.settings.my_domain_only_ui)
        outside = bool(user.login_ranges) and not inside(ask.source, user.login_ranges)
        cases = (
            (rate_exceeded(org, self.user, now), "Login Rate Exceeded", "login rate exceeded"),
            (elsewhere, "Restricted Domain", _REFUSED_LOGIN[1]),
            (not user.active, "User is Inactive", "inactive user"),
            (self.user.locked(now), "Password Lockout", "user is locked"),
            (user.frozen, "User is frozen", "user is locked"),
            (outside and self.app.settings.ip_relaxation == "enforce", "Restricted IP", "ip restricted"),
            (outside_hours(self.user, now), "Restricted Time", _REFUSED_LOGIN[1]),
        )
        for applies, status, description in cases:
            if applies:
                self.refuse(status, "invalid_grant", description)

    def refuse(self, status: str, error: str, description: str) -> None:
        """Write the refusal to the login history, and make it."""
        write_row(self.org, _attempt(self.ask, self.app, self.user.username), self.user, status)
        raise FaultError(error, description)


def _attempt(ask: Ask, app: App | None, username: str) -> LoginAttempt:
    return LoginAttempt(
        username=username,
        secret=ask.form.get("password", ""),
        source=ask.source,
        host=ask.host,
        api_type="N/A",
        api_version="N/A",
        application=app.settings.name if app else "N/A",
        oauth=True,
        app=app.settings if app else None,
        scope=" ".join(app.settings.scopes) if app else "",
    )
