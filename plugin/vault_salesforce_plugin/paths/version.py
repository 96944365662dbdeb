"""`version/<role>`: which version is current and whether it is being changed; cheap to poll, no secret."""

from vault_plugin_sdk.framework.coerce import jsonable
from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_plugin_sdk.logical.response import Response
from vault_salesforce_contract.api.version import VERSION
from vault_salesforce_plugin.mount import Mount


async def read(mount: Mount, _: Caller, role: str) -> Response:
    """Version, time and `changing`. Only the active node hears sidecars, so only it can say "not changing"."""
    mount.require_active()
    held = await mount.held(role)
    return Response(
        data={
            "version": held.version,
            "last_vault_rotation": jsonable(held.last_vault_rotation),
            "changing": mount.sidecars.is_changing(role),
        }
    )


PATH = Path(VERSION, {Operation.READ: read})
