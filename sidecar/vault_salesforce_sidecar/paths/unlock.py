"""`unlock/<role>`: unlock the user, and count failed logins from zero."""

from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_plugin_sdk.logical.response import Response
from vault_salesforce_contract.api.unlock import UNLOCK
from vault_salesforce_sidecar.engine import Engine


def unlock(engine: Engine, caller: Caller, role: str, username: str | None) -> Response:
    """Clear Salesforce's lock where the connection's identity may, and count failed logins from zero again."""
    with engine.place(caller, role):
        return Response(warnings=engine.rotations.unlock(role, caller, username))


PATH = Path(UNLOCK, {Operation.UPDATE: unlock})
