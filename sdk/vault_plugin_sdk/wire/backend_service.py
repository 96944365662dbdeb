"""pb.Backend: each call goes to the Backend of its multiplex id, and its answer is one that the server can take."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault_plugin_sdk.logical.errors import EngineError, ForwardToActive, InternalError
from vault_plugin_sdk.logical.request import Operation
from vault_plugin_sdk.logical.response import Response
from vault_plugin_sdk.logical.storage import ReadOnlyStorageError
from vault_plugin_sdk.wire import convert
from vault_plugin_sdk.wire.broker import Broker
from vault_plugin_sdk.wire.host import HostLink, HostStorage
from vault_plugin_sdk.wire.methods import Metadata, Methods, RpcError, Status, Unary
from vault_plugin_sdk.wire.proto import backend_pb2 as pb
from vault_plugin_sdk.wire.system_view import HostSystemView

if TYPE_CHECKING:
    # Its import waits for the author's factory, which comes after the handshake.
    from vault_plugin_sdk.framework.backend import Backend

_log = logging.getLogger(__name__)

HOOK_LIMIT_SECONDS = 10.0
_TYPE_SECRETS_ENGINE = 1


@dataclass
class _Mount:
    backend: "Backend"
    link: HostLink
    storage: HostStorage


class BackendService:
    """The backends of this process, one for each mount.

    Args:
        factory: Makes a Backend; called once for each mount. A slow import inside it does not delay the handshake.
        broker: Knows where each mount's server side can be reached.
        hook_limit_seconds: How long a hook of a Backend may take.
    """

    def __init__(
        self,
        factory: "Callable[[], Backend]",
        broker: Broker,
        hook_limit_seconds: float = HOOK_LIMIT_SECONDS,
    ) -> None:
        self._factory = factory
        self._broker = broker
        self._hook_limit_seconds = hook_limit_seconds
        self._mounts: dict[str, _Mount] = {}

    @property
    def mounted(self) -> bool:
        """Whether any mount is set up in this process."""
        return bool(self._mounts)

    def methods(self) -> Methods:
        """The rows of `pb.Backend`."""
        return {
            "/pb.Backend/HandleRequest": Unary(self.handle_request, pb.HandleRequestArgs, pb.HandleRequestReply),
            "/pb.Backend/HandleExistenceCheck": Unary(
                self.handle_existence_check, pb.HandleRequestArgs, pb.HandleExistenceCheckReply
            ),
            "/pb.Backend/SpecialPaths": Unary(self.special_paths, pb.Empty, pb.SpecialPathsReply),
            "/pb.Backend/Setup": Unary(self.setup, pb.SetupArgs, pb.SetupReply),
            "/pb.Backend/Initialize": Unary(self.initialize, pb.Empty, pb.InitializeReply),
            "/pb.Backend/Type": Unary(self.type, pb.Empty, pb.TypeReply),
            "/pb.Backend/InvalidateKey": Unary(self.invalidate_key, pb.InvalidateKeyArgs, pb.Empty),
            "/pb.Backend/Cleanup": Unary(self.cleanup, pb.Empty, pb.Empty),
        }

    async def setup(self, args: pb.SetupArgs, metadata: Metadata) -> pb.SetupReply:
        """Make the Backend of a mount. At registration there is no storage behind it, so none is asked for here."""
        mount_id = _mount_id(metadata)
        await self._end(mount_id)
        try:
            backend = self._factory()
            async with asyncio.timeout(self._hook_limit_seconds):
                await backend.setup(dict(args.Config))
        except Exception as exc:  # noqa: BLE001 - whatever it is, the server gets a sentence
            return pb.SetupReply(err=_told(exc, "setup").sentence)
        link = HostLink(self._broker, args.broker_id)
        storage = HostStorage(link)
        backend.attach(storage, HostSystemView(link))
        self._mounts[mount_id] = _Mount(backend, link, storage)
        return pb.SetupReply()

    async def initialize(self, _: pb.Empty, metadata: Metadata) -> pb.InitializeReply:
        """The mount is about to serve."""
        try:
            mount = self._mount(metadata)
            async with asyncio.timeout(self._hook_limit_seconds):
                await mount.storage.discover()
                await mount.backend.initialize()
        except Exception as exc:  # noqa: BLE001 - as in setup
            return pb.InitializeReply(err=convert.coded(_told(exc, "initialize")))
        return pb.InitializeReply()

    async def type(self, _: pb.Empty, __: Metadata) -> pb.TypeReply:
        """A secrets engine."""
        return pb.TypeReply(type=_TYPE_SECRETS_ENGINE)

    async def special_paths(self, _: pb.Empty, metadata: Metadata) -> pb.SpecialPathsReply:
        """Paths that the server treats in its own way."""
        special = self._mount(metadata).backend.special
        paths = pb.Paths(
            root=special.root,
            unauthenticated=special.unauthenticated,
            local_storage=special.local,
            seal_wrap_storage=special.seal_wrap,
        )
        return pb.SpecialPathsReply(paths=paths)

    async def handle_existence_check(
        self, args: pb.HandleRequestArgs, metadata: Metadata
    ) -> pb.HandleExistenceCheckReply:
        """Create or update? Comes before the caller's policy is asked: nothing is parsed, awaited or logged."""
        try:
            exists = self._mount(metadata).backend.exists(args.request.path)
        except Exception:  # noqa: BLE001 - "not known" is the safe answer, and a stranger may not fill the log
            exists = None
        return pb.HandleExistenceCheckReply(check_found=exists is not None, exists=bool(exists))

    async def handle_request(self, args: pb.HandleRequestArgs, metadata: Metadata) -> pb.HandleRequestReply:
        """Answer a request; whatever happens, it is an answer and not a gRPC error."""
        operation = convert.operation_of(args.request)
        if operation is None:
            return convert.unsupported_operation()
        if operation is Operation.RESOLVE_PATH:
            return self._resolve_path(args.request.path, metadata)
        backend = self._mount(metadata).backend
        try:
            request = convert.request_from_pb(args.request, operation, backend.max_request_bytes)
            return convert.reply_to_pb(await _in_time(backend.handle(request), backend.request_limit_seconds))
        except (ForwardToActive, ReadOnlyStorageError):
            return pb.HandleRequestReply(err=convert.forward_to_active())
        except Exception as exc:  # noqa: BLE001 - the border: nothing internal passes it
            return convert.error_to_pb(_told(exc, f"{operation} {args.request.path}"), operation)

    async def invalidate_key(self, args: pb.InvalidateKeyArgs, metadata: Metadata) -> pb.Empty:
        """Another node wrote a key of this mount."""
        await self._attempt(self._mount(metadata).backend.invalidate(args.key), "invalidate")
        return pb.Empty()

    async def cleanup(self, _: pb.Empty, metadata: Metadata) -> pb.Empty:
        """The mount ends here."""
        await self._end(_mount_id(metadata))
        return pb.Empty()

    def _mount(self, metadata: Metadata) -> _Mount:
        mount = self._mounts.get(_mount_id(metadata))
        if mount is None:
            raise RpcError(Status.FAILED_PRECONDITION, "this mount was not set up in this process")
        return mount

    def _resolve_path(self, path: str, metadata: Metadata) -> pb.HandleRequestReply:
        """Comes before every request, without a token: said at once, whatever path or data it carries."""
        mount = self._mounts.get(_mount_id(metadata))
        try:
            resolved = mount and mount.backend.resolve_path(path)
        except Exception:  # noqa: BLE001 - as in the existence check; an error would make the request fail
            resolved = None
        if not resolved or not isinstance(resolved, str):
            return convert.unsupported_operation()
        return convert.reply_to_pb(Response(data={"path": resolved}))

    async def _end(self, mount_id: str) -> None:
        mount = self._mounts.pop(mount_id, None)
        if mount is not None:
            await self._attempt(mount.backend.cleanup(), "cleanup")
            mount.link.close()

    async def _attempt(self, hook: Awaitable[None], name: str) -> None:
        try:
            async with asyncio.timeout(self._hook_limit_seconds):
                await hook
        except Exception:  # noqa: BLE001 - the server cannot be told, and must not be held up
            _log.exception("a hook of the backend failed", extra={"hook": name})


async def _in_time(answer: Awaitable[Response | None], limit_seconds: float) -> Response | None:
    try:
        async with asyncio.timeout(limit_seconds) as limit:
            return await answer
    except TimeoutError as exc:
        if not limit.expired():
            raise
        raise InternalError(
            f"the request took longer than {limit_seconds:g} s and was given up; what it began may go on"
        ) from exc


def _mount_id(metadata: Metadata) -> str:
    return metadata.get("multiplex_id", "")  # absent where the server runs one process for each mount


def _told(exc: Exception, during: str) -> EngineError:
    """What the outside is told of an exception: its own sentence if it is meant for that, else an id and no more."""
    if isinstance(exc, InternalError):
        _log.error("%s", exc.sentence, extra={"during": during})
    if isinstance(exc, EngineError):
        return exc
    incident = secrets.token_hex(4)
    _log.error("internal error", exc_info=exc, extra={"incident": incident, "during": during})
    return InternalError(f"internal error {incident}: the server's log has the details under this id")
