"""`security-token/<role>`: hand in a new security token."""

from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_plugin_sdk.logical.response import Response
from vault_salesforce_contract.api.security_token import SECURITY_TOKEN
from vault_salesforce_contract.text import one_line
from vault_salesforce_sidecar.engine import Engine


def hand_in(
    engine: Engine,
    caller: Caller,
    role: str,
    *,
    security_token: SecretStr | None = None,
    mail: SecretStr | None = None,
    wait: int,
) -> Response:
    """Prove the token with one login, then publish it."""
    token = one_line(security_token) or None
    with engine.waiting(wait, caller, role) as seconds:
        return engine.handed_in.security_token(role, token, caller, seconds, mail or None).to_response()


PATH = Path(SECURITY_TOKEN, {Operation.UPDATE: hand_in})
