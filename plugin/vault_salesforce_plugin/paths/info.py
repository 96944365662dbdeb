"""`info`: versions, sidecars and when they were last heard, due marks, how much is published, and what to do next."""

from typing import Any

from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_plugin_sdk.logical.response import Response
from vault_salesforce_contract.api.info import INFO
from vault_salesforce_contract.registration import CONTRACT, DUE_AT_MOST, STALE_SECONDS
from vault_salesforce_plugin import __version__
from vault_salesforce_plugin.mount import Mount
from vault_salesforce_plugin.paths.sidecar import describe
from vault_salesforce_plugin.sidecars import Sidecar


async def read(mount: Mount, _: Caller) -> Response:
    """How this node's half is. No secret, and no call to a sidecar."""
    sidecars = await mount.sidecars.all()
    shown = {sidecar.instance: sidecar for sidecar in sidecars} | mount.sidecars.refused
    due = await mount.due.all()
    data: dict[str, Any] = {
        "version": __version__,
        "contract": CONTRACT,
        "standby": mount.standby,
        "sidecars": {name: describe(mount, sidecar) for name, sidecar in sorted(shown.items())},
        "due": [
            {"role": mark.role, "version": mark.version, "rotation_id": mark.rotation_id, "cause": mark.cause}
            for mark in due[:DUE_AT_MOST]
        ],
        "due_count": len(due),
        "published": len(await mount.credentials.roles()),
    }
    if not mount.standby:
        data |= {
            "complete": mount.holds_all(sidecars),
            "missing": mount.sidecars.missing(),
            "next_step": _next_step(mount, sidecars),
        }
    return Response(data=data)


def _next_step(mount: Mount, sidecars: list[Sidecar]) -> str:
    """What to do about the first thing that is wrong; empty where nothing is."""
    return _about_sidecars(mount, sidecars) or _about_copies(mount, sidecars) or _about_silent(mount, sidecars)


def _about_sidecars(mount: Mount, sidecars: list[Sidecar]) -> str:
    for stranger in mount.sidecars.refused.values():
        said = stranger.registration
        numbers = f"the sidecar {stranger.instance} speaks contract {said.contract}, and the plugin {CONTRACT}"
        return f"upgrade the {said.half_to_upgrade}: {numbers}"
    if not sidecars:
        return f"start `vault-salesforce sidecar`: it registers at {mount.mount_point}sidecar/<instance>"
    fresh = [sidecar for sidecar in sidecars if mount.sidecars.is_fresh(sidecar)]
    if not fresh:
        last = min(sidecars, key=mount.sidecars.silent_seconds)
        seconds = mount.sidecars.silent_seconds(last)
        ready = f"{last.registration.url}/health/ready"
        return f"{last.instance} was last heard {seconds:.0f} s ago: see whether it runs, and what {ready} says"
    for sidecar in fresh:
        if sidecar.registration.reason:
            return f"the sidecar {sidecar.instance} says: {sidecar.registration.reason}"
    for sidecar in fresh:
        if not sidecar.reachable:
            url = sidecar.registration.url
            return f"see whether this server may connect to {url}: the sidecar {sidecar.instance} was not reached there"
    return ""


def _about_copies(mount: Mount, sidecars: list[Sidecar]) -> str:
    if missing := mount.sidecars.missing():
        return f"wait: {missing} still to be handed over; a read of one that is missing is answered with 503 meanwhile"
    if not mount.holds_all(sidecars):
        return "wait: what is held here is being compared with KV"
    return ""


def _about_silent(mount: Mount, sidecars: list[Sidecar]) -> str:
    for sidecar in sidecars:
        if not mount.sidecars.is_fresh(sidecar):
            forget = f"vault delete {mount.mount_point}sidecar/{sidecar.instance}"
            return f"{sidecar.instance} was not heard for {STALE_SECONDS} s: start it, or forget it with `{forget}`"
    return ""


PATH = Path(INFO, {Operation.READ: read})
