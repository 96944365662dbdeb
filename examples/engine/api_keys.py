"""An engine in sixty lines: API keys under leases. `keys/` in its storage stands for the service that checks them."""

import secrets
from dataclasses import dataclass

import vault_plugin_sdk.engine as sdk
from vault_plugin_sdk.engine import Operation as On
from vault_plugin_sdk.wire.serve import serve


@dataclass(frozen=True)
class Role:
    scopes: tuple[str, ...] = sdk.field(sdk.LIST, "What a key may do.")
    ttl: int = sdk.field(sdk.DURATION, "Length of a lease.", default=600, minimum=1)


class Keys(sdk.Backend):
    def __init__(self) -> None:
        role = sdk.Description("roles/{name}", "What the keys of a role may do, and how long.", sdk.fields_of(Role))
        roles = sdk.Path(role, {On.UPDATE: Keys.write, On.READ: Keys.read, On.DELETE: Keys.delete, On.LIST: Keys.names})
        creds = sdk.Description("creds/{role}", "A new key of a role, under a lease.")
        self.key = sdk.Secret("api_key", Keys.renew, Keys.revoke)
        paths = [roles, sdk.Path(creds, {On.READ: Keys.issue})]
        super().__init__(paths, secrets=[self.key], introduction="API keys under leases.")

    async def initialize(self) -> None:
        await super().initialize()
        self.roles = sdk.Records(self.storage, "roles/", Role)

    async def write(self, _: sdk.Caller, name: str, **given: object) -> None:
        await self.roles.put(name, sdk.build(Role, given, await self.roles.get(name)))

    async def read(self, _: sdk.Caller, name: str) -> sdk.Response | None:
        role = await self.roles.get(name)
        return sdk.Response(sdk.read_back(role)) if role else None

    async def delete(self, _: sdk.Caller, name: str) -> None:
        await self.roles.delete(name)

    async def names(self, _: sdk.Caller) -> sdk.Response:
        roles = await self.roles.all()
        return sdk.listing(list(roles), {name: sdk.read_back(role) for name, role in roles.items()})

    async def issue(self, _: sdk.Caller, role: str) -> sdk.Response:
        known = await self.roles.get(role)
        if known is None:
            raise sdk.CallerError(f"there is no role {role!r}", remedy=f"write roles/{role} first")
        key = secrets.token_urlsafe(20)
        await self.storage.put(f"keys/{key}", ",".join(known.scopes).encode())
        return sdk.Response({"api_key": key}, lease=self.key.grant(known.ttl, 86_400, key=key, ttl=known.ttl))

    async def renew(self, lease: sdk.Lease) -> sdk.LeaseGrant:
        return sdk.LeaseGrant.renewing(lease, lease.increment_seconds or lease.internal_data["ttl"])

    async def revoke(self, lease: sdk.Lease) -> None:
        await self.storage.delete(f"keys/{lease.internal_data['key']}")


if __name__ == "__main__":
    serve(Keys, version="1.0.0")
