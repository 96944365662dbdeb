"""Backend: an engine's paths, leases and hooks, independent of the wire that carries its requests."""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from vault_plugin_sdk.framework.help import backend_help, find, path_help
from vault_plugin_sdk.framework.path import Description, Path, Router
from vault_plugin_sdk.framework.secret import TYPE_KEY, Secret
from vault_plugin_sdk.logical.errors import CallerError, ForwardToActive, InternalError
from vault_plugin_sdk.logical.request import Operation, Request
from vault_plugin_sdk.logical.response import Response
from vault_plugin_sdk.logical.storage import Storage
from vault_plugin_sdk.logical.system import PERFORMANCE_STANDBY, SystemView


@dataclass(frozen=True)
class SpecialPaths:
    """Paths that the server treats in its own way; a trailing `*` makes a prefix.

    Attributes:
        root: The caller's policy must grant `sudo`.
        seal_wrap: Storage keys that are wrapped by the seal.
        unauthenticated: No token is asked for.
        local: Storage keys that are not replicated.
    """

    root: tuple[str, ...] = ()
    seal_wrap: tuple[str, ...] = ()
    unauthenticated: tuple[str, ...] = ()
    local: tuple[str, ...] = ()


class Backend:
    """One mount of an engine. Subclass it, pass the tables to `__init__`, override the hooks.

    The wire makes one for each mount: `setup` (no storage yet), `attach`, `initialize`, then `handle` for each
    request, `periodic` once a minute, `invalidate` where another node wrote, `cleanup` at the end. Handlers get the
    Backend itself as their context, and may run twice for one request.

    Attributes:
        storage: The mount's storage, from `attach` on.
        system: The server's view, from `attach` on.
        standby: Whether this node may only read, as `initialize` found it.
    """

    storage: Storage
    system: SystemView

    def __init__(
        self,
        paths: Iterable[Path],
        *,
        secrets: Iterable[Secret] = (),
        special: SpecialPaths | None = None,
        introduction: str = "",
        described: Iterable[Description] = (),
    ) -> None:
        """Args: `described` adds paths to path-help that `fallback` answers."""
        self.router = Router(paths)
        self.secrets: Mapping[str, Secret] = {secret.type: secret for secret in secrets}
        self.special = special or SpecialPaths()
        self.introduction = introduction
        own = [path.description for path in self.router.paths]
        self.descriptions = (*own, *(item for item in described if item not in own))
        self.standby = False

    async def setup(self, config: Mapping[str, str]) -> None:
        """The mount exists; there is no storage yet, and at registration there never will be."""

    def attach(self, storage: Storage, system: SystemView) -> None:
        """The server's side can be reached from here on."""
        self.storage, self.system = storage, system

    async def initialize(self) -> None:
        """The mount is about to serve. Neither fails nor writes on a standby; overrides call this first."""
        self.standby = bool(await self.system.replication_state() & PERFORMANCE_STANDBY)

    async def periodic(self) -> None:
        """About once a minute, on the active node alone."""

    async def invalidate(self, key: str) -> None:
        """Another node wrote `key`: forget what is remembered of it."""

    async def cleanup(self) -> None:
        """The mount ends here (disabled, sealed, moved to another node)."""

    def exists(self, path: str) -> bool | None:
        """Whether a write to `path` is an update (True) or a create (False); None is "not known", taken as update.

        Called before the caller's policy is asked: answered from memory, in constant time, without a log line.
        """
        return None

    async def fallback(self, request: Request) -> Response | None:
        """A request that no path of the table matches."""
        raise CallerError(f"there is no path {request.path!r} at this mount", status=HTTPStatus.NOT_FOUND)

    def require_active(self) -> None:
        """Raises `ForwardToActive` on a standby: call it before any side effect."""
        if self.standby:
            raise ForwardToActive

    async def handle(self, request: Request) -> Response | None:
        """Answer one request.

        Returns: None where there is nothing to say: 204 for a write, 404 for a read.
        Raises: EngineError: told to the caller. ForwardToActive: repeated on the active node.
        """
        match request.operation:
            case Operation.HELP:
                return self.help(request.path)
            case Operation.RENEW:
                secret, lease = self._leased(request)
                return Response(lease=await secret.renew(self, lease))
            case Operation.REVOKE:
                secret, lease = self._leased(request)
                await secret.revoke(self, lease)
                return None
            case Operation.ROLLBACK:
                if not self.standby:
                    await self.periodic()
                return None
        if self.router.find(request.path, request.operation) is None:
            return await self.fallback(request)
        found = self.router.resolve(request)
        answer = found.call(self, request.caller)
        response: Response | None = await answer if inspect.isawaitable(answer) else answer
        if response is None and (request.operation is Operation.READ or not found.warnings):
            return None  # of a read it says "not there", which a warning would turn into an answer
        return found.answer(response)

    def help(self, path: str) -> Response:
        """The texts of path-help."""
        if not path:
            return Response(data={"help": backend_help(self.introduction, self.descriptions)})
        description = find(self.descriptions, path)
        if description is None:
            raise CallerError(f"there is no path {path!r} at this mount", status=HTTPStatus.NOT_FOUND)
        return Response(data={"help": path_help(description)})

    def _leased(self, request: Request) -> tuple[Secret, Any]:
        kind = str(request.lease.internal_data.get(TYPE_KEY)) if request.lease else ""
        if kind not in self.secrets:
            raise InternalError("the lease was not issued by this engine")
        return self.secrets[kind], request.lease
