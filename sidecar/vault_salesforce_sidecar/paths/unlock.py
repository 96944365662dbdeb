"""`unlock/<role>`: the user was unlocked in Salesforce."""

from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_salesforce_contract.api.unlock import UNLOCK
from vault_salesforce_sidecar.engine import Engine


def unlock(engine: Engine, caller: Caller, role: str, username: str | None) -> None:
    """Count failed logins from zero again, on the operator's word."""
    engine.rotations.unlock(role, caller, username)


PATH = Path(UNLOCK, {Operation.UPDATE: unlock})
