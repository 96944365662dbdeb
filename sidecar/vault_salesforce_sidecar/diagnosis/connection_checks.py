"""The rows of a connection's preflight: one function each, from what was seen. PURE."""

from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from vault_salesforce_sidecar.diagnosis.facts import (
    API_ENABLED,
    Broken,
    ConnectionFacts,
    Hidden,
    Unseen,
)
from vault_salesforce_sidecar.diagnosis.rows import (
    API_PAGE,
    TRUST_PAGE,
    Result,
    Row,
    address_row,
    age_row,
    expiry,
    moment,
    permission_row,
    set_password_row,
    source_of,
    time_of,
    told,
    unseen,
    way_row,
)
from vault_salesforce_sidecar.salesforce import ways_in
from vault_salesforce_sidecar.salesforce.interface import Session
from vault_salesforce_sidecar.salesforce.login_history import shown
from vault_salesforce_sidecar.salesforce.login_rows import MAY_LOOK

CERTIFICATE_ENDS_SOON: Final = timedelta(days=7)
CLOCK_WARNS, CLOCK_FAILS = 30.0, 150.0  # seconds; an assertion of OAuth is good for three minutes
_PUBLIC_HOSTS: Final = {"login.salesforce.com": False, "test.salesforce.com": True}

MY_DOMAIN_FIX: Final = (
    "set login_url to https://<MyDomain>.my.salesforce.com; the switch is Setup, Company Settings, My Domain, "
    "Policies: Prevent login from https://login.salesforce.com"
)
API_OFF: Final = frozenset({"API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED"})
ADDRESS_REFUSED: Final = frozenset(
    {
        "LOGIN_MUST_USE_SECURITY_TOKEN",
        "LOGIN_DURING_RESTRICTED_DOMAIN",
        "LOGIN_CHALLENGE_ISSUED",
        "LOGIN_CHALLENGE_PENDING",
        "invalid_grant/ip_restricted",
        "invalid_grant/ip_not_allowed",
        "invalid_grant/restricted_ip",
    }
)


def dns(facts: ConnectionFacts) -> Row:
    """The login host has an address."""
    reach = facts.reach
    if isinstance(reach, Unseen):
        return unseen("dns", reach)
    if reach.proxy:
        return Row("dns", Result.SKIPPED, f"the proxy {reach.proxy} looks names up")
    if not reach.addresses:
        fix = "compare login_url with Setup, My Domain; and see that the sidecar's machine can look names up"
        return Row("dns", Result.FAILED, reach.fault, fix)
    return Row("dns", Result.OK, ", ".join(reach.addresses[:4]))


def tls(facts: ConnectionFacts) -> Row:
    """Somebody whom we believe vouches for the host."""
    reach = facts.reach
    if isinstance(reach, Unseen):
        return unseen("tls", reach)
    if reach.is_untrusted:
        fix = "where a proxy opens TLS, give its authority in ca_cert of the connection; else do not send it a password"
        return Row("tls", Result.FAILED, f"the host's certificate is not vouched for: {reach.fault}", fix)
    if reach.fault:
        fix = "open the sidecar's way to the host and port (firewall, proxy); then see Salesforce's status page"
        return Row("tls", Result.FAILED, reach.fault, fix)
    if not reach.is_tls:
        return Row("tls", Result.SKIPPED, "the address is this very machine's, without TLS")
    if reach.not_after is not None and reach.not_after - facts.now < CERTIFICATE_ENDS_SOON:
        detail = f"the host's certificate ends {moment(reach.not_after)}"
        return Row("tls", Result.WARNING, detail, "Salesforce renews its own in time; one of a proxy of yours is yours")
    ends = f", certificate until {moment(reach.not_after)}" if reach.not_after else ""
    return Row("tls", Result.OK, f"{reach.tls_version}{ends}")


