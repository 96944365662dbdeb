"""`info`: versions, sidecars and when they were last heard, due marks, how much is published."""

from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_plugin_sdk.logical.response import Response
from vault_salesforce_contract.api.info import INFO
from vault_salesforce_contract.registration import CONTRACT
from vault_salesforce_plugin import __version__
from vault_salesforce_plugin.mount import Mount
from vault_salesforce_plugin.paths.sidecar import describe


async def read(mount: Mount, _: Caller) -> Response:
    """How this node's half is. No secret, and no call to a sidecar."""
    sidecars = await mount.sidecars.all()
    return Response(
        data={
            "version": __version__,
            "contract": CONTRACT,
            "standby": mount.standby,
            "sidecars": {sidecar.instance: describe(mount, sidecar) for sidecar in sidecars},
            "due": [vars(mark) for mark in await mount.due.all()],
            "published": len(await mount.credentials.roles()),
        }
    )


PATH = Path(INFO, {Operation.READ: read})
