"""What an org and its users are set to, as frozen records read from JSON with all faults reported together."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from .addresses import check_ranges
from .password_policy import PasswordPolicy
from .reading import SettingsError, change, unknown

DEFAULT_USERNAME = "integration@orgsim.example"
DEFAULT_PASSWORD = "Orgsim-start-1"  # noqa: S105 -- published in --help, so that one can start without a file
DEFAULT_SECURITY_TOKEN = "OrgsimStartToken00000001"  # noqa: S105 -- as above


def _check_policies(policies: Mapping[str, Any]) -> None:
    for profile, policy in policies.items():
        change(PasswordPolicy(), policy, profile)


def _check_hours(hours: tuple[int, ...]) -> None:
    if hours and not (len(hours) == 2 and hours[0] < hours[1] <= 24):  # noqa: PLR2004 -- hours of a day
        raise ValueError("must be two hours of one day, the first before the second")


@dataclass(frozen=True)
class TokenReset:
    """Which kinds of password change end the security token."""

    set: bool = True
    reset: bool = True
    change_own: bool = True
    ui: bool = True


@dataclass(frozen=True)
class OrgSettings:
    """The org's own settings.

    Attributes:
        retire_mode: How far the retirement of SOAP login() has come: `pre-W26` (no gate), `W26-new-org` (off unless
            enabled), `S26-permission` (the user needs Use Any API Auth), `retired` (no more).
        soap_login_enabled: The org's switch for login(); null follows `retire_mode`.
        min_version: Oldest API version served.
        max_login_version: Newest API version that serves login().
        current_version: Newest API version served.
        my_domain_only_api: Refuse SOAP logins that name login.salesforce.com or test.salesforce.com as host.
        trusted_ranges: Addresses from which no security token is needed, as `a`, `a/n` or `a-b`.
        profile_policies: Password rules of one profile, by its name; what is not given is the org's.
        terminate_user_sessions_when_admin_resets_password: End all sessions of a user whose password an administrator
            sets.
        self_set_password_allowed: Let users set their own password without the old one.
        set_password_unlocks: A password set by an administrator unlocks the user.
        login_rate: Logins per user and hour; more are refused.
        daily_api_limit: API requests per day, logins not counted.
        maintenance: Answer every request with status 503 and a page of HTML.
        faultcode_style: `prefixed` (sf:CODE) or `bare` (CODE).
        locked_ip_after_failures: Refuse a source address after so many failed logins; 0 is never.
        token_reset: Which kinds of change end the security token.
        missing_token_counts_to_lockout: A right password without its token counts as a failure.
        wrong_old_password_counts_to_lockout: changeOwnPassword with a wrong old password counts as a failure.
        login_history_delay: Seconds until a row of LoginHistory can be read.
        expired_session_may_change_own: A session opened with an expired password may call changeOwnPassword.
        session_id_reuse: A second login gives the same session id while the first session lives.
        session_timeout: Life of an unused session, in seconds.
        mail_wording: Sender and subject of the token mail: `new` or `old`.
    """

    name: str = "Orgsim"
    is_sandbox: bool = False
    instance_name: str = "USA1S"
    retire_mode: str = field(
        default="S26-permission", metadata={"choices": ("pre-W26", "W26-new-org", "S26-permission", "retired")}
    )
    soap_login_enabled: bool | None = None
    min_version: int = 31
    max_login_version: int = 64
    current_version: int = 68
    my_domain_only_api: bool = False
    trusted_ranges: tuple[str, ...] = field(default=(), metadata={"check": check_ranges})
    password_policy: PasswordPolicy = field(default_factory=PasswordPolicy)
    profile_policies: Mapping[str, Any] = field(default_factory=dict, metadata={"check": _check_policies})
    terminate_user_sessions_when_admin_resets_password: bool = False
    self_set_password_allowed: bool = False
    set_password_unlocks: bool = False
    login_rate: int = 3600
    daily_api_limit: int = 100_000
    maintenance: bool = False
    faultcode_style: str = field(default="prefixed", metadata={"choices": ("prefixed", "bare")})
    locked_ip_after_failures: int = 0
    token_reset: TokenReset = field(default_factory=TokenReset)
    missing_token_counts_to_lockout: bool = True
    wrong_old_password_counts_to_lockout: bool = True
    login_history_delay: float = 0.0
    expired_session_may_change_own: bool = True
    session_id_reuse: bool = False
    session_timeout: int = 7200
    mail_wording: str = field(default="new", metadata={"choices": ("new", "old")})

    @property
    def soap_login(self) -> bool:
        """Whether the org's switch for login() is on."""
        return self.retire_mode != "W26-new-org" if self.soap_login_enabled is None else self.soap_login_enabled

    def policy_for(self, profile: str) -> PasswordPolicy:
        """Return the password rules that hold for the users of a profile."""
        return change(self.password_policy, self.profile_policies.get(profile, {}), "password_policy")