def clock_skew(facts: ConnectionFacts) -> Row:
    """Our clock and the org's agree."""
    reach = facts.reach
    if isinstance(reach, Unseen):
        return unseen("clock_skew", reach)
    if reach.skew_seconds is None:
        return Row("clock_skew", Result.SKIPPED, "the host told no time")
    apart = abs(reach.skew_seconds)
    side = "behind" if reach.skew_seconds > 0 else "ahead of"
    detail = f"this machine's clock is {apart:.0f} s {side} the org's" if apart >= 1 else "the clocks agree"
    result = Result.FAILED if apart > CLOCK_FAILS else Result.WARNING if apart > CLOCK_WARNS else Result.OK
    return Row("clock_skew", result, detail, "" if result is Result.OK else "set the machine's clock by a time server")


def api_version(facts: ConnectionFacts) -> Row:
    """The host serves the version that is asked for."""
    reach, version = facts.reach, facts.config.api_version
    if isinstance(reach, Unseen):
        return unseen("api_version", reach)
    if not reach.versions:
        return Row("api_version", Result.SKIPPED, "the host told no versions")
    if version not in reach.versions:
        newest = max(reach.versions, key=_number)
        detail = f"the host does not serve {version}; its newest is {newest}"
        return Row("api_version", Result.FAILED, detail, "set api_version of the connection to one that it serves")
    return Row("api_version", Result.OK, f"{version} is served")


def way_in(facts: ConnectionFacts) -> Row:
    """Salesforce keeps the identity's way in open."""
    way = ways_in.of_connection(facts.config)
    if way is None:
        return Row("way_in", Result.SKIPPED, "the connection has no identity of its own")
    return way_row(way, facts.now, "auth_method=jwt_bearer or client_credentials with an External Client App")


def identity(facts: ConnectionFacts) -> Row:
    """The connection's own identity has a session."""
    session = facts.session
    if session is None:
        return Row("identity", Result.SKIPPED, "the connection has none (auth_method=none)")
    if isinstance(session, Broken):
        return Row("identity", Result.FAILED, *told(session))
    if not isinstance(session, Session):
        return unseen("identity", session)
    return Row("identity", Result.OK, f"{session.username or session.user_id} has a session")


def api_enabled(facts: ConnectionFacts) -> Row:
    """The identity's user may use the API."""
    session = facts.session
    if isinstance(session, Broken):
        if session.fault.code in API_OFF:
            return Row("api_enabled", Result.FAILED, session.fault.cause, API_PAGE)
        return Row("api_enabled", Result.SKIPPED, "nothing is known before the identity logs in")
    if session is None:
        return Row("api_enabled", Result.SKIPPED, "the connection has no identity of its own")
    return permission_row("api_enabled", facts.own.permissions, API_ENABLED, API_PAGE)


def my_domain(facts: ConnectionFacts) -> Row:
    """Users log in at the org's own host."""
    host = urlsplit(facts.config.login_url).hostname or ""
    sandbox_host = _PUBLIC_HOSTS.get(host)
    if sandbox_host is None:
        return Row("my_domain", Result.OK, f"logins go to {host}")
    session, organization = facts.session, facts.organization
    if isinstance(session, Broken) and "domain" in session.fault.cause.lower():
        return Row("my_domain", Result.FAILED, session.fault.cause, MY_DOMAIN_FIX)
    is_sandbox = organization.get("IsSandbox") if not isinstance(organization, Unseen) else None
    if is_sandbox is not None and is_sandbox is not sandbox_host:
        kind = "a sandbox" if is_sandbox else "a production org"
        return Row("my_domain", Result.FAILED, f"{host} is not for {kind}", MY_DOMAIN_FIX)
    return Row(
        "my_domain", Result.WARNING, f"{host} stops serving an org whose My Domain is the only door", MY_DOMAIN_FIX
    )


def address_trusted(facts: ConnectionFacts) -> Row:
    """The org takes logins of the identity from our address."""
    session, config = facts.session, facts.config
    if isinstance(session, Broken):
        if session.fault.code in ADDRESS_REFUSED:
            return Row(
                "address_trusted", Result.FAILED, session.fault.cause, f"{TRUST_PAGE}, with the sidecar's address"
            )
        return Row("address_trusted", Result.SKIPPED, "nothing is known before the identity logs in")
    if session is None:
        return Row("address_trusted", Result.SKIPPED, "the connection has no identity of its own")
    if not isinstance(session, Session):
        return unseen("address_trusted", session)
    source = source_of(facts.own.logins)
    where = f" from {source}" if source else ""
    if config.auth_method != "password":
        return Row("address_trusted", Result.OK, f"the app's logins{where} are let in; OAuth needs no security token")
    if config.security_token:
        detail = f"logins{where} carry a security token, so nothing shows whether the address is trusted"
        return Row("address_trusted", Result.OK, detail)
    return Row("address_trusted", Result.OK, f"logins{where} need no security token")


