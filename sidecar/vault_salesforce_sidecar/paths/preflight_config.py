"""`preflight-config/<name>`: whether a connection works."""

from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_plugin_sdk.logical.response import Response
from vault_salesforce_contract.api.preflight_config import PREFLIGHT_CONFIG
from vault_salesforce_sidecar.engine import Engine
from vault_salesforce_sidecar.paths.preflight import answer


def read(engine: Engine, caller: Caller, name: str) -> Response:
    """A row for each check."""
    with engine.place(caller, name):
        return answer(engine.diagnosis.of_connection(name))


PATH = Path(PREFLIGHT_CONFIG, {Operation.READ: read})
