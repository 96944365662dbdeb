"""The rows of a role's preflight: one function each, from what was seen; those of its connection follow. PURE."""

from datetime import datetime, timedelta
from typing import Final

from vault_salesforce_sidecar.diagnosis import connection_checks
from vault_salesforce_sidecar.diagnosis.facts import (
    API_ENABLED,
    API_ONLY,
    IDENTITY_OR_APP,
    MFA_API,
    SSO_ONLY,
    USE_ANY_API_AUTH,
    Broken,
    Hidden,
    RoleFacts,
    Unseen,
)
from vault_salesforce_sidecar.diagnosis.rows import (
    API_PAGE,
    TRUST_PAGE,
    USERS_SET,
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
from vault_salesforce_sidecar.rotation.budget import limit_of, logins_left
from vault_salesforce_sidecar.salesforce import ways_in
from vault_salesforce_sidecar.salesforce.interface import User
from vault_salesforce_sidecar.salesforce.login_history import (
    RESTRICTED_DOMAIN,
    SUCCESS,
    fault_of,
    shown,
    stale_consumers,
)
from vault_salesforce_sidecar.salesforce.policies import has_one_day_rule, lockout_limit
from vault_salesforce_sidecar.salesforce.rights import PRIVILEGES

ONE_DAY: Final = timedelta(days=1)
# Who has a password and logs in by API. Source: the User object's UserType.
_WITH_LOGIN: Final = frozenset({"Standard", "CloudIntegrationUser"})
_CHANGE_NOTHING: Final = frozenset({"create", "resync", "token"})  # rotations that only prove what is there
_NO_LOGIN: Final = frozenset({"AutomatedProcess", "Guest"})
_INSTEAD: Final = "JWT bearer or client credentials with an External Client App, for its consumers too"
_POLICY_PAGE: Final = "Setup, Security, Password Policies: Require a minimum 1 day password lifetime"
_RESET_TOKEN: Final = "as that user: Settings, My Personal Information, Reset My Security Token"  # noqa: S105 - a page


def user(facts: RoleFacts) -> Row:
    """The user is there, and active."""
    found = facts.user
    if found is None:
        detail = f"the org has no user {facts.role.username}, or does not show them"
        return Row("user", Result.FAILED, detail, "compare the role's username with Setup, Users")
    if not isinstance(found, User):
        return unseen("user", found)
    if not found.is_active:
        return Row("user", Result.FAILED, "deactivated", f"{page_of(facts)}, Edit: Active")
    if found.is_frozen:
        return Row("user", Result.FAILED, "frozen", f"{page_of(facts)}: Unfreeze")
    return Row("user", Result.OK, f"{found.user_id}, active")


def user_type(facts: RoleFacts) -> Row:
    """A user of this kind has a password and a login."""
    details = facts.seen.details
    if isinstance(details, Unseen):
        return unseen("user_type", details)
    kind = shown(str(details.get("UserType")))
    if kind in _WITH_LOGIN:
        return Row("user_type", Result.OK, kind)
    if kind in _NO_LOGIN:
        return Row("user_type", Result.FAILED, f"{kind}: nobody logs in as this user", "choose another user")
    return Row("user_type", Result.WARNING, f"{kind}: a user of a portal or site", "use a user of the org itself")


def way_in(facts: RoleFacts) -> Row:
    """The password has a way in, and Salesforce keeps it open."""
    way = ways_in.of_role(facts.role, facts.connection.config)
    entry = facts.entry
    if entry is not None and entry.fault_code in ("INVALID_OPERATION", "UNSUPPORTED_API_VERSION", "GONE"):
        return Row("way_in", Result.FAILED, entry.fault_cause, entry.fault_remedy)
    row = way_row(way, facts.now, _INSTEAD)
    known, held = facts.seen.columns, facts.seen.permissions
    if way != ways_in.SOAP_LOGIN or isinstance(known, Unseen) or isinstance(held, Unseen):
        return row
    if USE_ANY_API_AUTH in known and USE_ANY_API_AUTH not in held:
        detail = f"{row.detail}; and the user lacks Use Any API Auth, which it needs since Winter '27"
        return Row("way_in", Result.FAILED, detail, f"{USERS_SET}: Use Any API Auth; or use {_INSTEAD}")
    return row


def api_enabled(facts: RoleFacts) -> Row:
    """The user may use the API."""
    entry = facts.entry
    if entry is not None and entry.fault_code in connection_checks.API_OFF:
        return Row("api_enabled", Result.FAILED, entry.fault_cause, API_PAGE)
    return permission_row("api_enabled", facts.seen.permissions, API_ENABLED, API_PAGE)


def my_domain(facts: RoleFacts) -> Row:
    """The user logs in at the org's own host."""
    entry = facts.entry
    if entry is not None and entry.fault_remedy == fault_of(RESTRICTED_DOMAIN).remedy:
        return Row("my_domain", Result.FAILED, entry.fault_cause, connection_checks.MY_DOMAIN_FIX)
    return connection_checks.my_domain(facts.connection)


def address_trusted(facts: RoleFacts) -> Row:
    """Logins of the user from our address are taken, with what they carry."""
    entry, role, config = facts.entry, facts.role, facts.connection.config
    if entry is not None and entry.fault_code in connection_checks.ADDRESS_REFUSED:
        source = _refused_from(facts)
        fix = f"{TRUST_PAGE}: {source or 'the address of the sidecar'}"
        return Row("address_trusted", Result.FAILED, entry.fault_cause, fix)
    if config.sidecar_address == "trusted":
        detail = "the connection says so; a login from here proves nothing of a token"
        return Row("address_trusted", Result.OK, detail)
    if role.security_token_from != "none":  # noqa: S105 - where tokens come from
        return Row("address_trusted", Result.OK, "no; each login carries the security token")
    if entry is not None and entry.evidence == "login":
        return Row("address_trusted", Result.OK, "the last login from here needed no security token")
    return Row("address_trusted", Result.SKIPPED, "no login of this user has been made from here yet")


def egress_address(facts: RoleFacts) -> Row:
    """The org still sees us at the address that the last rotation came from."""
    last = facts.entry.last_rotation if facts.entry else None
    if last is None:
        return Row("egress_address", Result.SKIPPED, "there was no rotation yet")
    logins = facts.seen.logins if facts.is_itself else facts.connection.own.logins
    if facts.connection.session is None and not facts.is_itself:
        return unseen("egress_address", Hidden(IDENTITY_OR_APP))
    if facts.is_itself and not isinstance(logins, Unseen):
        logins = tuple(row for row in logins if row.login_type.startswith("Remote Access"))  # ours: the app's
    return address_row(logins, last, f"at the last rotation ({moment(last)})")


def may_change(facts: RoleFacts) -> Row:
    """Who is to change the password may."""
    check, role = "may_change", facts.role
    if role.self_managed:
        held = facts.seen.permissions
        if not isinstance(held, Unseen) and SSO_ONLY in held:
            detail = "a user of single sign-on alone cannot change their own password"
            return Row(check, Result.FAILED, detail, "make the role self_managed=false, or take the permission away")
        return Row(check, Result.OK, "users may change their own password")
    if isinstance(facts.connection.session, Broken):
        return Row(check, Result.FAILED, *told(facts.connection.session))
    may = "the connection's identity may set passwords of others"
    return set_password_row(check, facts.connection.own.permissions, may)


def privileged(facts: RoleFacts) -> Row:
    """An administrator of the org is rotated only by name."""
    check, held = "privileged", facts.seen.permissions
    if isinstance(held, Unseen):
        return unseen(check, held)
    powers = sorted(held & PRIVILEGES)
    if not powers:
        return Row(check, Result.OK, "no")
    names = ", ".join(name.removeprefix("Permissions") for name in powers)
    if facts.role.self_managed:
        return Row(check, Result.OK, f"yes ({names}); the user changes their own password")
    username = facts.role.username
    if any(glob.lower() == username.lower() for glob in facts.connection.config.admin_may_rotate):
        return Row(check, Result.OK, f"yes ({names}), and admin_may_rotate names the user")
    fix = f"add {username} itself to admin_may_rotate of the connection: a glob does not cover a privileged user"
    return Row(check, Result.FAILED, f"yes ({names}), and admin_may_rotate does not name the user", fix)


def unchanged(facts: RoleFacts) -> Row:
    """The password is the one that was proven last, by the org's record: nobody else, and no other Vault, set one."""
    changed = time_of(facts.user.last_password_change) if isinstance(facts.user, User) else None
    if changed is None:
        return unseen("unchanged", Hidden(IDENTITY_OR_APP))
    proven = time_of(facts.entry.proven_record) if facts.entry is not None else None
    if proven is None:
        return Row("unchanged", Result.NOT_VISIBLE, "the record was not looked at when the password was proven")
    if changed == proven:
        return Row("unchanged", Result.OK, f"the org's record is still that of the proven password, {moment(changed)}")
    return Row(
        "unchanged",
        Result.FAILED,
        f"changed in Salesforce at {moment(changed)}; the proven one is of {moment(proven)}",
        f"vault write {facts.connection.mount}/resync/{facts.name} password=-",
    )


def one_day_rule(facts: RoleFacts) -> Row:
    """A rotation is possible now, also where the org allows one change a day."""
    changed = _last_change(facts)
    if changed is None:
        return unseen("one_day_rule", Hidden(IDENTITY_OR_APP))
    again = changed + ONE_DAY
    if again <= facts.now:
        return Row("one_day_rule", Result.OK, f"last changed {moment(changed)}")
    rule = None if isinstance(facts.seen.policy, Unseen) else has_one_day_rule(facts.seen.policy)
    if rule is False:
        return Row("one_day_rule", Result.OK, f"changed {moment(changed)}; the org's policy has no such rule")
    where = "the org has the rule" if rule else "where the org has the rule"
    detail = (
        f"changed {moment(changed)}: {where} ({_POLICY_PAGE}), an emergency rotation is not possible before "
        f"{moment(again)}"
    )
    return Row(
        "one_day_rule", Result.WARNING, detail, f"in an emergency freeze the user instead: {page_of(facts)}: Freeze"
    )


def password_age(facts: RoleFacts) -> Row:
    """The password does not expire under its consumers."""
    ends = expiry(facts.seen.details) or getattr(facts.entry, "password_expires", None)
    return age_row("password_age", facts.seen.permissions, ends, facts.now)


def complexity(facts: RoleFacts) -> Row:
    """New passwords satisfy the strictest org."""
    fault, policy = facts.sample_fault, facts.role.password_policy
    if isinstance(fault, Unseen):
        return unseen("complexity", fault)
    maker = f"the policy {policy}" if policy else "the built-in generator"
    if fault:
        return Row("complexity", Result.WARNING, f"a password of {maker} {fault}", "change the policy, or leave it out")
    return Row("complexity", Result.OK, f"a password of {maker} satisfies the strictest class")


def lock_state(facts: RoleFacts) -> Row:
    """The user is not locked."""
    found = facts.user
    if isinstance(found, Broken) and "locked" in found.fault.code:
        return Row("lock_state", Result.FAILED, *told(found))
    if not isinstance(found, User):
        return unseen("lock_state", found or Hidden(IDENTITY_OR_APP))
    failed = "" if found.failed_logins is None else f", {found.failed_logins} failed logins in a row"
    if found.is_locked:
        fix = f"unlock/{facts.name}, or {page_of(facts)}: Unlock; and end the consumer that has an old password"
        return Row("lock_state", Result.FAILED, f"locked{failed}", fix)
    if facts.is_itself:
        return Row("lock_state", Result.OK, f"a session was opened as the user, so it is not locked{failed}")
    if found.is_locked is None:
        return unseen("lock_state", Hidden(f"Manage Users for the identity{failed}"))
    return Row("lock_state", Result.WARNING if found.failed_logins else Result.OK, f"not locked{failed}")


def mfa_api_logins(facts: RoleFacts) -> Row:
    """A password is a way in at all: no code of a device is asked for."""
    return _unwanted(
        "mfa_api_logins",
        facts,
        MFA_API,
        "API logins need a code of a device",
        "Multi-Factor Authentication for API Logins",
    )


def single_sign_on(facts: RoleFacts) -> Row:
    """The user does not log in by single sign-on alone."""
    return _unwanted(
        "single_sign_on", facts, SSO_ONLY, "the user logs in by single sign-on alone", "Is Single Sign-On Enabled"
    )


def token_mail(facts: RoleFacts) -> Row:
    """A new security token will come."""
    check, source, entry = "token_mail", facts.role.security_token_from, facts.entry
    if source == "none" or facts.connection.config.sidecar_address == "trusted":
        return Row(check, Result.SKIPPED, "no login of ours needs a token")
    if source == "manual":
        fix = f"after each rotation: vault write {facts.connection.mount}/security-token/{facts.name} security_token=-"
        return Row(check, Result.WARNING, "each rotation waits until somebody hands the new token in", fix)
    if entry is not None and entry.token_seen:
        return Row(check, Result.OK, "a mail with a token of this user was seen, and proven by a login")
    held = facts.seen.permissions
    if not isinstance(held, Unseen) and API_ONLY in held:
        detail = "none was seen yet, and an API Only User cannot reset a token before that permission is gone"
        return Row(check, Result.FAILED, detail, f"{USERS_SET}: API Only User, off; then {_RESET_TOKEN}; then on again")
    detail = "none was seen yet: Salesforce mails a token only to users who once reset theirs by hand"
    return Row(check, Result.FAILED, detail, _RESET_TOKEN)


def login_budget(facts: RoleFacts) -> Row:
    """A login may fail without locking the user."""
    seen = facts.user.failed_logins if isinstance(facts.user, User) else None
    ours = facts.entry.charges if facts.entry else 0
    policy = {} if isinstance(facts.seen.policy, Unseen) else facts.seen.policy
    left = logins_left(ours if seen is None else seen, limit_of(lockout_limit(policy)))
    detail = f"{left} logins may fail before no more is made" + ("" if seen is None else ", by the org's own count")
    if left:
        return Row("login_budget", Result.OK, detail)
    fix = f"see that the user is not locked ({page_of(facts)}), then: vault write -f {facts.connection.mount}/unlock/"
    return Row("login_budget", Result.FAILED, detail, fix + facts.name)


def consumers(facts: RoleFacts) -> Row:
    """Nobody goes on logging in with an old password."""
    check, logins = "stale_consumers", facts.seen.logins
    last = facts.entry.last_rotation if facts.entry else None
    if isinstance(logins, Unseen):
        return unseen(check, logins)
    if last is None or facts.entry is None or facts.entry.rotation_id != facts.entry.published_id:
        return Row(check, Result.SKIPPED, "no rotation has just ended")
    found = stale_consumers(logins, last, facts.now - ONE_DAY)
    if not found:
        return Row(check, Result.OK, "no login failed since the last rotation, within a day")
    detail = "; ".join(
        f"{one.source_address} ({one.application}): {one.failed_logins} failed, last {moment(one.last)}, {one.status}"
        for one in found
    )
    return Row(check, Result.WARNING, detail, "have it read the new version; see docs/consumers.md")


CHECKS: Final = (
    user,
    user_type,
    way_in,
    api_enabled,
    my_domain,
    address_trusted,
    egress_address,
    may_change,
    privileged,
    unchanged,
    one_day_rule,
    password_age,
    complexity,
    lock_state,
    mfa_api_logins,
    single_sign_on,
    token_mail,
    login_budget,
    consumers,
)
# What the role's own rows say more exactly, or what it has nothing to do with.
_LEFT_OUT: Final = frozenset(
    {"way_in", "api_enabled", "my_domain", "address_trusted", "egress_address", "set_passwords"}
)


def rows(facts: RoleFacts) -> list[Row]:
    """Every check of the role, and those of its connection that it depends on."""
    beneath = [row for row in connection_checks.rows(facts.connection) if row.check not in _LEFT_OUT]
    return [*(check(facts) for check in CHECKS), *beneath]


def page_of(facts: RoleFacts) -> str:
    """The user's page in Setup."""
    return f"Setup, Users, Users, {facts.role.username}"


def _unwanted(check: str, facts: RoleFacts, permission: str, detail: str, name: str) -> Row:
    held = facts.seen.permissions
    if isinstance(held, Unseen):
        return unseen(check, held)
    if permission not in held:
        return Row(check, Result.OK, "no")
    if facts.role.verify == "record":
        return Row(check, Result.OK, f"{detail}; the org's record is the proof (verify=record)")
    return Row(
        check, Result.FAILED, detail, f"{USERS_SET}: {name}, off; or verify=record, and no consumer that logs in"
    )


def _last_change(facts: RoleFacts) -> datetime | None:
    details = facts.seen.details
    seen = None if isinstance(details, Unseen) else time_of(details.get("LastPasswordChangeDate"))
    if seen is None and isinstance(facts.user, User):
        seen = time_of(facts.user.last_password_change)
    entry = facts.entry
    changed_by_us = entry is not None and entry.evidence != "" and entry.cause not in _CHANGE_NOTHING
    return seen or (entry.last_rotation if entry is not None and changed_by_us else None)


def _refused_from(facts: RoleFacts) -> str:
    """The address of the newest login of this user that was refused; else that of the identity's last one."""
    logins = facts.seen.logins
    if not isinstance(logins, Unseen):
        refused = [row for row in logins if row.status != SUCCESS]
        if refused:
            return shown(max(refused, key=lambda row: row.time).source_ip)
    return source_of(facts.connection.own.logins)
