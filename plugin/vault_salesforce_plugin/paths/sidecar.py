"""`sidecar/<instance>`: registration and heartbeat; the answer is all that a sidecar needs to know. A root path."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from vault_plugin_sdk.framework.fields import build
from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.logical.errors import CallerError, EngineError, OperatorError
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_plugin_sdk.logical.response import Response, listing
from vault_salesforce_contract.api.sidecar import SIDECAR
from vault_salesforce_contract.registration import CONTRACT, DUE_AT_MOST, Held, Registration, RegistrationAnswer
from vault_salesforce_plugin import __version__
from vault_salesforce_plugin.http import Target
from vault_salesforce_plugin.mount import Mount
from vault_salesforce_plugin.sidecars import Sidecar


async def write(mount: Mount, caller: Caller, instance: str, **given: Any) -> Response:
    """Take a heartbeat; answer the key, the due marks, and what is held where the two halves differ."""
    mount.require_active()
    try:
        sidecar = await _registered(mount, caller, instance, build(Registration, given))
    except EngineError as exc:
        mount.sidecars.complain(instance, caller, exc.sentence)
        raise
    differing = mount.compare(sidecar)
    answer = RegistrationAnswer(
        accessor=mount.accessor,
        mount=mount.mount_point,
        public_key=mount.signer.public_key,
        contract=CONTRACT,
        version=__version__,
        due=await mount.due.next(DUE_AT_MOST),
        differing=differing,
        held=_held(mount, sidecar, differing or ()),
    )
    return Response(data=answer.to_data())


async def _registered(mount: Mount, caller: Caller, instance: str, registration: Registration) -> Sidecar:
    if registration.half_to_upgrade:
        mount.sidecars.refuse(instance, registration, caller)
        raise OperatorError(
            f"the sidecar speaks contract {registration.contract} and the plugin {CONTRACT}",
            status=HTTPStatus.CONFLICT,
            code="contract",
            remedy=f"upgrade the {registration.half_to_upgrade}",
        )
    try:
        Target.of(registration.url, registration.certificate)
    except ValueError as exc:
        raise CallerError(str(exc)) from exc
    return await mount.sidecars.register(instance, registration, caller)


async def read(mount: Mount, _: Caller, instance: str) -> Response | None:
    """One registration, and when it was last heard."""
    sidecar = await mount.sidecars.get(instance)
    if sidecar is None:
        return None
    registration = sidecar.registration
    told = {"url": registration.url, "certificate": registration.certificate, "owner": sidecar.owner}
    return Response(data=told | describe(mount, sidecar))


async def delete(mount: Mount, _: Caller, instance: str) -> None:
    """Forget it; one that runs registers again."""
    mount.require_active()
    await mount.sidecars.remove(instance)


async def list_instances(mount: Mount, _: Caller) -> Response:
    """All that are registered."""
    known = {sidecar.instance: describe(mount, sidecar) for sidecar in await mount.sidecars.all()}
    return listing(list(known), known)


def _held(mount: Mount, sidecar: Sidecar, differing: Sequence[int]) -> dict[int, dict[str, Held]]:
    """What is held where the halves differ: as much as one answer takes, each time from where the last one ended."""
    later = [part for part in differing if part > sidecar.told]
    held = mount.credentials.held([*later, *(part for part in differing if part <= sidecar.told)])
    sidecar.told = next(reversed(held), sidecar.told)
    return held


def describe(mount: Mount, sidecar: Sidecar) -> dict[str, Any]:
    """What an operator wants to know of a sidecar. Only the active node hears them."""
    said = sidecar.registration
    described: dict[str, Any] = {
        "version": said.version,
        "contract": said.contract,
        "compatible": not said.half_to_upgrade,
    }
    if not mount.standby:
        described |= {
            "last_heard_seconds": int(mount.sidecars.silent_seconds(sidecar)),
            "usable": not said.half_to_upgrade and mount.sidecars.is_fresh(sidecar),
            "reachable": sidecar.reachable,
            "reason": said.reason,
            "missing": said.lacking,
        }
    return described


PATH = Path(
    SIDECAR,
    {Operation.UPDATE: write, Operation.READ: read, Operation.DELETE: delete, Operation.LIST: list_instances},
)
