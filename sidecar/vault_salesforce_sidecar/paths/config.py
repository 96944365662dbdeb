"""`config/<name>`: a connection to one Salesforce org."""

import re
import ssl
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from vault_plugin_sdk.framework.fields import build, read_back
from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_plugin_sdk.logical.response import Response, listing
from vault_salesforce_contract.api.config import CONFIG, Config
from vault_salesforce_contract.text import one_line
from vault_salesforce_sidecar.claims import ACCOUNT, CONNECTION_NAME
from vault_salesforce_sidecar.engine import Engine

# Where a secret is sent, and what guards it on the way.
GUARDS = ("login_url", "ca_cert", "allowed_hosts", "auth_method", "username")
# The same for the secrets of the roles that use the connection.
ROLE_GUARDS = ("login_url", "ca_cert", "allowed_hosts")
IDENTITY = ("username", "password", "security_token")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?", re.IGNORECASE | re.ASCII)
_SHOWN = 100  # characters of what was given, in a sentence about it


def write(engine: Engine, _caller: Caller, name: str, **given: Any) -> Response:
    """Create or change a connection."""
    given |= {field: one_line(given[field]) for field in IDENTITY[1:] if field in given}
    known = engine.connections.get(name)
    config = build(Config, given, known.record if known else None)
    if config.auth_method == "none" and not any(given.get(field) for field in IDENTITY):
        config = replace(config, username="", password=SecretStr(""), security_token=SecretStr(""))
    check(config)
    engine.open_mailbox(config)
    if known:
        check_change(engine, name, known.record, config, given)
    owner = _owner(name)
    engine.claims.take(CONNECTION_NAME, name, owner)
    if config.username:
        engine.claims.take(ACCOUNT, config.username, owner)
    engine.store_connection(name, config, known.version if known else None)
    if known and known.record.username.lower() not in ("", config.username.lower()):
        engine.claims.release(ACCOUNT, known.record.username, owner)
    return Response()


def read(engine: Engine, _caller: Caller, name: str) -> Response:
    """The connection, without its secrets."""
    known = engine.connections.get(name)
    return Response(data=read_back(known.record) if known else None)


def delete(engine: Engine, _caller: Caller, name: str) -> None:
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
    faults = []
    if config.auth_method == "none":
        faults += [f"{name} needs an auth_method" for name in IDENTITY if getattr(config, name)]
    else:
        faults += [
            f"{name} is missing: auth_method={config.auth_method} logs in with it"
            for name in IDENTITY[:2]
            if not getattr(config, name)
        ]
    if config.admin_may_rotate and config.auth_method == "none":
        faults.append("admin_may_rotate needs an identity: set auth_method")
    strange = [host[:_SHOWN] for host in config.allowed_hosts if not _HOST.fullmatch(host)]
    faults += [f"allowed_hosts: {host!r} is no host" for host in strange]
    if config.ca_cert and not _is_pem(config.ca_cert):
        faults.append("ca_cert must be certificates in PEM")
    if faults:
        raise CallerError("; ".join(faults))


def check_change(engine: Engine, name: str, known: Config, config: Config, given: dict[str, Any]) -> None:
    """Whoever may write a connection, but does not know its secrets, must not have them sent elsewhere.

    Raises: CallerError: 400 where the connection's own secrets are to be given again, 409 where a role's would go
        to where its owner did not send them.
    """
    changed = [field for field in GUARDS if getattr(known, field) != getattr(config, field)]
    again = [field for field in IDENTITY[1:] if getattr(known, field) and field not in given]
    if changed and again and config.auth_method != "none":
        raise CallerError(
            f"changing {', '.join(changed)} changes where {' and '.join(again)} would be sent: give it again",
            code="secret_needed",
        )
    leads_elsewhere = [field for field in ROLE_GUARDS if field in changed and not _is_narrower(field, known, config)]
    if not leads_elsewhere or (known.password and given.get("password") == known.password):
        return
    if user := engine.user_of(name):
        raise CallerError(
            f"changing {', '.join(leads_elsewhere)} changes where the password of the role {user} would be sent",
            status=HTTPStatus.CONFLICT,
            code="in_use",
            remedy="make another connection, and create the roles anew with it"
            if not known.password
            else "give the connection's present password in the same request",
        )


def _is_narrower(field: str, known: Config, config: Config) -> bool:
    """Whether the change leads to fewer places than before, or to one of Salesforce's own."""
    match field:
        case "login_url":
            return re.fullmatch(r"https://[a-z0-9.-]+\.salesforce\.com/?", config.login_url, re.IGNORECASE) is not None
        case "ca_cert":
            return not config.ca_cert
        case _:
            return set(config.allowed_hosts) <= set(known.allowed_hosts)


def _is_pem(text: str) -> bool:
    try:
        ssl.create_default_context(cadata=text)
    except (ssl.SSLError, ValueError, TypeError):  # the last where it is not ASCII
        return False
    return True


def _owner(name: str) -> str:
    return f"config/{name}"


PATH = Path(CONFIG, {Operation.UPDATE: write, Operation.READ: read, Operation.DELETE: delete, Operation.LIST: list_all})
