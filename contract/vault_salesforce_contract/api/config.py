"""`config/<name>`: a connection to one Salesforce org."""

import re
from dataclasses import dataclass

from vault_plugin_sdk.framework.fields import LIST, SECRET, TEXT, field, fields_of
from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.request import Operation
from vault_salesforce_contract.origin import origin_fault
from vault_salesforce_contract.text import globs_fault, optional_login_name_fault, secret_fault

FIRST_VERSION = 31  # Source: Salesforce's API end-of-life policy; what is older is switched off
LAST_LOGIN_VERSION = 64  # SOAP login() does not exist above it
LONGEST_PEM = 64 * 1024


def _version(value: str) -> str | None:
    if not re.fullmatch(r"[0-9]{2,3}\.0", value, re.ASCII) or int(value[:-2]) < FIRST_VERSION:
        return f"must be a version that Salesforce serves, {FIRST_VERSION}.0 or above, such as {LAST_LOGIN_VERSION}.0"
    return None


def _text_fault(value: str) -> str | None:
    return None if value.isprintable() else "must be one line without control characters"


def _pem_fault(value: SecretStr) -> str | None:
    return None if len(value.reveal()) <= LONGEST_PEM else f"must be PEM of at most {LONGEST_PEM} bytes"


def _organization_fault(value: str) -> str | None:
    if value and not re.fullmatch(r"00D[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?", value):
        return "must be the id of an org: 15 or 18 letters and digits that begin with 00D"
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
        choices=("none", "password", "jwt_bearer", "client_credentials", "oauth_password"),
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
    client_id: str = field(
        TEXT,
        "Consumer key of the app in Salesforce that logs in by OAuth.",
        default="",
        check=_text_fault,
    )
    client_secret: SecretStr = field(
        SECRET,
        "Consumer secret of the app, for client_credentials and the OAuth password flow; write-only.",
        default=SecretStr(""),
        check=secret_fault,
    )
    private_key: SecretStr = field(
        SECRET,
        "RSA key in PEM, whose certificate the app holds: for jwt_bearer, of the connection or of its roles; "
        "write-only.",
        default=SecretStr(""),
        check=_pem_fault,
    )
    soap_endpoint: str = field(
        TEXT,
        "The SOAP API that is called.",
        default="partner",
        choices=("partner", "enterprise"),
    )
    password_login: str = field(
        TEXT,
        "How passwords of users are proven: SOAP login(), or the OAuth password flow, by the app with its secret.",
        default="soap",
        choices=("soap", "oauth"),
    )
    set_password_by: str = field(
        TEXT,
        "The API by which the connection's identity sets and resets passwords of others.",
        default="rest",
        choices=("rest", "soap"),
    )
    organization_id: str = field(
        TEXT,
        "Id of the org that this is; empty: the one that the first login finds. Another org's id accepts that one.",
        default="",
        check=_organization_fault,
    )
    api_version: str = field(
        TEXT,
        "Version of Salesforce's API; SOAP login() is called at 64.0 at most, since no newer one serves it.",
        default="64.0",
        check=_version,
    )
    ca_cert: str = field(TEXT, "PEM of the authorities that may vouch for the org; empty: the system's.", default="")
    allowed_hosts: tuple[str, ...] = field(
        LIST,
        "Hosts of this org besides Salesforce's own, such as org.example.com:8443; login_url counts too.",
        default=(),
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
        TEXT,
        "Where token mails arrive: imaps://<user>@<host>[:<port>]/<folder>, or maildir:<path> below MAILBOX_ROOT.",
        default="",
    )
    mailbox_password: SecretStr = field(
        SECRET,
        "Password of the mailbox; for xoauth2 an access token, or token_url and its form as JSON; write-only.",
        default=SecretStr(""),
        check=secret_fault,
    )
    mailbox_auth: str = field(
        TEXT, "How the mailbox is opened, by IMAP.", default="password", choices=("password", "xoauth2")
    )
    mailbox_after: str = field(
        TEXT,
        "What becomes of a mail whose token is published.",
        default="delete",
        choices=("delete", "keep"),
    )
    client_cert: str = field(
        TEXT, "Certificate in PEM that the sidecar shows to an org which demands one; empty: none.", default=""
    )
    client_key: SecretStr = field(
        SECRET, "Key of client_cert, in PEM; write-only.", default=SecretStr(""), check=_pem_fault
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
locked users and changes made by hand, and may set the password of the users that `admin_may_rotate` names. It logs in
by its `auth_method`:

  password            username, password, security_token (none from a trusted address); SOAP login
  jwt_bearer          username, client_id, private_key; the app holds the certificate and admits the user
  client_credentials  client_id, client_secret; as the user that the app runs as, at the org's My Domain alone
  oauth_password      username, password, security_token, client_id, client_secret

`client_id` and `private_key` also serve, without an auth_method, roles with `self_login=jwt_bearer`. Salesforce ends
the OAuth password flow in February 2027 and SOAP login in summer 2027.

Changing where a secret is sent, or what guards it on the way, demands the secret again. One that roles use cannot be
deleted.

Next: make a role that uses it, at static-roles/<name>.
""".strip(),
    examples=(
        "vault write sf/config/prod login_url=https://example.my.salesforce.com allowed_roles='crm,crm-*'",
        "vault write sf/config/prod mailbox=maildir:/var/mail/salesforce",
        "vault write sf/config/prod mailbox=imaps://tokens@imap.example.com/INBOX mailbox_password=@password.txt",
        "vault write sf/config/prod auth_method=password username=admin@example.com password=@password.txt",
        "vault write sf/config/prod auth_method=jwt_bearer username=ops@example.com client_id=3MVG9 private_key=@k.pem",
        "vault write sf/config/prod auth_method=client_credentials client_id=3MVG9 client_secret=@secret.txt",
        "vault write sf/config/prod admin_may_rotate='*@example.com'",
        "vault write sf/config/prod organization_id=00D000000000001EAA",
        "vault read sf/config/prod",
        "vault list sf/config",
        "vault delete sf/config/prod",
    ),
)
