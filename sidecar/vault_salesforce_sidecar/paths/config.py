"""`config/<name>`: a connection to one Salesforce org."""

import re
from http import HTTPStatus
from typing import Any

from vault_plugin_sdk.framework.fields import build, read_back
from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.logical.errors import CallerError
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_plugin_sdk.logical.response import Response, listing
from vault_salesforce_contract.api.config import CONFIG, Config
from vault_salesforce_contract.text import one_line
from vault_salesforce_sidecar.claims import ACCOUNT, CONNECTION_NAME
from vault_salesforce_sidecar.engine import Engine
from vault_salesforce_sidecar.records.hold import ANOTHER_ORG
from vault_salesforce_sidecar.records.organization import Organization
from vault_salesforce_sidecar.salesforce import connection
from vault_salesforce_sidecar.salesforce.hosts import is_salesforce, login_host_fault
from vault_salesforce_sidecar.salesforce.tls import tls_context

# Where a secret is sent, and what guards it on the way.
GUARDS = ("login_url", "ca_cert", "allowed_hosts", "client_cert", "auth_method", "username")
# The same for the secrets of the roles that use the connection.
ROLE_GUARDS = ("login_url", "ca_cert", "allowed_hosts")
SECRETS = ("password", "security_token", "client_secret", "private_key", "client_key")
# Who knows these is the owner of the connection.
PROOFS = ("password", "client_secret", "private_key")
# Where the password of the mailbox is sent, and how.
MAILBOX_GUARDS = ("mailbox", "mailbox_auth", "ca_cert")
_LINES = ("password", "security_token", "client_secret", "mailbox_password")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?", re.IGNORECASE | re.ASCII)
_SHOWN = 100  # characters of what was given, in a sentence about it


def write(engine: Engine, caller: Caller, name: str, **given: Any) -> Response:
    """Create or change a connection."""
    given |= {field: one_line(given[field]) for field in _LINES if field in given}
    known = engine.connections.get(name)
    config = build(Config, given, known.record if known else None)
    config = connection.without_unused(config, [field for field, value in given.items() if value])
    check(config)
    engine.check_mailbox(config)
    if known:
        check_change(engine, name, known.record, config, given)
    owner = _owner(name)
    engine.claims.take(CONNECTION_NAME, name, owner)
    if config.username:
        engine.claims.take(ACCOUNT, config.username, owner)
    engine.store_connection(name, config, known.version if known else None)
    if known and known.record.login_url != config.login_url and engine.user_of(name) is None:
        _forget_organization(engine, caller, name)
    if given.get("organization_id"):
        _accept_organization(engine, caller, name, config)
    if known and known.record.username.lower() not in ("", config.username.lower()):
        engine.claims.release(ACCOUNT, known.record.username, owner)
    return Response()


def read(engine: Engine, _caller: Caller, name: str) -> Response:
    """The connection, without its secrets."""
    known = engine.connections.get(name)
    return Response(data=read_back(known.record) if known else None)


def delete(engine: Engine, caller: Caller, name: str) -> None:
    """Forget a connection that no role uses; one that is not there is no error."""
    known = engine.connections.get(name)
    if known is None:
        return
    if user := engine.user_of(name):
        raise CallerError(
            f"the role {user} uses it",
            status=HTTPStatus.CONFLICT,
            code="in_use",
            remedy="delete the roles that use it first",
        )
    engine.connections.delete(name, known.version)
    _forget_organization(engine, caller, name)
    engine.rotations.holds.release(name, caller)
    if known.record.username:
        engine.claims.release(ACCOUNT, known.record.username, _owner(name))
    engine.claims.release(CONNECTION_NAME, name, _owner(name))


def list_all(engine: Engine, _caller: Caller) -> Response:
    """The names, with where they log in."""
    found = {name: known.record for name in engine.connections.list() if (known := engine.connections.get(name))}
    return listing(
        sorted(found),
        {name: {"login_url": item.login_url, "auth_method": item.auth_method} for name, item in found.items()},
    )


