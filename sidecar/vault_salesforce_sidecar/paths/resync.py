"""`resync/<role>`: say what is true now."""

from typing import Any

from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_plugin_sdk.logical.response import Response
from vault_salesforce_contract.api.resync import RESYNC
from vault_salesforce_contract.text import one_line
from vault_salesforce_sidecar.engine import Engine


def resync(
    engine: Engine,
    caller: Caller,
    role: str,
    *,
    password: SecretStr | None,
    security_token: SecretStr | None,
    wait: int,
    **given: Any,
) -> Response:
    """Prove the given pair, or one that the engine holds, with one login. `given` is the field `try`: a keyword."""
    password, security_token = one_line(password), one_line(security_token)
    held = given["try"]
    if held is not None and (password is not None or security_token is not None):
        raise CallerError("try names what the engine holds: give either it or a password and a security_token")
    with engine.waiting(wait) as seconds:
        view = engine.handed_in.resync(
            role, caller, password=password, security_token=security_token, try_=held, wait=seconds
        )
    return view.to_response()


PATH = Path(RESYNC, {Operation.UPDATE: resync})
