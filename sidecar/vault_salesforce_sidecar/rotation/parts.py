"""What rotations reach the world through, and the account that one of them is about."""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http import HTTPStatus

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_contract.api.config import Config
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_contract.published import PublishedCredential
from vault_salesforce_sidecar.clock import Clock
from vault_salesforce_sidecar.mailbox.mail import Mailbox
from vault_salesforce_sidecar.salesforce.interface import Org
from vault_salesforce_sidecar.store import Kv, Store


class PushFailed(Exception):  # noqa: N818 - the plugin's state, not a fault of ours
    """The plugin did not take a published credential: it is away, sealed, or holds a newer one."""


@dataclass(frozen=True)
class Parts:
    """Everything outside.

    Attributes:
        engine_kv: The sidecar's own KV mount.
        creds_kv: The KV mount that apps read.
        roles: `static-roles/<name>`.
        connections: `config/<name>`.
        open_org: The org of a connection; kept per connection by who gives it.
        open_mailbox: The mailbox of a connection; None where it has none.
        password_from_policy: A password of Vault's password policy of that name. Raises KvUnavailable.
        push: Hands a committed credential to the plugin. Raises PushFailed.
        changed: Told when a rotation begins or ends; never raises, never blocks. Its number, for `announced`.
        announced: Returns once whoever asks the plugin is told of it, or after a while; never raises.
        clock: Time.
        instance: This sidecar's name.
        kv_mount: Path of the KV mount that apps read, for people.
        counted: Told `("login", result)` and `("rotation", outcome)`, for metrics.
    """

    engine_kv: Kv
    creds_kv: Kv
    roles: Store[StaticRole]
    connections: Store[Config]
    open_org: Callable[[Config], Org]
    open_mailbox: Callable[[Config], Mailbox | None]
    password_from_policy: Callable[[str], SecretStr]
    push: Callable[[str, PublishedCredential], None]
    changed: Callable[[], int]
    announced: Callable[[int], None]
    clock: Clock
    instance: str
    kv_mount: str = "salesforce"
    counted: Callable[[str, str], None] = lambda _what, _how: None


@dataclass(frozen=True)
class Account:
    """A role with all that its rotation touches.

    Attributes:
        name: The role's name.
        role: The role.
        config: Its connection.
        org: The org behind it.
        mailbox: Where its token mails arrive; None: nowhere that we may read.
    """

    name: str
    role: StaticRole
    config: Config
    org: Org
    mailbox: Mailbox | None

    @property
    def username(self) -> str:
        """The Salesforce user."""
        return self.role.username

    @property
    def trusted(self) -> bool:
        """The org trusts our address: a login from here proves nothing of a token."""
        return self.config.sidecar_address == "trusted"

    @property
    def administered(self) -> bool:
        """The connection has an identity that may look at its users."""
        return self.config.auth_method != "none"

    @property
    def wants_token(self) -> bool:
        """A login needs a security token, as far as the role says."""
        return self.role.security_token_from != "none" and not self.trusted  # noqa: S105 - where tokens come from


def open_account(parts: Parts, name: str, role: StaticRole | None = None, *, checked: bool = True) -> Account:
    """The account of a role.

    Args:
        parts: Where to find it.
        name: The role's name.
        role: The role, where it is not stored yet.
        checked: Whether the connection must allow it.

    Raises:
        CallerError: 404 no such role; 409 the connection may not be used for it.
        KvUnavailable: Vault did not say.
    """
    if role is None:
        stored = parts.roles.get(name)
        if stored is None:
            raise CallerError(f"there is no role {name!r}", status=HTTPStatus.NOT_FOUND)
        role = stored.record
    connection = parts.connections.get(role.config)
    if connection is None:
        raise CallerError(f"there is no connection {role.config!r}", status=HTTPStatus.CONFLICT, code="no_connection")
    config = connection.record
    if checked:
        check_allowed(name, role, config)
    watched = role.security_token_from == "mailbox" and config.mailbox  # noqa: S105 - where tokens come from
    try:
        mailbox = parts.open_mailbox(config) if watched else None
    except CallerError:  # the settings allow it no longer
        if checked:
            raise
        mailbox = None  # what has left is finished all the same: a token can be handed in
    return Account(name, role, config, parts.open_org(config), mailbox)


def check_allowed(name: str, role: StaticRole, config: Config) -> None:
    """Raises CallerError 409 unless the connection may be used for this role."""
    if not any(fnmatchcase(name.lower(), glob.lower()) for glob in config.allowed_roles):
        raise CallerError(
            f"connection {role.config!r} may not be used by role {name!r}",
            status=HTTPStatus.CONFLICT,
            code="not_allowed",
            remedy=f"add {name!r} to allowed_roles of the connection",
        )
    if role.self_managed:
        return
    if config.auth_method == "none":
        raise CallerError(
            f"self_managed=false needs an identity on connection {role.config!r}, which has none",
            status=HTTPStatus.CONFLICT,
            code="not_allowed",
            remedy="give the connection an auth_method, or let the user change their own password",
        )
    if not any(fnmatchcase(role.username.lower(), glob.lower()) for glob in config.admin_may_rotate):
        raise CallerError(
            f"the identity of connection {role.config!r} may not set the password of {role.username!r}",
            status=HTTPStatus.CONFLICT,
            code="not_allowed",
            remedy="add the username to admin_may_rotate of the connection",
        )
