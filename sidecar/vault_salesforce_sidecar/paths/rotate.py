"""`rotate/<role>`: rotate now, or watch what is under way."""

from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.logical.errors import CallerError
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_plugin_sdk.logical.response import Response
from vault_salesforce_contract.api.rotate import ROTATE
from vault_salesforce_sidecar.engine import Engine
from vault_salesforce_sidecar.rotation.asking import OutcomeUnknown


def rotate(
    engine: Engine,
    caller: Caller,
    role: str,
    *,
    expected_version: int | None,
    rotation_id: str | None,
    wait: int,
    allow_security_token_wait: bool,
    force: bool,
    end_sessions: bool,
) -> Response:
    """Begin or join a rotation, and watch it for `wait` seconds where a waiting place is free.

    Where Vault does not say whether it was written down, that is no error: 5xx promises that nothing began.

    Raises: OperatorError: 424, the org refused it before anything was changed; who only watches is told without one.
    """
    if rotation_id is not None and end_sessions:
        raise CallerError("rotation_id only watches a rotation: end_sessions asks for more")
    with engine.waiting(wait, caller, role) as seconds:
        try:
            view = engine.rotations.rotate(
                role,
                caller,
                expected_version=expected_version,
                rotation_id=rotation_id,
                wait=seconds,
                allow_security_token_wait=allow_security_token_wait,
                force=force,
                end_sessions=end_sessions,
            )
        except OutcomeUnknown as unknown:
            watch = f"a rotation may be going on; watch it with: vault read {engine.rotations.mount}/status/{role}"
            unknown_view = {"role": role, "state": "unknown", "done": False}
            return Response(data=unknown_view, warnings=(f"{unknown.sentence}: {watch}",))
    if view.refusal is not None and rotation_id is None:
        raise view.refusal
    return view.to_response()


PATH = Path(ROTATE, {Operation.UPDATE: rotate})
