"""The server's view of a mount, over the mount's own connection."""

from collections.abc import Mapping
from typing import Any

from vault_plugin_sdk.logical.storage import StorageError
from vault_plugin_sdk.logical.system import Alias, Entity, Group, Wrapped
from vault_plugin_sdk.wire.convert import NANOSECONDS, json_text, moment_of
from vault_plugin_sdk.wire.host import HostLink
from vault_plugin_sdk.wire.methods import RemoteMethod
from vault_plugin_sdk.wire.proto import backend_pb2 as pb

_DEFAULT_TTL = RemoteMethod("/pb.SystemView/DefaultLeaseTTL", pb.Empty, pb.TTLReply)
_MAX_TTL = RemoteMethod("/pb.SystemView/MaxLeaseTTL", pb.Empty, pb.TTLReply)
_TAINTED = RemoteMethod("/pb.SystemView/Tainted", pb.Empty, pb.TaintedReply)
_CACHING_DISABLED = RemoteMethod("/pb.SystemView/CachingDisabled", pb.Empty, pb.CachingDisabledReply)
_LOCAL_MOUNT = RemoteMethod("/pb.SystemView/LocalMount", pb.Empty, pb.LocalMountReply)
_MLOCK_ENABLED = RemoteMethod("/pb.SystemView/MlockEnabled", pb.Empty, pb.MlockEnabledReply)
_REPLICATION_STATE = RemoteMethod("/pb.SystemView/ReplicationState", pb.Empty, pb.ReplicationStateReply)
_ENTITY = RemoteMethod("/pb.SystemView/EntityInfo", pb.EntityInfoArgs, pb.EntityInfoReply)
_GROUPS = RemoteMethod("/pb.SystemView/GroupsForEntity", pb.EntityInfoArgs, pb.GroupsForEntityReply)
_WRAP = RemoteMethod("/pb.SystemView/ResponseWrapData", pb.ResponseWrapDataArgs, pb.ResponseWrapDataReply)
_ENVIRONMENT = RemoteMethod("/pb.SystemView/PluginEnv", pb.Empty, pb.PluginEnvReply)
_CLUSTER = RemoteMethod("/pb.SystemView/ClusterInfo", pb.Empty, pb.ClusterInfoReply)
_IDENTITY_TOKEN = RemoteMethod(
    "/pb.SystemView/GenerateIdentityToken", pb.GenerateIdentityTokenRequest, pb.GenerateIdentityTokenResponse
)
_GENERATE_PASSWORD = RemoteMethod(
    "/pb.SystemView/GeneratePasswordFromPolicy",
    pb.GeneratePasswordFromPolicyRequest,
    pb.GeneratePasswordFromPolicyReply,
)


class HostSystemView:
    """The server's view of the mount: `logical.system.SystemView` over the wire."""

    def __init__(self, link: HostLink) -> None:
        self._link = link

    async def replication_state(self) -> int:
        """See `SystemView.replication_state`."""
        return int((await self._ask(_REPLICATION_STATE)).state)

    async def default_lease_ttl_seconds(self) -> float:
        """See `SystemView.default_lease_ttl_seconds`."""
        return float((await self._ask(_DEFAULT_TTL)).TTL / NANOSECONDS)

    async def max_lease_ttl_seconds(self) -> float:
        """See `SystemView.max_lease_ttl_seconds`."""
        return float((await self._ask(_MAX_TTL)).TTL / NANOSECONDS)

    async def tainted(self) -> bool:
        """See `SystemView.tainted`."""
        return bool((await self._ask(_TAINTED)).tainted)

    async def caching_disabled(self) -> bool:
        """See `SystemView.caching_disabled`."""
        return bool((await self._ask(_CACHING_DISABLED)).disabled)

    async def local_mount(self) -> bool:
        """See `SystemView.local_mount`."""
        return bool((await self._ask(_LOCAL_MOUNT)).local)

    async def mlock_enabled(self) -> bool:
        """See `SystemView.mlock_enabled`."""
        return bool((await self._ask(_MLOCK_ENABLED)).enabled)

    async def generate_password(self, policy: str) -> str:
        """See `SystemView.generate_password`."""
        return str((await self._ask(_GENERATE_PASSWORD, policy_name=policy)).password)

    async def entity(self, entity_id: str) -> Entity | None:
        """See `SystemView.entity`."""
        reply = await self._ask(_ENTITY, entity_id=entity_id)
        if not reply.HasField("entity"):
            return None
        found = reply.entity
        aliases = tuple(
            Alias(alias.name, alias.mount_accessor, alias.mount_type, dict(alias.metadata)) for alias in found.aliases
        )
        return Entity(found.ID, found.name, dict(found.metadata), aliases, found.disabled)

    async def groups_of_entity(self, entity_id: str) -> tuple[Group, ...]:
        """See `SystemView.groups_of_entity`."""
        reply = await self._ask(_GROUPS, entity_id=entity_id)
        return tuple(Group(group.ID, group.name, dict(group.metadata)) for group in reply.groups)

    async def wrap(self, data: Mapping[str, Any], ttl_seconds: float) -> Wrapped:
        """See `SystemView.wrap`."""
        info = (await self._ask(_WRAP, data=json_text(data), TTL=int(ttl_seconds * NANOSECONDS))).wrap_info
        return Wrapped(info.token, info.accessor, info.TTL / NANOSECONDS, moment_of(info.creation_time))

    async def server_version(self) -> str:
        """See `SystemView.server_version`."""
        return str((await self._ask(_ENVIRONMENT)).plugin_environment.vault_version)

    async def cluster_id(self) -> str:
        """See `SystemView.cluster_id`."""
        return str((await self._ask(_CLUSTER)).cluster_id)

    async def identity_token(self, audience: str, ttl_seconds: float) -> str:
        """See `SystemView.identity_token`."""
        return str((await self._ask(_IDENTITY_TOKEN, audience=audience, ttl=int(ttl_seconds))).token)

    async def _ask(self, method: RemoteMethod, **arguments: Any) -> Any:
        """The reply to a call; some carry an error of their own."""
        reply = await self._link.call(method, method.request_type(**arguments))
        if error := getattr(reply, "err", ""):
            raise StorageError(error)
        return reply
