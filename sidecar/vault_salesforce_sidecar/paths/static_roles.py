"""`static-roles/<name>`: an existing Salesforce user whose password is rotated."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from vault_plugin_sdk.framework.fields import build, read_back
from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, EngineError
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_plugin_sdk.logical.response import Response, listing
from vault_salesforce_contract.api.config import Config
from vault_salesforce_contract.api.static_roles import STATIC_ROLE, StaticRole
from vault_salesforce_contract.text import one_line
from vault_salesforce_sidecar.claims import ACCOUNT, ROLE_NAME
from vault_salesforce_sidecar.engine import Engine
from vault_salesforce_sidecar.rotation import schedule
from vault_salesforce_sidecar.rotation.parts import check_allowed
from vault_salesforce_sidecar.store import KvUnavailable

UNLEASED_READERS = (
    "readers without a lease (static-creds, KV) do not hold a version: a rotation that a lease's end begins takes "
    "theirs away; give a role one kind of reader, or set rotate_on_lease_end=never"
)


def write(
    engine: Engine,
    caller: Caller,
    name: str,
    *,
    password: SecretStr | None = None,
    security_token: SecretStr | None = None,
    **given: Any,
) -> Response:
    """Create or change a role; creating proves the given credential with one login."""
    password, security_token = one_line(password), one_line(security_token)
    known = engine.roles.get(name)
    role = build(StaticRole, _instead(given) | given if known else given, known.record if known else None)
    connection = engine.connections.get(role.config)
    if connection is None:
        raise CallerError(f"there is no connection config/{role.config}", remedy="create it first")
    check(name, role, connection.record)
    if role.password_policy and (known is None or role.password_policy != known.record.password_policy):
        engine.require_password_policy(role.password_policy)
    if known:
        return Response(warnings=engine.handed_in.update(name, known, role, password, security_token))
    owner = _owner(name)
    with engine.place(caller, name):
        engine.claims.take(ROLE_NAME, name, owner)
        try:
            engine.claims.take(ACCOUNT, role.username, owner)
            warnings = engine.handed_in.enrol(name, role, password, security_token, caller)
        except EngineError:
            with suppress(KvUnavailable):  # a claim whose owner never comes lapses by itself
                _give_up(engine, name, role)
            raise
    return Response(warnings=(*warnings, *((UNLEASED_READERS,) if role.rotate_on_lease_end != "never" else ())))


def read(engine: Engine, _caller: Caller, name: str) -> Response:
    """The role, without its secrets."""
    known = engine.roles.get(name)
    return Response(data=read_back(known.record) if known else None)


def delete(engine: Engine, caller: Caller, name: str) -> None:
    """Forget a role; its secrets stay in the journal for a while. One that is not there is no error."""
    known = engine.roles.get(name)
    if known is None:
        return
    engine.rotations.delete(name, caller)
    engine.roles.delete(name, known.version)
    _give_up(engine, name, known.record)


def list_all(engine: Engine, _caller: Caller) -> Response:
    """The names, with the state of each."""
    # Only what memory does not know is read: ten thousand reads would take longer than the plugin waits.
    statuses = engine.rotations.statuses()
    names = sorted(name for name in engine.roles.list() if name in statuses or engine.roles.get(name))
    return listing(names, {name: {"state": statuses[name].state} for name in names if name in statuses})


def check(name: str, role: StaticRole, connection: Config) -> None:
    """Raises CallerError: 400 with every fault that shows without a login, 409 where the connection forbids it."""
    faults = _faults_of_role(role)
    if role.security_token_from == "mailbox" and not connection.mailbox:  # noqa: S105 - where tokens come from
        faults.append(f"security_token_from=mailbox needs the mailbox of config/{role.config}")
    if faults:
        raise CallerError("; ".join(faults))
    check_allowed(name, role, connection)


def _faults_of_role(role: StaticRole) -> list[str]:
    faults = schedule.faults(role)
    if role.ttl > role.max_ttl:
        faults.append("ttl must not be longer than max_ttl")
    return faults


def _instead(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is no longer so where a role gets a schedule in place of its period, or the reverse."""
    if given.get("rotation_schedule"):
        return {"rotation_period": None}
    if given.get("rotation_period"):
        return {"rotation_schedule": "", "rotation_window": None, "rotation_time_zone": "UTC"}
    return {}


def _give_up(engine: Engine, name: str, role: StaticRole) -> None:
    """Release what a role had claimed, unless it is there after all."""
    if engine.roles.get(name) is None:
        engine.claims.release(ACCOUNT, role.username, _owner(name))
        engine.claims.release(ROLE_NAME, name, _owner(name))


def _owner(name: str) -> str:
    return f"static-roles/{name}"


PATH = Path(
    STATIC_ROLE, {Operation.UPDATE: write, Operation.READ: read, Operation.DELETE: delete, Operation.LIST: list_all}
)
