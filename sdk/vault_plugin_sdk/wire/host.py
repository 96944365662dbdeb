"""A mount's own connection to its server, and the mount's storage behind it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from google.protobuf.message import Message

from vault_plugin_sdk.logical.storage import ConflictError, ReadOnlyStorageError, Storage, StorageError, sliced
from vault_plugin_sdk.logical.system import NotOfferedError
from vault_plugin_sdk.wire.broker import Broker, Connection
from vault_plugin_sdk.wire.methods import RemoteMethod, RpcError, Status
from vault_plugin_sdk.wire.proto import backend_pb2 as pb

_log = logging.getLogger(__name__)

CALL_SECONDS = 10.0
# The texts are the servers' own; errors of storage carry no code.
_READ_ONLY = "cannot write to readonly storage"
_CONFLICT = "transaction commit failed"

_LIST = RemoteMethod("/pb.Storage/List", pb.StorageListArgs, pb.StorageListReply)
_PAGE = RemoteMethod("/pb.Storage/ListPage", pb.StorageListPageArgs, pb.StorageListReply)
_GET = RemoteMethod("/pb.Storage/Get", pb.StorageGetArgs, pb.StorageGetReply)
_PUT = RemoteMethod("/pb.Storage/Put", pb.StoragePutArgs, pb.StoragePutReply)
_DELETE = RemoteMethod("/pb.Storage/Delete", pb.StorageDeleteArgs, pb.StorageDeleteReply)
_IS_TRANSACTIONAL = RemoteMethod("/pb.Storage/IsTransactional", pb.Empty, pb.StorageIsTransactionalReply)
_BEGIN = RemoteMethod("/pb.Storage/BeginTx", pb.Empty, pb.StorageBeginTxReply)
_BEGIN_READ_ONLY = RemoteMethod("/pb.Storage/BeginReadOnlyTx", pb.Empty, pb.StorageBeginTxReply)
_COMMIT = RemoteMethod("/pb.Storage/Commit", pb.StorageEndTxArgs, pb.StorageEndTxReply)
_ROLLBACK = RemoteMethod("/pb.Storage/Rollback", pb.StorageEndTxArgs, pb.StorageEndTxReply)


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
        self._not_offered: set[str] = set()

    async def call(self, method: RemoteMethod, request: Message) -> Any:
        """Make one call.

        Raises:
            StorageError: The server refused, cannot be reached, or did not answer in time; what was to be written may
                then have been.
            NotOfferedError: It has no such call; it is asked once.
        """
        if method.path in self._not_offered:
            raise NotOfferedError(f"the server has no {method.path}")
        try:
            async with asyncio.timeout(self._limit_seconds):
                connection = self._connection or await self._open()
                return await connection.call(method, request)
        except RpcError as exc:
            if exc.status is Status.UNIMPLEMENTED:
                self._not_offered.add(method.path)
                raise NotOfferedError(f"the server has no {method.path}") from exc
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
    """The mount's storage: `logical.storage.Storage` over the wire.

    Args:
        link: The mount's connection.
        transaction_id: The transaction that every call is part of; "" where they stand alone.
    """

    def __init__(self, link: HostLink, transaction_id: str = "") -> None:
        self._link = link
        self._transaction_id = transaction_id
        self.transactional = False

    async def discover(self) -> None:
        """Ask once what this server's storage can do."""
        try:
            self.transactional = (await self._link.call(_IS_TRANSACTIONAL, pb.Empty())).transactional
        except NotOfferedError:
            self.transactional = False

    async def get(self, key: str) -> bytes | None:
        """See `Storage.get`."""
        reply = await self._link.call(_GET, pb.StorageGetArgs(key=key, txn=self._transaction_id))
        _raise_for(reply.err)
        return reply.entry.value if reply.HasField("entry") else None

    async def put(self, key: str, value: bytes) -> None:
        """See `Storage.put`."""
        entry = pb.StorageEntry(key=key, value=value)
        reply = await self._link.call(_PUT, pb.StoragePutArgs(entry=entry, txn=self._transaction_id))
        _raise_for(reply.err)

    async def delete(self, key: str) -> None:
        """See `Storage.delete`."""
        reply = await self._link.call(_DELETE, pb.StorageDeleteArgs(key=key, txn=self._transaction_id))
        _raise_for(reply.err)

    async def page(self, prefix: str, *, after: str = "", limit: int = 0) -> list[str]:
        """See `Storage.page`."""
        args = pb.StorageListPageArgs(prefix=prefix, after=after, limit=max(limit, 0), txn=self._transaction_id)
        try:
            reply = await self._link.call(_PAGE, args)
        except NotOfferedError:
            return sliced(await self.list(prefix), after, limit)
        _raise_for(reply.err)
        return list(reply.keys)

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncIterator[Storage]:
        """See `Storage.transaction`."""
        if not self.transactional:
            yield self
            return
        begun = await self._link.call(_BEGIN_READ_ONLY if read_only else _BEGIN, pb.Empty())
        _raise_for(begun.err)
        args = pb.StorageEndTxArgs(txn=begun.txn)
        try:
            yield HostStorage(self._link, begun.txn)
        except BaseException:
            await self._roll_back(args)
            raise
        ended = await self._link.call(_ROLLBACK if read_only else _COMMIT, args)
        _raise_for(ended.err)

    async def _roll_back(self, args: pb.StorageEndTxArgs) -> None:
        try:
            _raise_for((await self._link.call(_ROLLBACK, args)).err)
        except (StorageError, ReadOnlyStorageError) as exc:
            _log.warning("a transaction was not rolled back", extra={"fault": str(exc)})

    async def list(self, prefix: str) -> list[str]:
        """See `Storage.list`."""
        reply = await self._link.call(_LIST, pb.StorageListArgs(prefix=prefix, txn=self._transaction_id))
        _raise_for(reply.err)
        return list(reply.keys)


def _raise_for(error: str) -> None:
    if not error:
        return
    if _READ_ONLY in error:
        raise ReadOnlyStorageError(error)
    if _CONFLICT in error:
        raise ConflictError(_CONFLICT)  # its text may hold entries
    raise StorageError(error)
