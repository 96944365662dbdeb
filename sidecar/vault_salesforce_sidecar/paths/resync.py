"""`resync/<role>`: say what is true now."""

from typing import Any

from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, EngineError
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_plugin_sdk.logical.response import Response
from vault_salesforce_contract.api.resync import RESYNC
from vault_salesforce_contract.text import one_line
from vault_salesforce_sidecar.claims import ACCOUNT
from vault_salesforce_sidecar.engine import Engine
from vault_salesforce_sidecar.rotation.mending import MENDS


def resync(
    engine: Engine,
    caller: Caller,
    role: str,
    *,
    password: SecretStr | None,
    security_token: SecretStr | None,
    username: str | None,
    wait: int,
    **given: Any,
) -> Response:
    """Prove the given pair, or one that the engine holds, with one login. `given` is the field `try`: a keyword."""
    password, security_token = one_line(password), one_line(security_token)
    held = given["try"]
    if held is not None and (password is not None or security_token is not None):
        raise CallerError("try is instead of a password: give either it or a password and a security_token")
    if username is not None:
        with engine.place(caller, role):
            _follow(engine, caller, role, username, password=password, security_token=security_token)
    with engine.waiting(wait, caller, role) as seconds:
        if held in MENDS:
            return engine.mending.mend(role, caller, held, seconds).to_response()
        view = engine.handed_in.resync(
            role, caller, password=password, security_token=security_token, try_=held, wait=seconds
        )
    return view.to_response()


def _follow(
    engine: Engine,
    caller: Caller,
    role: str,
    username: str,
    *,
    password: SecretStr | None,
    security_token: SecretStr | None,
) -> None:
    """Let the role follow its user to another name, which nobody else gets meanwhile."""
    known, owner = engine.roles.get(role), f"static-roles/{role}"
    if known is None or known.record.username.lower() == username.lower():
        return
    engine.claims.take(ACCOUNT, username, owner)
    try:
        engine.renaming.follow(role, username, caller, password=password, security_token=security_token)
    except EngineError:
        now = engine.roles.get(role)
        if now is None or now.record.username.lower() != username.lower():
            engine.claims.release(ACCOUNT, username, owner)
        raise
    engine.claims.release(ACCOUNT, known.record.username, owner)


PATH = Path(RESYNC, {Operation.UPDATE: resync})
