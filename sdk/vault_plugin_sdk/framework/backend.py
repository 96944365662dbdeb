"""Backend: an engine's paths, leases and hooks, independent of the wire that carries its requests."""

import inspect
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from vault_plugin_sdk.framework.help import backend_help, find, path_help
from vault_plugin_sdk.framework.openapi import Documented, document
from vault_plugin_sdk.framework.path import Description, Path, Router, no_such_path
from vault_plugin_sdk.framework.secret import TYPE_KEY, Secret
from vault_plugin_sdk.logical.errors import CallerError, ForwardToActive, InternalError
from vault_plugin_sdk.logical.request import Operation, Request
from vault_plugin_sdk.logical.response import Response
from vault_plugin_sdk.logical.storage import Storage
from vault_plugin_sdk.logical.system import PERFORMANCE_STANDBY, SystemView

# OpenBao's alone, and rare: a `fallback` that has not heard of them must not take them for a write.
_ONLY_BY_TABLE = frozenset({Operation.SCAN, Operation.HEADER})
_request: ContextVar[Request] = ContextVar("request")


@dataclass(frozen=True)
class SpecialPaths:
    """What the server treats in its own way.

    Attributes:
        root: Paths for which the caller's policy must grant `sudo`; a trailing `*` makes a prefix, `+` is a segment.
        unauthenticated: Paths for which no token is asked, likewise.
        seal_wrap: Keys of the storage that are wrapped by the seal; a trailing `/` makes a prefix.
        local: Keys of the storage that are not replicated to other clusters, likewise.
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
        max_request_bytes: A longer request is refused before it is decoded; a subclass may set it.
        request_limit_seconds: How long a request may take, since no server sets a limit; likewise.
    """

    max_request_bytes = 1024 * 1024
    request_limit_seconds = 60.0

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
        others = [item for item in described if item not in own]
        self.descriptions = (*own, *others)
        self._documented = [Documented(path.description, path.operations) for path in self.router.paths]
        self._documented += [Documented(item, item.operations) for item in others]
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

    def resolve_path(self, path: str) -> str | None:
        """The path that `path` is another name of, and that policies are to be checked on; None leaves it as it is.

        Newer servers ask before every request, and for it a token is not needed: answered as `exists` is. A server that
        does not ask sends the path as it was given, so handlers must take both.
        """
        return None

    async def fallback(self, request: Request) -> Response | None:
        """A request that no path of the table matches; any operation but `scan` and `header`."""
        raise no_such_path(request.path, self.descriptions)

    @property
    def request(self) -> Request:
        """The request that is being answered: its headers, and what else handlers are not passed.

        Raises: LookupError: None is: in `setup`, `initialize`, `invalidate` and `cleanup`.
        """
        return _request.get()

    def require_active(self) -> None:
        """Raises `ForwardToActive` on a standby: call it before any side effect."""
        if self.standby:
            raise ForwardToActive

    async def handle(self, request: Request) -> Response | None:
        """Answer one request.

        Returns: None where there is nothing to say: 204 for a write, 404 for a read.
        Raises: EngineError: told to the caller. ForwardToActive: repeated on the active node.
        """
        _request.set(request)
        match request.operation:
            case Operation.HELP:
                return self.help(request.path, request.data.get("requestResponsePrefix"))
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
            if request.operation in _ONLY_BY_TABLE:
                raise CallerError(f"{request.operation} is not supported", status=HTTPStatus.METHOD_NOT_ALLOWED)
            return await self.fallback(request)
        found = self.router.resolve(request)
        answer = found.call(self, request.caller)
        response: Response | None = await answer if inspect.isawaitable(answer) else answer
        if response is None and (request.operation is Operation.READ or not found.warnings):
            return None  # of a read it says "not there", which a warning would turn into an answer
        return found.answer(response)

    def help(self, path: str, prefix: object = None) -> Response:
        """Path-help, and the OpenAPI document: of the whole mount where `path` is empty, else of that path.

        Args:
            path: Below the mount.
            prefix: What the ids of the document's operations begin with, if the server says so.
        """
        described, text = self._documented, backend_help(self.introduction, self.descriptions)
        if path:
            description = find(self.descriptions, path)
            if description is None:
                raise no_such_path(path, self.descriptions)
            described, text = [one for one in described if one.description is description], path_help(description)
        openapi = document(
            described,
            title=next(iter(self.introduction.strip().splitlines()), "") or type(self).__name__,
            prefix=prefix if isinstance(prefix, str) else "",
            root=self.special.root,
            unauthenticated=self.special.unauthenticated,
        )
        return Response(data={"help": text, "see_also": None, "openapi": openapi})

    def _leased(self, request: Request) -> tuple[Secret, Any]:
        kind = str(request.lease.internal_data.get(TYPE_KEY)) if request.lease else ""
        if kind not in self.secrets:
            raise InternalError("the lease was not issued by this engine")
        return self.secrets[kind], request.lease