def egress_address(facts: ConnectionFacts) -> Row:
    """The address that the org sees us at is the one it was."""
    if facts.session is None:
        return Row("egress_address", Result.SKIPPED, "the connection has no identity of its own")
    return address_row(facts.own.logins, facts.now - timedelta(days=1), "a day ago")


def organization(facts: ConnectionFacts) -> Row:
    """Which org it is."""
    found = facts.organization
    if isinstance(found, Unseen):
        return unseen("organization", found)
    kind = "sandbox" if found.get("IsSandbox") is True else "production"
    detail = f"{shown(str(found.get('Name')))} ({found.get('Id')}, {kind}, {found.get('InstanceName')})"
    ends = time_of(found.get("TrialExpirationDate"))
    if ends is not None:
        return Row("organization", Result.WARNING, f"{detail}; its trial ends {moment(ends)}", "buy it, or move before")
    return Row("organization", Result.OK, detail)


def set_passwords(facts: ConnectionFacts) -> Row:
    """The identity may set the passwords that the connection lets it set."""
    check, globs = "set_passwords", facts.config.admin_may_rotate
    if not globs:
        return Row(check, Result.SKIPPED, "admin_may_rotate is empty: users change their own")
    return set_password_row(check, facts.own.permissions, f"for {', '.join(globs)}")


def login_history(facts: ConnectionFacts) -> Row:
    """The identity sees why a login was refused, and who else fails."""
    held = facts.own.permissions
    if facts.session is None:
        return Row("login_history", Result.SKIPPED, "the connection has no identity of its own")
    if isinstance(held, Unseen):
        return unseen("login_history", held)
    if held & MAY_LOOK:
        return Row("login_history", Result.OK, "refused logins are explained, stale consumers are named")
    return unseen(
        "login_history",
        Hidden(
            "Monitor Login History (or Manage Users) for the identity; without it a refused login stays unexplained"
        ),
    )


def identity_password(facts: ConnectionFacts) -> Row:
    """The identity's own password does not end."""
    check = "identity_password"
    if facts.config.auth_method not in ("password", "oauth_password"):
        return Row(check, Result.SKIPPED, "the identity logs in without one")
    return age_row(check, facts.own.permissions, expiry(facts.own.details), facts.now)


def mailbox(facts: ConnectionFacts) -> Row:
    """The mailbox for token mails can be read."""
    fault = facts.mailbox_fault
    if isinstance(fault, Unseen):
        return unseen("mailbox", fault)
    if not facts.config.mailbox:
        return Row("mailbox", Result.SKIPPED, "the connection has none")
    if fault:
        return Row(
            "mailbox", Result.FAILED, fault, "see that the connection's mailbox is there and lets the sidecar in"
        )
    return Row("mailbox", Result.OK, "it can be read")


def kv(facts: ConnectionFacts) -> Row:
    """The KV mounts keep what is written."""
    found = facts.kv_faults
    if isinstance(found, Unseen):
        return unseen("kv", found)
    if found:
        return Row("kv", Result.FAILED, "; ".join(found), "run the command that it names")
    return Row("kv", Result.OK, "check-and-set is required, versions are kept")


CHECKS: Final = (
    dns,
    tls,
    clock_skew,
    api_version,
    identity,
    way_in,
    api_enabled,
    my_domain,
    address_trusted,
    egress_address,
    organization,
    set_passwords,
    login_history,
    identity_password,
    mailbox,
    kv,
)


def rows(facts: ConnectionFacts) -> list[Row]:
    """Every check."""
    return [check(facts) for check in CHECKS]


def _number(version: str) -> float:
    try:
        return float(version)
    except ValueError:
        return 0.0
