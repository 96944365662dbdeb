"""`static-roles/<name>`: an existing Salesforce user whose password is rotated."""

from dataclasses import dataclass
from datetime import datetime

from vault_plugin_sdk.framework.fields import ABSENT, BOOLEAN, DURATION, SECRET, TEXT, TIME, Field, field, fields_of
from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.logical.request import Operation
from vault_salesforce_contract.published import ROTATE_ON_LEASE_END
from vault_salesforce_contract.text import login_name_fault, name_fault, optional_name_fault, secret_fault

LONGEST_PERIOD = 10 * 366 * 86_400
LONGEST_WINDOW = 31 * 86_400


@dataclass(frozen=True)
class StaticRole:
    """An existing Salesforce user whose password is rotated."""

    config: str = field(TEXT, "Connection to the user's org.", immutable=True, check=name_fault)
    username: str = field(TEXT, "Login name in Salesforce.", immutable=True, check=login_name_fault)
    self_managed: bool = field(
        BOOLEAN, "The user changes their own password; false: the connection's identity sets it.", default=True
    )
    self_login: str = field(
        TEXT,
        "How the user's session for that is opened: with the password, or by the connection's app (jwt_bearer).",
        default="password",
        choices=("password", "jwt_bearer"),
    )
    end_sessions: bool = field(
        BOOLEAN, "End the user's other sessions after each new version, instead of letting them go on.", default=False
    )
    rotation_period: int | None = field(
        DURATION,
        "Time between two rotations, such as 30d; each account adds up to a twenty-fourth of it, at most an hour.",
        default=None,
        minimum=60,
        maximum=LONGEST_PERIOD,
    )
    rotation_schedule: str = field(
        TEXT, "Cron expression of five fields, such as '0 3 * * 0'; instead of a period.", default=""
    )
    rotation_time_zone: str = field(
        TEXT, "Time zone of the schedule, by its IANA name, such as Europe/Berlin.", default="UTC"
    )
    rotation_window: int | None = field(
        DURATION,
        "How long after a scheduled time a rotation may begin; accounts are spread over its first half.",
        default=None,
        minimum=3600,
        maximum=LONGEST_WINDOW,
    )
    initial_rotation_at: datetime | None = field(
        TIME, "When the first scheduled rotation is due, such as 2030-01-31T03:00:00Z.", default=None
    )
    disable_automated_rotation: bool = field(BOOLEAN, "Rotate only when somebody asks.", default=False)
    rotate_on_lease_end: str = field(
        TEXT, "Which lease's end makes the version due.", default="last", choices=ROTATE_ON_LEASE_END
    )
    lease_rotation_interval: int = field(
        DURATION, "Least time between two rotations that a lease's end began.", default=600, minimum=0
    )
    security_token_from: str = field(
        TEXT,
        "Where a new security token comes from; none: no consumer needs one.",
        default="none",
        choices=("none", "manual", "mailbox"),
    )
    verify: str = field(
        TEXT,
        "What proves a new password: a login; or, for users without a way in, the org's record; auto: what there is.",
        default="auto",
        choices=("auto", "login", "record"),
    )
    password_policy: str = field(
        TEXT,
        "Vault password policy for new passwords; empty: the built-in one.",
        default="",
        check=optional_name_fault,
    )
    ttl: int = field(
        DURATION, "Length of a lease: the bound on how long a reader holds an old version.", default=600, minimum=5
    )
    max_ttl: int = field(DURATION, "Longest length of a lease.", default=86_400, minimum=5)
    consumer_hints: str = field(
        TEXT, "ttl: reads carry rotation_period and ttl, so that agents sleep.", default="poll", choices=("poll", "ttl")
    )


STATIC_ROLE = Description(
    "static-roles/{name}",
    help="An existing Salesforce user whose password is rotated.",
    operations=(Operation.CREATE, Operation.UPDATE, Operation.READ, Operation.DELETE, Operation.LIST),
    fields=fields_of(StaticRole)
    | {
        "password": Field(SECRET, "Password that the user has now; write-only.", default=ABSENT, check=secret_fault),
        "security_token": Field(
            SECRET, "Security token that the user has now; write-only.", default=ABSENT, check=secret_fault
        ),
    },
    detail="""
Creating a role proves the given credential with one login and publishes it as version 1; it does not rotate. A refused
login stores no role. A later write changes what it names; the password is changed by rotate/<role> alone, or told with
resync/<role>. Deleting a role leaves the user in Salesforce as it is, and keeps its secrets for 7 days: made again by
then, with the same name and user and without a password, it takes up the one that logs in.

A user who logs in from addresses that the org does not trust needs a security token behind the password. With
security_token_from=mailbox leave security_token out and press Reset My Security Token as that user: the mail is taken.

With self_login=jwt_bearer no login is spent on the look beforehand, no administrator is needed, and a password changed
by hand shows in `status`: the recommended shape. The app must be approved for the user.

A change of period or schedule counts on from the last rotation and rotates nothing by itself. A scheduled time that
passed while nothing ran is made up for once; with a rotation_window, it waits for the next one. Where the connection's
identity can see when the org lets the password expire, the role is rotated some days before, unless
disable_automated_rotation is set.

Next: `vault read sf/status/<name>` says how it is; rotate it once at rotate/<name>; let apps read creds/<name> or
static-creds/<name>.
""".strip(),
    examples=(
        "vault write sf/static-roles/crm config=prod username=integration@example.com password=@password.txt",
        "vault write sf/static-roles/crm config=prod username=a@example.com password=- security_token_from=mailbox",
        "vault write sf/static-roles/crm config=prod username=a@example.com password=- self_login=jwt_bearer",
        "vault write sf/static-roles/crm rotation_period=30d",
        "vault write sf/static-roles/crm end_sessions=true",
        "vault write sf/static-roles/crm rotation_schedule='0 3 * * 0' rotation_time_zone=Europe/Berlin",
        "vault write sf/static-roles/crm rotation_schedule='0 3 * * 0' rotation_window=4h",
        "vault read sf/static-roles/crm",
        "vault list -detailed sf/static-roles",
        "vault delete sf/static-roles/crm",
    ),
)
