"""`hold` and `hold/<config>`: the brake."""

from typing import Any

from vault_plugin_sdk.framework.coerce import jsonable
from vault_plugin_sdk.framework.fields import read_back
from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.logical.errors import CallerError
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_plugin_sdk.logical.response import Response, listing
from vault_salesforce_contract.api.hold import HOLD, HOLD_ALL, until_of
from vault_salesforce_sidecar.engine import Engine
from vault_salesforce_sidecar.records.hold import ANOTHER_ORG, Hold
from vault_salesforce_sidecar.rotation.holds import ALL

# What a list shows of each, and the name in it of the hold on every connection.
MAIN = ("reason", "since", "until", "held_by", "cause")
ALL_NAME = "(all)"
_OVER = ("released_at", "released_by")


def write(
    engine: Engine, caller: Caller, config: str = ALL, *, reason: str | None = None, until: str | None = None
) -> Response:
    """Hold a connection, or change why and how long."""
    now = engine.clock.now()
    end = until_of(until, now) if until else None
    if end is not None and end <= now:
        raise CallerError("until is in the past: nothing would be held")
    if config and engine.connections.get(config) is None:
        raise CallerError(f"there is no connection config/{config}", remedy="vault list sf/config")
    engine.rotations.holds.write(config, caller, reason, end, keep_end=until is None)
    warnings: tuple[str, ...] = ()
    if (held := engine.rotations.holds.get(config)) is not None and held.cause == ANOTHER_ORG and end is not None:
        warnings = ("the org is still another one: without organization_id at the connection it is held again",)
    return Response(warnings=warnings)


def read(engine: Engine, _caller: Caller, config: str = ALL) -> Response:
    """The hold, if it is on."""
    held = engine.rotations.holds.get(config)
    return Response(data=_members(held) if held else None)


def delete(engine: Engine, caller: Caller, config: str = ALL) -> None:
    """End a hold; one that is not on is no error."""
    engine.rotations.holds.release(config, caller)


def list_all(engine: Engine, _caller: Caller) -> Response:
    """What is held, with why and by whom."""
    found = {name: hold for name in engine.rotations.holds.names() if (hold := engine.rotations.holds.get(name))}
    told = {name or ALL_NAME: _members(hold) for name, hold in found.items()}
    return listing(sorted(told), {name: {one: data[one] for one in MAIN if one in data} for name, data in told.items()})


def _members(held: Hold) -> dict[str, Any]:
    """What is known of it, without what is empty."""
    return {
        name: jsonable(value) for name, value in read_back(held).items() if name not in _OVER and value not in ("", [])
    }


PATHS = (
    Path(HOLD_ALL, {Operation.UPDATE: write, Operation.READ: read, Operation.DELETE: delete}),
    Path(HOLD, {Operation.UPDATE: write, Operation.READ: read, Operation.DELETE: delete, Operation.LIST: list_all}),
)
