"""`preflight/<role>`: what a rotation of this role depends on."""

from collections.abc import Sequence

from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_plugin_sdk.logical.response import Response
from vault_salesforce_contract.api.preflight import PREFLIGHT
from vault_salesforce_sidecar.diagnosis.rows import Row, worst
from vault_salesforce_sidecar.engine import Engine


def read(engine: Engine, caller: Caller, role: str) -> Response:
    """A row for each check."""
    with engine.place(caller, role):
        return answer(engine.diagnosis.of_role(role))


def answer(rows: Sequence[Row]) -> Response:
    """The rows, and the worst of them."""
    return Response(data={"result": worst(rows).value, "checks": [row.to_json() for row in rows]})


PATH = Path(PREFLIGHT, {Operation.READ: read})
