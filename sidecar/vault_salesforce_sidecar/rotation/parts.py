"""What rotations reach the world through, and the account that one of them is about."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cached_property
from http import HTTPStatus
from typing import Final

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_contract.api.config import Config
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_contract.published import PublishedCredential
from vault_salesforce_sidecar.clock import Clock
from vault_salesforce_sidecar.mailbox.mail import Mailbox
from vault_salesforce_sidecar.rotation.holds import Holds
from vault_salesforce_sidecar.rotation.journal import KEPT_FOR, Now
from vault_salesforce_sidecar.rotation.machine import Secret
from vault_salesforce_sidecar.rotation.organizations import Organizations
from vault_salesforce_sidecar.salesforce.interface import Org
from vault_salesforce_sidecar.store import Kv, Store

BY_APP: Final = "jwt_bearer"
_GLOBS: Final = frozenset("*?[")


class Way(StrEnum):
    """By which call a password is changed, and in whose session."""

    OWN_PASSWORD = "own_password"  # noqa: S105 - changeOwnPassword, in a session that the password opened
    OWN_APP = "own_app"  # changeOwnPassword, in a session that the connection's app opened
    OWN_EXPIRED = "own_expired"  # setPassword on oneself, in the session of an expired password
    ADMIN_SET = "admin_set"  # setPassword, by the connection's identity
    ADMIN_RESET = "admin_reset"  # resetPassword by the connection's identity, then changeOwnPassword


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
        served: The pair that the mount serves of a role, and its version; None: none. Raises KvUnavailable.
        push: Hands a committed credential to the plugin. Raises PushFailed.
        changed: Told when a rotation begins or ends; never raises, never blocks. Its number, for `announced`.
        announced: Returns once whoever asks the plugin is told of it, or after a while; never raises.
        clock: Time.
        instance: This sidecar's name.
        kv_mount: Path of the KV mount that apps read, for people.
        counted: Told `("login", result)` and `("rotation", outcome)`, for metrics.
        kept_for: How long earlier passwords, and those of deleted roles, are kept.
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
    kept_for: timedelta = KEPT_FOR
    served: Callable[[str], tuple[Secret, int] | None] = lambda _role: None

    def moment(self, hold_seconds: int = 0) -> Now:
        """What a write to an entry knows of its moment, now."""
        return Now(self.clock.now(), self.instance, hold_seconds, self.kept_for)

    @cached_property
    def holds(self) -> Holds:
        """The brake."""
        return Holds(self.engine_kv, self.clock)

    @cached_property
    def organizations(self) -> Organizations:
        """Which org is behind each connection."""
        return Organizations(self.engine_kv, self.holds, self.clock)


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
    def by_app(self) -> bool:
        """The connection's app opens the sessions in which the user changes their own password."""
        return self.role.self_managed and self.role.self_login == BY_APP

    @property
    def way(self) -> Way:
        """How this user's password is changed, as a rule."""
        if not self.role.self_managed:
            return Way.ADMIN_SET
        return Way.OWN_APP if self.by_app else Way.OWN_PASSWORD

    @property
    def reads_record(self) -> bool:
        """A session that reads the org's record of the last change is to be had without the user's password."""
        return not self.role.self_managed or self.by_app

    @property
    def sees_record(self) -> bool:
        """Somebody besides a session of the password itself may look at the user."""
        return self.administered or self.by_app

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
    by_mail = role.security_token_from == "mailbox"  # noqa: S105 - where tokens come from
    # Of a token that no login from here proves, no mail is needed.
    watched = by_mail and config.mailbox and config.sidecar_address != "trusted"
    try:
        mailbox = parts.open_mailbox(config) if watched else None
    except CallerError:  # the settings allow it no longer
        if checked:
            raise
        mailbox = None  # what has left is finished all the same: a token can be handed in
    org = parts.organizations.guarded(role.config, config, parts.open_org(config))
    return Account(name, role, config, org, mailbox)


def check_allowed(name: str, role: StaticRole, config: Config) -> None:
    """Raises CallerError 409 unless the connection may be used for this role."""
    if not any(fnmatchcase(name.lower(), glob.lower()) for glob in config.allowed_roles):
        raise CallerError(
            f"connection {role.config!r} may not be used by role {name!r}",
            status=HTTPStatus.CONFLICT,
            code="not_allowed",
            remedy=f"add {name!r} to allowed_roles of the connection",
        )
    if role.self_managed and role.self_login == BY_APP and not (config.client_id and config.private_key):
        raise CallerError(
            f"self_login=jwt_bearer needs the app of connection {role.config!r}, which names none",
            status=HTTPStatus.CONFLICT,
            code="no_app",
            remedy=f"give config/{role.config} the app's client_id and private_key, or set self_login=password",
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
    check_named(role, config)


def check_named(role: StaticRole, config: Config) -> None:
    """Raises CallerError 409 unless the connection's identity may set the password of this role's user."""
    if not is_named(config, role.username):
        raise CallerError(
            f"the identity of connection {role.config!r} may not set the password of {role.username!r}",
            status=HTTPStatus.CONFLICT,
            code="not_allowed",
            remedy="add the username to admin_may_rotate of the connection",
        )


def is_named(config: Config, username: str, *, exactly: bool = False) -> bool:
    """Whether admin_may_rotate has this user; `exactly`: by a name, and not by a glob."""
    names = [one.lower() for one in config.admin_may_rotate if not exactly or not _GLOBS & set(one)]
    return any(fnmatchcase(username.lower(), one) for one in names)
