"""What a mount may ask of its server, over the mount's own broker connection: storage and the system view."""

import asyncio
from typing import Any

from google.protobuf.message import Message

from vault_plugin_sdk.logical.storage import ReadOnlyStorageError, StorageError
from vault_plugin_sdk.wire.broker import Broker, Connection
from vault_plugin_sdk.wire.convert import NANOSECONDS
from vault_plugin_sdk.wire.methods import RemoteMethod, RpcError
from vault_plugin_sdk.wire.proto import backend_pb2 as pb

CALL_SECONDS = 10.0
# The text is the server's own, in both products; errors of storage carry no code.
_READ_ONLY = "cannot write to readonly storage"

_LIST = RemoteMethod("/pb.Storage/List", pb.StorageListArgs, pb.StorageListReply)
_GET = RemoteMethod("/pb.Storage/Get", pb.StorageGetArgs, pb.StorageGetReply)
_PUT = RemoteMethod("/pb.Storage/Put", pb.StoragePutArgs, pb.StoragePutReply)
_DELETE = RemoteMethod("/pb.Storage/Delete", pb.StorageDeleteArgs, pb.StorageDeleteReply)
_DEFAULT_TTL = RemoteMethod("/pb.SystemView/DefaultLeaseTTL", pb.Empty, pb.TTLReply)
_MAX_TTL = RemoteMethod("/pb.SystemView/MaxLeaseTTL", pb.Empty, pb.TTLReply)
_TAINTED = RemoteMethod("/pb.SystemView/Tainted", pb.Empty, pb.TaintedReply)
_REPLICATION_STATE = RemoteMethod("/pb.SystemView/ReplicationState", pb.Empty, pb.ReplicationStateReply)
_GENERATE_PASSWORD = RemoteMethod(
    "/pb.SystemView/GeneratePasswordFromPolicy",
    pb.GeneratePasswordFromPolicyRequest,
    pb.GeneratePasswordFromPolicyReply,
)


class HostLink:
    """A mount's connection to its server, opened when first needed: `Setup` comes before the server is ready for it.

    Args:
        broker: Knows where service ids can be reached.
        service_id: The mount's own.
        limit_seconds: How long a call may take.
    """

    def __init__(self, broker: Broker, service_id: int, limit_seconds: float = CALL_SECONDS) -> None:
        self._broker = broker
        self._service_id = service_id
        self._limit_seconds = limit_seconds
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()

    async def call(self, method: RemoteMethod, request: Message) -> Any:
        """Make one call.

        Raises:
            StorageError: The server refused, cannot be reached, or did not answer in time; what was to be written may
                then have been.
        """
        try:
            async with asyncio.timeout(self._limit_seconds):
                connection = self._connection or await self._open()
                return await connection.call(method, request)
        except RpcError as exc:
            raise StorageError(exc.message) from exc
        except TimeoutError as exc:
            raise StorageError(f"the server's storage did not answer within {self._limit_seconds:g} s") from exc

    async def _open(self) -> Connection:
        async with self._opening:
            if self._connection is None:
                self._connection = await self._broker.connect(self._service_id)
            return self._connection

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()


class HostStorage:
    """The mount's storage: `logical.storage.Storage` over the wire."""

    def __init__(self, link: HostLink) -> None:
        self._link = link

    async def get(self, key: str) -> bytes | None:
        """See `Storage.get`."""
        reply = await self._link.call(_GET, pb.StorageGetArgs(key=key))
        _raise_for(reply.err)
        return reply.entry.value if reply.HasField("entry") else None

    async def put(self, key: str, value: bytes) -> None:
        """See `Storage.put`."""
        entry = pb.StorageEntry(key=key, value=value)
        reply = await self._link.call(_PUT, pb.StoragePutArgs(entry=entry))
        _raise_for(reply.err)

    async def delete(self, key: str) -> None:
        """See `Storage.delete`."""
        reply = await self._link.call(_DELETE, pb.StorageDeleteArgs(key=key))
        _raise_for(reply.err)

    async def list(self, prefix: str) -> list[str]:
        """See `Storage.list`."""
        reply = await self._link.call(_LIST, pb.StorageListArgs(prefix=prefix))
        _raise_for(reply.err)
        return list(reply.keys)


class HostSystemView:
    """The server's view of the mount: `logical.system.SystemView` over the wire."""

    def __init__(self, link: HostLink) -> None:
        self._link = link

    async def replication_state(self) -> int:
        """See `SystemView.replication_state`."""
        reply = await self._link.call(_REPLICATION_STATE, pb.Empty())
        return int(reply.state)

    async def default_lease_ttl_seconds(self) -> float:
        """See `SystemView.default_lease_ttl_seconds`."""
        reply = await self._link.call(_DEFAULT_TTL, pb.Empty())
        return float(reply.TTL / NANOSECONDS)

    async def max_lease_ttl_seconds(self) -> float:
        """See `SystemView.max_lease_ttl_seconds`."""
        reply = await self._link.call(_MAX_TTL, pb.Empty())
        return float(reply.TTL / NANOSECONDS)

    async def tainted(self) -> bool:
        """See `SystemView.tainted`."""
        reply = await self._link.call(_TAINTED, pb.Empty())
        return bool(reply.tainted)

    async def generate_password(self, policy: str) -> str:
        """See `SystemView.generate_password`."""
        request = pb.GeneratePasswordFromPolicyRequest(policy_name=policy)
        reply = await self._link.call(_GENERATE_PASSWORD, request)
        return str(reply.password)


def _raise_for(error: str) -> None:
    if not error:
        return
    if _READ_ONLY in error:
        raise ReadOnlyStorageError(error)
    raise StorageError(error)