def check(config: Config) -> None:
    """Raises CallerError with every fault that shows in the record alone."""
    faults = connection.faults(config)
    if config.admin_may_rotate and config.auth_method == "none":
        faults.append("admin_may_rotate needs an identity: set auth_method")
    strange = [host[:_SHOWN] for host in config.allowed_hosts if not _HOST.fullmatch(host)]
    faults += [f"allowed_hosts: {host!r} is no host" for host in strange]
    if fault := login_host_fault(config.login_url, config.allowed_hosts):
        faults.append(fault)
    if config.mailbox_password and not config.mailbox.startswith("imap"):
        faults.append("mailbox_password needs a mailbox that is read by IMAP; write mailbox_password= to take it away")
    try:
        tls_context(config.ca_cert, config.client_cert, config.client_key)
    except ValueError as exc:
        faults.append(str(exc))
    if faults:
        raise CallerError("; ".join(faults))


def check_change(engine: Engine, name: str, known: Config, config: Config, given: dict[str, Any]) -> None:
    """Whoever may write a connection, but does not know its secrets, must not have them sent elsewhere.

    Raises: CallerError: 400 where the connection's own secrets are to be given again, 409 where a role's would go
        to where its owner did not send them.
    """
    changed = [field for field in GUARDS if getattr(known, field) != getattr(config, field)]
    _demand_again(changed, SECRETS, known, config, given)
    mailbox = [field for field in MAILBOX_GUARDS if getattr(known, field) != getattr(config, field)]
    _demand_again(mailbox, ("mailbox_password",), known, config, given)
    leads_elsewhere = [field for field in ROLE_GUARDS if field in changed and not _is_narrower(field, known, config)]
    held = [field for field in PROOFS if getattr(known, field)]
    if not leads_elsewhere or (held and all(given.get(field) == getattr(known, field) for field in held)):
        return
    if user := engine.user_of(name):
        raise CallerError(
            f"changing {', '.join(leads_elsewhere)} changes where the password of the role {user} would be sent",
            status=HTTPStatus.CONFLICT,
            code="in_use",
            remedy="make another connection, and create the roles anew with it"
            if not held
            else f"give the connection's present {' and '.join(held)} in the same request",
        )


def _demand_again(
    changed: list[str], secrets: tuple[str, ...], known: Config, config: Config, given: dict[str, Any]
) -> None:
    again = [field for field in secrets if getattr(known, field) and getattr(config, field) and field not in given]
    if changed and again:
        raise CallerError(
            f"changing {', '.join(changed)} changes where {' and '.join(again)} would be sent: give it again",
            code="secret_needed",
        )


def _is_narrower(field: str, known: Config, config: Config) -> bool:
    """Whether the change leads to fewer places than before, or to one of Salesforce's own."""
    match field:
        case "login_url":
            return is_salesforce(config.login_url)
        case "ca_cert":
            return not config.ca_cert
        case _:
            return set(config.allowed_hosts) <= set(known.allowed_hosts)


def _accept_organization(engine: Engine, caller: Caller, name: str, config: Config) -> None:
    """Whoever names the org vouches for it: a hold for this very org is over."""
    named = Organization(config.organization_id)
    engine.rotations.organizations.accept(name, config.organization_id)
    engine.rotations.holds.release(
        name,
        caller,
        only=lambda hold: hold.cause == ANOTHER_ORG and named.is_same(Organization(hold.organization_id)),
    )


def _forget_organization(engine: Engine, caller: Caller, name: str) -> None:
    """No role's secret depends on it: the next org is the first one."""
    engine.rotations.organizations.forget(name)
    engine.rotations.holds.release(name, caller, only=lambda hold: hold.cause == ANOTHER_ORG)


def _owner(name: str) -> str:
    return f"config/{name}"


PATH = Path(CONFIG, {Operation.UPDATE: write, Operation.READ: read, Operation.DELETE: delete, Operation.LIST: list_all})
