"""`reveal/<role>`: break-glass, every secret that is held of a role's account."""

from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_plugin_sdk.logical.response import Response
from vault_salesforce_contract.api.reveal import REVEAL
from vault_salesforce_sidecar.engine import Engine


def read(engine: Engine, caller: Caller, role: str, *, username: str | None) -> Response:
    """The secrets, once the reading is in the role's history."""
    return Response(data=engine.revealing.reveal(role, caller, username).to_data())


PATH = Path(REVEAL, {Operation.READ: read})
