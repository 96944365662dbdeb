"""Mount a Backend in memory, for authors' tests: no server, no wire."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

from vault_plugin_sdk.framework.backend import Backend
from vault_plugin_sdk.logical.request import Caller, Lease, Operation, Request
from vault_plugin_sdk.logical.response import LeaseGrant, Response
from vault_plugin_sdk.logical.storage import MemoryStorage
from vault_plugin_sdk.logical.system import MemorySystemView


class Mounted:
    """A Backend with storage and a system view in memory: `async with Mounted(Engine()) as mounted`.

    Whatever a request gives may raise what the Backend raises: `EngineError`, `ForwardToActive`, and the errors of
    storage, which a server would see as an answer.

    Args:
        backend: The Backend; one for each mount.
        storage: What the mount holds already. Two nodes of a cluster: `MemoryStorage(other.storage.entries)`.
        standby: Whether this node may only read.
        config: The mount's options.

    Attributes:
        storage: Its storage; `entries` may be looked at and changed.
        system: Its system view; what it answers may be changed.
        caller: Who asks; may be replaced.
        headers: The client's headers that the mount lets through.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        storage: MemoryStorage | None = None,
        standby: bool = False,
        config: Mapping[str, str] | None = None,
    ) -> None:
        self.backend = backend
        self.storage = storage or MemoryStorage()
        self.storage.read_only = standby
        self.system = MemorySystemView(standby=standby)
        self.caller = Caller(display_name="tester")
        self.headers: dict[str, tuple[str, ...]] = {}
        self.requests = 0
        self._config = dict(config or {})

    async def start(self) -> Self:
        """Set up, attach and initialize, as a server does."""
        await self.backend.setup(self._config)
        self.backend.attach(self.storage, self.system)
        await self.backend.initialize()
        return self

    async def stop(self) -> None:
        """The end of the mount: disabled, sealed, or moved to another node."""
        await self.backend.cleanup()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def ask(self, operation: Operation | str, path: str, *, lease: Lease | None = None, **data: Any) -> Response:
        """One request; an empty Response stands for "nothing to say"."""
        self.requests += 1
        request = Request(
            Operation(operation),
            path,
            data,
            replace(self.caller, request_id=f"request-{self.requests}"),
            lease,
            mount_point="test/",
            mount_accessor="test_accessor",
            headers=self.headers,
        )
        return await self.backend.handle(request) or Response()

    async def read(self, path: str, **query: Any) -> Response:
        """A read. A client's read of what answers with an empty Response is a 404."""
        return await self.ask(Operation.READ, path, **query)

    async def list(self, path: str, **query: Any) -> Response:
        """A list; servers put a slash at the path's end."""
        return await self.ask(Operation.LIST, path.rstrip("/") + "/", **query)

    async def delete(self, path: str, **query: Any) -> Response:
        """A delete."""
        return await self.ask(Operation.DELETE, path, **query)

    async def write(self, path: str, **data: Any) -> Response:
        """A write: a create where the existence check says that there is nothing yet, as a server decides it."""
        create = self.backend.exists(path) is False
        return await self.ask(Operation.CREATE if create else Operation.UPDATE, path, **data)

    async def renew(self, path: str, grant: LeaseGrant, *, increment_seconds: float = 0) -> LeaseGrant:
        """Renew a lease that a request to `path` was granted; what comes back is all that a server keeps of it."""
        lease = _lease(grant, increment_seconds)
        renewed = (await self.ask(Operation.RENEW, path, lease=lease)).lease
        if renewed is None:
            raise AssertionError("a renewal answers with the whole lease")
        return renewed

    async def revoke(self, path: str, grant: LeaseGrant) -> None:
        """End such a lease. Where it raises, a server tries again for some minutes, then keeps the lease for ever."""
        await self.ask(Operation.REVOKE, path, lease=_lease(grant))

    async def tick(self) -> None:
        """What a server sends once a minute."""
        await self.ask(Operation.ROLLBACK, "")

    async def help(self, path: str = "") -> str:
        """The text of path-help; its OpenAPI document is in `ask("help", path).data["openapi"]`."""
        return str(((await self.ask(Operation.HELP, path)).data or {})["help"])


def _lease(grant: LeaseGrant, increment_seconds: float = 0) -> Lease:
    return Lease(grant.internal_data, grant.ttl_seconds, grant.max_ttl_seconds, increment_seconds, grant.issued)
