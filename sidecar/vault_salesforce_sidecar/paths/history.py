"""`history/<role>`: the rotations of a role."""

from vault_plugin_sdk.framework.fields import read_back
from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_plugin_sdk.logical.response import Response
from vault_salesforce_contract.api.history import HISTORY
from vault_salesforce_sidecar.engine import Engine


def read(engine: Engine, _caller: Caller, role: str) -> Response:
    """Each rotation, newest first."""
    return Response(data={"rotations": [read_back(entry) for entry in engine.rotations.history(role)]})


PATH = Path(HISTORY, {Operation.READ: read})
