"""What an org is set to: every switch of its Setup pages that programs notice, as one frozen record."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .addresses import check_ranges
from .password_policy import PasswordPolicy
from .reading import change

RETIRE_MODES = ("pre-W26", "W26-new-org", "S26-permission", "retired")


def _check_policies(policies: Mapping[str, Any]) -> None:
    for profile, policy in policies.items():
        change(PasswordPolicy(), policy, profile)


def _check_columns(columns: tuple[str, ...]) -> None:
    if wrong := [name for name in columns if name.count(".") < 1]:
        raise ValueError(f"must name object and column, such as User.NumberOfFailedLogins, and not {wrong[0]!r}")


def _check_url(url: str) -> None:
    if url and not url.startswith(("http://", "https://")):
        raise ValueError("must be an address with its scheme, or empty")


@dataclass(frozen=True)
class TokenReset:
    """Which kinds of password change end the security token.

    Attributes:
        set: A password set by an administrator.
        reset: A reset, from when the user chooses the lasting password.
        change_own: changeOwnPassword.
        ui: A change in the browser.
    """

    set: bool = True
    reset: bool = True
    change_own: bool = True
    ui: bool = True


@dataclass(frozen=True)
class OrgSettings:
    """The org's own settings.

    Attributes:
        name: Name of the organization.
        organization_number: Which org this is; another number is another organization id, as after the refresh of a
            sandbox.
        is_sandbox: The org is a sandbox: its login host is test.salesforce.com, and so is the audience of its grants.
        instance_name: Name of the instance.
        instance_url: Scheme and host that logins and grants name for all further calls; empty is the one that the
            client used.
        retire_mode: How far the retirement of SOAP login() has come: `pre-W26` (no gate), `W26-new-org` (off unless
            enabled), `S26-permission` (the user needs Use Any API Auth), `retired` (no more).
        soap_login_enabled: The org's switch for login(); null follows `retire_mode`.
        min_version: Oldest API version served.
        max_login_version: Newest API version that serves login().
        current_version: Newest API version served.
        my_domain_only_api: Refuse SOAP logins that name login.salesforce.com or test.salesforce.com as host.
        my_domain_only_ui: Refuse OAuth grants, as logins in the browser, at those two hosts.
        trusted_ranges: Addresses from which no security token is needed, as `a`, `a/n` or `a-b`.
        password_policy: Password and lockout rules of the org; a JSON object.
        profile_policies: Password rules of one profile, by its name; what is not given is the org's.
        terminate_user_sessions_when_admin_resets_password: End all sessions of a user whose password an administrator
            sets.
        self_set_password_allowed: Let users set their own password without the old one.
        set_password_unlocks: A password set by an administrator unlocks the user.
        login_rate: Logins and grants per user and hour; more are refused.
        daily_api_limit: API requests per day, logins not counted.
        concurrent_limit: Requests that last longer than `concurrent_limit_after` at one time; more are refused.
        concurrent_limit_after: Seconds after which a request counts towards `concurrent_limit`.
        maintenance: Answer every request with status 503 and a page of HTML.
        org_locked: Answer every request with ORG_LOCKED, and grants with inactive_org.
        trial_expired: The same with TRIAL_EXPIRED.
        moved: The org has left this instance: ORG_NOT_OWNED_BY_INSTANCE.
        mutual_authentication: Refuse connections without a client certificate (MUTUAL_AUTHENTICATION_FAILED).
        transaction_security: What a transaction security policy answers to calls in a session, logins being let in:
            `off`, `no_access`, `two_fa_required` or `end_a_session`.
        device_activation: A login from an address that is neither trusted nor confirmed is challenged.
        api_access_control: API Access Control is on: only allowed apps, and users with Use Any API Client, come in.
        lock_sessions_to_ip: A session is good only from the address that opened it.
        enforce_ip_ranges_every_request: The profile's login ranges hold for every request of a session.
        faultcode_style: `prefixed` (sf:CODE) or `bare` (CODE).
        locked_ip_after_failures: Refuse a source address after so many failed logins; 0 is never.
        token_reset: Which kinds of change end the security token.
        missing_token_counts_to_lockout: A right password without its token counts as a failure.
        wrong_old_password_counts_to_lockout: changeOwnPassword with a wrong old password counts as a failure.
        one_day_rule_code: Code of a change that comes within a day of the last, where the policy forbids it.
        repeated_password_code: Code of a password that is among the earlier ones.
        login_history_delay: Seconds until a row of LoginHistory can be read.
        expired_session_may_change_own: A session opened with an expired password may call changeOwnPassword.
        session_id_reuse: A second login gives the same session id while the first session lives.
        session_timeout: Life of an unused session, in seconds.
        username_password_flow_blocked: Refuse the OAuth password grant, in the words of a wrong password.
        oauth_https_only: Refuse grants over plain HTTP.
        jwt_lifetime: How far ahead the expiry of a JWT assertion may lie, in seconds.
        access_token_reuse: A repeated grant gives the same access token while it lives.
        invalid_client_status: HTTP status of a wrong client secret.
        client_secret_api: Apps' keys and secrets can be read and rotated by REST (staged credentials).
        users_see_all_users: Users see each other; off, they see themselves alone unless they manage users.
        profile_filtering: Users without View All Profiles see the name of their own profile alone.
        absent_columns: Columns that this org does not have, such as `User.NumberOfFailedLogins`.
        mail_wording: Sender and subject of the token mail: `new` or `old`.
        mail_format: Parts of a mail: `both`, `plain` or `html`.
        mail_brand: Product name that a branded org puts in place of Salesforce; empty is none.
    """

    name: str = "Orgsim"
    organization_number: int = 1
    is_sandbox: bool = False
    instance_name: str = "USA1S"
    instance_url: str = field(default="", metadata={"check": _check_url})
    retire_mode: str = field(default="S26-permission", metadata={"choices": RETIRE_MODES})
    soap_login_enabled: bool | None = None
    min_version: int = 31
    max_login_version: int = 64
    current_version: int = 68
    my_domain_only_api: bool = False
    my_domain_only_ui: bool = False
    trusted_ranges: tuple[str, ...] = field(default=(), metadata={"check": check_ranges})
    password_policy: PasswordPolicy = field(default_factory=PasswordPolicy)
    profile_policies: Mapping[str, Any] = field(default_factory=dict, metadata={"check": _check_policies})
    terminate_user_sessions_when_admin_resets_password: bool = False
    self_set_password_allowed: bool = False
    set_password_unlocks: bool = False
    login_rate: int = 3600
    daily_api_limit: int = 100_000
    concurrent_limit: int = 25
    concurrent_limit_after: float = 20.0
    maintenance: bool = False
    org_locked: bool = False
    trial_expired: bool = False
    moved: bool = False
    mutual_authentication: bool = False
    transaction_security: str = field(
        default="off", metadata={"choices": ("off", "no_access", "two_fa_required", "end_a_session")}
    )
    device_activation: bool = False
    api_access_control: bool = False
    lock_sessions_to_ip: bool = False
    enforce_ip_ranges_every_request: bool = False
    faultcode_style: str = field(default="prefixed", metadata={"choices": ("prefixed", "bare")})
    locked_ip_after_failures: int = 0
    token_reset: TokenReset = field(default_factory=TokenReset)
    missing_token_counts_to_lockout: bool = True
    wrong_old_password_counts_to_lockout: bool = True
    one_day_rule_code: str = field(
        default="INVALID_NEW_PASSWORD", metadata={"choices": ("INVALID_NEW_PASSWORD", "INSUFFICIENT_ACCESS")}
    )
    repeated_password_code: str = field(
        default="INVALID_NEW_PASSWORD", metadata={"choices": ("INVALID_NEW_PASSWORD", "UNKNOWN_EXCEPTION")}
    )
    login_history_delay: float = 0.0
    expired_session_may_change_own: bool = True
    session_id_reuse: bool = False
    session_timeout: int = 7200
    username_password_flow_blocked: bool = True
    oauth_https_only: bool = False
    jwt_lifetime: int = 300
    access_token_reuse: bool = False
    invalid_client_status: int = field(default=400, metadata={"choices": (400, 401)})
    client_secret_api: bool = False
    users_see_all_users: bool = True
    profile_filtering: bool = True
    absent_columns: tuple[str, ...] = field(default=(), metadata={"check": _check_columns})
    mail_wording: str = field(default="new", metadata={"choices": ("new", "old")})
    mail_format: str = field(default="both", metadata={"choices": ("both", "plain", "html")})
    mail_brand: str = ""

    @property
    def soap_login(self) -> bool:
        """Whether the org's switch for login() is on."""
        return self.retire_mode != "W26-new-org" if self.soap_login_enabled is None else self.soap_login_enabled

    def policy_for(self, profile: str) -> PasswordPolicy:
        """Return the password rules that hold for the users of a profile."""
        return change(self.password_policy, self.profile_policies.get(profile, {}), "password_policy")