@dataclass(frozen=True)
class UserSettings:
    """One user, as an administrator sets it up.

    Attributes:
        security_token: The token the user has at the start; null is none that anybody knows.
        profile: Name of the profile; the users of one profile share the password rules set for it.
        login_ranges: Addresses from which alone the user may log in; empty is from everywhere.
        login_hours: First and last hour (UTC, the last one excluded) between which the user may log in;
            empty is always.
        mfa_api: The permission "MFA for API Logins": a token is no way in any more.
        sso_enabled: Single sign-on only: the password is no way in.
        ever_reset_token_manually: The user once asked for a new token; only then does a change of password mail one.
        password_age_days: Age of the password at the start.
    """

    username: str
    password: str = field(default="", repr=False)
    security_token: str | None = field(default=None, repr=False)
    email: str = ""
    first_name: str = "Integration"
    last_name: str = "User"
    profile: str = "Integration User"
    user_type: str = "Standard"
    active: bool = True
    frozen: bool = False
    api_enabled: bool = True
    api_only: bool = False
    use_any_api_auth: bool = True
    never_expires: bool = False
    mfa_api: bool = False
    sso_enabled: bool = False
    ever_reset_token_manually: bool = False
    manage_users: bool = False
    reset_passwords: bool = False
    login_ranges: tuple[str, ...] = field(default=(), metadata={"check": check_ranges})
    login_hours: tuple[int, ...] = field(default=(), metadata={"check": _check_hours})
    temporary_password: bool = False
    password_age_days: float = 0.0


@dataclass(frozen=True)
class Config:
    """Everything an org starts with: its settings, its users, and the knobs of misbehaviour as JSON."""

    org: OrgSettings = field(default_factory=OrgSettings)
    users: tuple[UserSettings, ...] = ()
    misbehave: Mapping[str, Any] = field(default_factory=dict)


DEFAULT_CONFIG = Config(
    users=(
        UserSettings(
            username=DEFAULT_USERNAME,
            password=DEFAULT_PASSWORD,
            security_token=DEFAULT_SECURITY_TOKEN,
            email=DEFAULT_USERNAME,
            ever_reset_token_manually=True,
        ),
    )
)


def read_config(document: Any) -> Config:
    """Read a configuration.

    Args:
        document: `{"org": {...}, "users": [{...}], "misbehave": {...}}`, each part optional; names as in this
            module, or the same in camelCase.

    Raises:
        SettingsError: With every fault found.
    """
    parts = [spec.name for spec in fields(Config)]
    if not isinstance(document, Mapping):
        raise SettingsError(["The configuration must be an object."])
    faults = [unknown(name, parts) for name in document if name not in parts]
    org, users = OrgSettings(), list(DEFAULT_CONFIG.users)
    try:
        org = change(org, document.get("org", {}), "org")
    except SettingsError as error:
        faults += error.faults
    if "users" in document:
        users = []
        if not isinstance(document["users"], list | tuple):
            raise SettingsError([*faults, "users must be a list."])
        for place, entry in enumerate(document["users"]):
            try:
                users.append(read_user(entry, f"users[{place}]"))
            except SettingsError as error:
                faults += error.faults
    names = Counter(user.username.lower() for user in users)
    faults += [f"users: {name} is there twice." for name, times in names.items() if times > 1]
    if faults:
        raise SettingsError(faults)
    return Config(org, tuple(users), document.get("misbehave", {}))


def read_user(document: Any, where: str = "user") -> UserSettings:
    """Read one user; user name and password are required, the e-mail address is the user name unless given.

    Raises:
        SettingsError: With every fault found.
    """
    user = change(UserSettings(username=""), document, where)
    missing = [name for name in ("username", "password") if not getattr(user, name)]
    if missing:
        raise SettingsError([f"{where}.{name} is missing." for name in missing])
    return user if user.email else replace(user, email=user.username)
