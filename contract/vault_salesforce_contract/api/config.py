"""`config/<name>`: a connection to one Salesforce org."""

import re
from dataclasses import dataclass

from vault_plugin_sdk.framework.fields import LIST, SECRET, TEXT, field, fields_of
from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.request import Operation
from vault_salesforce_contract.origin import origin_fault
from vault_salesforce_contract.text import globs_fault, optional_login_name_fault, secret_fault

FIRST_LOGIN_VERSION = 31
LAST_LOGIN_VERSION = 64  # SOAP login() does not exist above it


def _version(value: str) -> str | None:
    if not re.fullmatch(r"[0-9]{2}\.0", value) or not FIRST_LOGIN_VERSION <= int(value[:2]) <= LAST_LOGIN_VERSION:
        return f"must be a version that serves SOAP login(), {FIRST_LOGIN_VERSION}.0 to {LAST_LOGIN_VERSION}.0"
    return None


@dataclass(frozen=True)
class Config:
    """A connection to one org: where it is, who administers it, and what may be done through it."""

    login_url: str = field(
        TEXT, "Where users of this org log in: https://<MyDomain>.my.salesforce.com.", check=origin_fault
    )
    auth_method: str = field(
        TEXT,
        "How the connection's own identity logs in; none: it has no identity, and roles change their own password.",
        default="none",
        choices=("none", "password"),
    )
    username: str = field(
        TEXT,
        "The connection's own user, a login name such as admin@example.com.",
        default="",
        check=optional_login_name_fault,
    )
    password: SecretStr = field(SECRET, "Password of that user; write-only.", default=SecretStr(""), check=secret_fault)
    security_token: SecretStr = field(
        SECRET, "Security token of that user; write-only.", default=SecretStr(""), check=secret_fault
    )
    api_version: str = field(
        TEXT,
        "Version of Salesforce's API; the newest that serves SOAP login() is 64.0.",
        default="64.0",
        check=_version,
    )
    ca_cert: str = field(TEXT, "PEM of the authorities that may vouch for the org; empty: the system's.", default="")
    allowed_hosts: tuple[str, ...] = field(
        LIST, "Hosts that an answer may send us on to, besides the login host and *.salesforce.com.", default=()
    )
    allowed_roles: tuple[str, ...] = field(
        LIST, "Globs of the roles that may use it, such as crm-*; empty: none.", default=(), check=globs_fault
    )
    admin_may_rotate: tuple[str, ...] = field(
        LIST,
        "Globs of the users whose password its identity may set, such as *@example.com; empty: none.",
        default=(),
        check=globs_fault,
    )
    mailbox: str = field(
        TEXT, "Where mails with security tokens arrive: maildir:<path>, below the sidecar's MAILBOX_ROOT.", default=""
    )
    sidecar_address: str = field(
        TEXT,
        "Whether the org trusts the sidecar's address, so that a login from it proves nothing of a token.",
        default="untrusted",
        choices=("untrusted", "trusted"),
    )


CONFIG = Description(
    "config/{name}",
    help="A connection to one Salesforce org: where it is, which roles may use it, and who administers its users.",
    operations=(Operation.CREATE, Operation.UPDATE, Operation.READ, Operation.DELETE, Operation.LIST),
    fields=fields_of(Config),
    detail="""
The simplest connection has no identity of its own: each user changes their own password. One with an identity also sees
locked users and changes made by hand, and may set the password of the users that `admin_may_rotate` names.
Changing where a secret is sent, or what guards it on the way, demands the secret again. One that roles use cannot be
deleted.

Next: make a role that uses it, at static-roles/<name>.
""".strip(),
    examples=(
        "vault write sf/config/prod login_url=https://example.my.salesforce.com allowed_roles='crm,crm-*'",
        "vault write sf/config/prod mailbox=maildir:/var/mail/salesforce",
        "vault write sf/config/prod auth_method=password username=admin@example.com password=@password.txt",
        "vault write sf/config/prod admin_may_rotate='*@example.com'",
        "vault read sf/config/prod",
        "vault list sf/config",
        "vault delete sf/config/prod",
    ),
)
