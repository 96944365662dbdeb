"""`published/<role>`: a sidecar hands over a committed credential. A root path."""

from typing import Any

from vault_plugin_sdk.framework.fields import build, read_back
from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_plugin_sdk.logical.response import Response, listing
from vault_salesforce_contract.api.published import PUBLISHED
from vault_salesforce_contract.published import PublishedCredential
from vault_salesforce_plugin.mount import Mount

MAIN = ("version", "last_vault_rotation", "deleted")


async def write(mount: Mount, _: Caller, role: str, **given: Any) -> None:
    """Take it over; marks of the version before it are void from here on."""
    mount.require_active()
    before = await mount.credentials.get(role)
    credential = build(PublishedCredential, given)
    await mount.credentials.put(role, credential)
    if before is None or before.version != credential.version:
        mount.sidecars.has_published(role)
    await mount.due.prune()


async def read(mount: Mount, _: Caller, role: str) -> Response | None:
    """What is held, without its secrets; also of a deleted role."""
    held = await mount.credentials.get(role)
    return None if held is None else Response(data=read_back(held))


async def delete(mount: Mount, _: Caller, role: str) -> None:
    """Forget the copy. Where KV still has it, a sidecar hands it over again."""
    mount.require_active()
    await mount.credentials.remove(role)
    mount.lost_a_copy()
    await mount.due.prune()


async def list_roles(mount: Mount, _: Caller) -> Response:
    """The roles of which something is held, with the main things of each; the same at every node."""
    await mount.credentials.load()
    roles = await mount.credentials.roles()
    told = {role: read_back(held) for role in roles if (held := await mount.credentials.get(role))}
    return listing(roles, {role: {name: data[name] for name in MAIN} for role, data in told.items()})


PATH = Path(
    PUBLISHED,
    {Operation.UPDATE: write, Operation.READ: read, Operation.DELETE: delete, Operation.LIST: list_roles},
)
