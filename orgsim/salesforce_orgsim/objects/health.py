"""SecurityHealthCheck and SecurityHealthCheckRisks: the password policy as the Tooling API shows it."""

from collections.abc import Iterable
from dataclasses import dataclass

from salesforce_orgsim.org import Org
from salesforce_orgsim.tables import TOOLING, Column, Look, Table

_COMPLEXITIES = (
    "No restriction",
    "Must include alpha and numeric characters",
    "Must include alpha, numeric, and special characters",
    "Must include numbers and uppercase and lowercase letters",
    "Must include numbers, uppercase and lowercase letters, and special characters",
    "Must include 3 of the following: numbers, uppercase letters, lowercase letters, special characters",
)
_MEETS, _HIGH = "MEETS_STANDARD", "HIGH_RISK"
_FOR_EVER = "Forever (must be reset by admin)"


@dataclass(frozen=True)
class _Risk:
    """One setting of the health check, beside the value of Salesforce's own baseline."""

    group: str
    setting: str
    value: str
    shown: str
    standard: str

    @property
    def id(self) -> str:
        return f"{self.group}.{self.setting.replace(' ', '')}"


def _on(*, enabled: bool) -> str:
    return "Enabled" if enabled else "Disabled"


def _risks(org: Org) -> Iterable[_Risk]:
    settings, policy = org.settings, org.settings.password_policy
    days, history, complexity = policy.password_expiration, policy.password_history, policy.password_complexity
    attempts, minutes, length = policy.max_login_attempts, policy.lockout_interval, policy.minimum_password_length
    one_day = policy.minimum_password_lifetime
    passwords = (
        ("User passwords expire in", days, f"{days} days" if days else "Never expires", "90 days"),
        ("Enforce password history", history, f"{history} passwords remembered", "3 passwords remembered"),
        ("Minimum password length", length, str(length), "8"),
        ("Password complexity requirement", complexity, _COMPLEXITIES[complexity], _COMPLEXITIES[1]),
        ("Maximum invalid login attempts", attempts, str(attempts) if attempts else "No Limit", "3"),
        ("Lockout effective period", minutes, f"{minutes} minutes" if minutes else _FOR_EVER, "15 minutes"),
        ("Require a minimum 1 day password lifetime", one_day, _on(enabled=one_day), "Disabled"),
    )
    locked, every = settings.lock_sessions_to_ip, settings.enforce_ip_ranges_every_request
    ends = settings.terminate_user_sessions_when_admin_resets_password
    sessions = (
        ("Timeout value", settings.session_timeout, f"{settings.session_timeout // 60} minutes", "120 minutes"),
        ("Lock sessions to the IP address from which they originated", locked, _on(enabled=locked), "Disabled"),
        ("Enforce login IP ranges on every request", every, _on(enabled=every), "Disabled"),
        (
            "Terminate all of a user's sessions when an admin resets that user's password",
            ends,
            _on(enabled=ends),
            "Enabled",
        ),
    )
    for group, rows in (("PasswordPolicies", passwords), ("SessionSettings", sessions)):
        for setting, value, shown, standard in rows:
            yield _Risk(group, setting, str(value).lower(), shown, standard)


def _may_look(look: Look) -> bool:
    viewer = look.viewer.settings
    return viewer.view_setup or viewer.manage_users or viewer.customize_application


SECURITY_HEALTH_CHECK = Table(
    "SecurityHealthCheck",
    {
        "Id": Column("id", lambda _look, _row: "000000000000000AAA"),
        "DurableId": Column("string", lambda _look, _row: "SecurityHealthCheck"),
        "Score": Column("string", lambda look, _: str(_score(look.org))),
    },
    lambda _org: (None,),
    exists=_may_look,
    api=TOOLING,
)

SECURITY_HEALTH_CHECK_RISKS = Table(
    "SecurityHealthCheckRisks",
    {
        # The object has no ids of records; every row answers with the same empty one.
        "Id": Column("id", lambda _look, _row: "000000000000000AAA"),
        "DurableId": Column("string", lambda _, row: row.id),
        "SettingGroup": Column("string", lambda _, row: row.group),
        "Setting": Column("string", lambda _, row: row.setting),
        "SettingRiskCategory": Column("string", lambda _look, _row: _HIGH),
        "RiskType": Column("string", lambda _, row: _MEETS if row.shown == row.standard else _HIGH),
        "OrgValue": Column("string", lambda _, row: row.shown),
        "OrgValueRaw": Column("string", lambda _, row: row.value),
        "StandardValue": Column("string", lambda _, row: row.standard),
    },
    _risks,
    exists=_may_look,
    api=TOOLING,
)


def _score(org: Org) -> int:
    risks = list(_risks(org))
    return 100 * sum(risk.shown == risk.standard for risk in risks) // len(risks)
