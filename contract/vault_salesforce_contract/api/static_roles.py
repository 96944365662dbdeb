"""`static-roles/<name>`: an existing Salesforce user whose password is rotated."""

from dataclasses import dataclass
from datetime import datetime

from vault_plugin_sdk.framework.fields import ABSENT, BOOLEAN, DURATION, SECRET, TEXT, TIME, Field, field, fields_of
from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.logical.request import Operation
from vault_salesforce_contract.published import ROTATE_ON_LEASE_END
from vault_salesforce_contract.text import login_name_fault, name_fault, optional_name_fault, secret_fault


@dataclass(frozen=True)
class StaticRole:
    """An existing Salesforce user whose password is rotated."""

    config: str = field(TEXT, "Connection to the user's org.", immutable=True, check=name_fault)
    username: str = field(TEXT, "Login name in Salesforce.", immutable=True, check=login_name_fault)
    self_managed: bool = field(
        BOOLEAN, "The user changes their own password; false: the connection's identity sets it.", default=True
    )
    rotation_period: int | None = field(DURATION, "Time between two rotations, such as 30d.", default=None, minimum=60)
    rotation_schedule: str = field(
        TEXT, "Cron expression, in UTC, such as '0 3 * * 0'; instead of a period.", default=""
    )
    rotation_window: int | None = field(
        DURATION, "How long after a scheduled time a rotation may begin.", default=None, minimum=3600
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
resync/<role>. Deleting a role leaves the user in Salesforce as it is, and keeps what is known of it for 7 days.

A user who logs in from addresses that the org does not trust needs a security token behind the password. With
security_token_from=mailbox leave security_token out and press Reset My Security Token as that user: the mail is taken.

Next: `vault read sf/status/<name>` says how it is; rotate it once at rotate/<name>; let apps read creds/<name> or
static-creds/<name>.
""".strip(),
    examples=(
        "vault write sf/static-roles/crm config=prod username=integration@example.com password=@password.txt",
        "vault write sf/static-roles/crm config=prod username=a@example.com password=- security_token_from=mailbox",
        "vault write sf/static-roles/crm rotation_period=30d",
        "vault write sf/static-roles/crm rotation_schedule='0 3 * * 0' rotation_window=4h",
        "vault read sf/static-roles/crm",
        "vault list -detailed sf/static-roles",
        "vault delete sf/static-roles/crm",
    ),
)
