"""`status/<role>`: how a role is, and the one next step."""

from dataclasses import fields
from typing import Any

from vault_plugin_sdk.framework.coerce import jsonable
from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_plugin_sdk.logical.response import Response, listing
from vault_salesforce_contract.api.status import STATUS
from vault_salesforce_sidecar.engine import Engine
from vault_salesforce_sidecar.rotation.views import Status

# What a list shows of each.
MAIN = (
    "state",
    "since",
    "reason",
    "version",
    "last_vault_rotation",
    "next_rotation",
    "password_expires",
    "token_state",
    "way_in",
    "way_in_ends",
)


def read(engine: Engine, _caller: Caller, role: str) -> Response:
    """The role's status."""
    return Response(data=_members(engine.rotations.status(role)))


def list_all(engine: Engine, _caller: Caller) -> Response:
    """The roles, with the main members of each."""
    found = {role: _members(status) for role, status in engine.rotations.statuses().items()}
    return listing(
        sorted(found), {role: {name: data[name] for name in MAIN if name in data} for role, data in found.items()}
    )


def _members(status: Status) -> dict[str, Any]:
    """What is known of it; unknown members are left out."""
    values = {item.name: getattr(status, item.name) for item in fields(status)}
    return {name: jsonable(value) for name, value in values.items() if value is not None}


PATH = Path(STATUS, {Operation.READ: read, Operation.LIST: list_all})
