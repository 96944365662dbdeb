"""`static-creds/<role>`: the credential without a lease, answered from memory while no sidecar can be reached."""

from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_plugin_sdk.logical.response import Response
from vault_salesforce_contract.api.static_creds import STATIC_CREDS
from vault_salesforce_plugin.credentials import hinted
from vault_salesforce_plugin.mount import Mount


async def read(mount: Mount, _: Caller, role: str) -> Response:
    """The credential; a warning says that it is about to be replaced."""
    held = await mount.held(role)
    return Response(data=hinted(held, mount.clock.now()), warnings=await mount.unrest(role, held))


PATH = Path(STATIC_CREDS, {Operation.READ: read})
