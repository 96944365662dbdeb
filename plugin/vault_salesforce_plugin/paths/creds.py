"""`creds/<role>`: the credential under a lease on its version."""

from dataclasses import replace

from vault_plugin_sdk.framework.path import Path
from vault_plugin_sdk.framework.secret import Secret
from vault_plugin_sdk.logical.request import Caller, Lease, Operation
from vault_plugin_sdk.logical.response import LeaseGrant, Response
from vault_salesforce_contract.api.creds import CREDS
from vault_salesforce_plugin.leases import SECRET_TYPE, Lent, ending_grant, first_grant, lend, renewed_grant
from vault_salesforce_plugin.mount import Mount


async def read(mount: Mount, caller: Caller, role: str) -> Response:
    """The credential under a lease: a brief one, which triggers nothing, while the version is about to be replaced."""
    mount.require_active()
    longest = await mount.longest_lease_seconds()
    while True:
        held = await mount.held(role)
        warnings = await mount.unrest(role, held)
        now = mount.clock.now()
        lent = lend(role, held, brief=bool(warnings), longest=longest, caller=caller)
        if lent.brief or held.rotate_on_lease_end != "last":
            break
        lent = replace(lent, record=await mount.leases.add(role, held.version, lent.latest_end(now)))
        try:
            at_rest = await mount.is_at_rest(lent)
        except BaseException:
            mount.leases.disown(role, lent.record)
            raise
        # Storage took its time: what is due or replaced by now is not lent as if nothing had happened.
        if at_rest:
            break
        await mount.end(lent)
    # Without hints about time, whatever the role says: the lease is the hint, and an answer with both misleads agents.
    return Response(data=held.for_readers(), warnings=warnings, lease=first_grant(lent, held, now))


async def renew(mount: Mount, lease: Lease) -> LeaseGrant:
    """Always succeeds; two seconds are left where there is something newer to read."""
    mount.require_active()
    now = mount.clock.now()
    try:
        lent = Lent.from_internal(lease.internal_data)
    except (KeyError, TypeError, ValueError):
        return ending_grant(lease, now)
    unrest = lent.brief and not await mount.is_at_rest(lent)
    return renewed_grant(lent, lease, await mount.credentials.get(lent.role), now, unrest=unrest)


async def revoke(mount: Mount, lease: Lease) -> None:
    """Only marks, asks neither Salesforce nor a sidecar, and waits for no storage: so no lease becomes irrevocable."""
    mount.require_active()
    try:
        lent = Lent.from_internal(lease.internal_data)
    except (KeyError, TypeError, ValueError):
        return  # nothing that we know of was lent
    await mount.end(lent)


PATH = Path(CREDS, {Operation.READ: read})
SECRET = Secret(SECRET_TYPE, renew, revoke)
