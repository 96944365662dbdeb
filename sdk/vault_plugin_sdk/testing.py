"""Mount a Backend in memory, for authors' tests: no server, no wire."""

from typing import Any

from vault_plugin_sdk.framework.backend import Backend
from vault_plugin_sdk.logical.request import Caller, Lease, Operation, Request
from vault_plugin_sdk.logical.response import Response
from vault_plugin_sdk.logical.storage import MemoryStorage
from vault_plugin_sdk.logical.system import MemorySystemView


class Mounted:
    """A Backend with storage and a system view in memory."""

    def __init__(self, backend: Backend, *, storage: MemoryStorage | None = None, standby: bool = False) -> None:
        self.backend = backend
        self.storage = storage or MemoryStorage()
        self.storage.read_only = standby
        self.system = MemorySystemView(standby=standby)
        self.requests = 0

    async def start(self) -> "Mounted":
        """Set up, attach and initialize, as a server does."""
        await self.backend.setup({})
        self.backend.attach(self.storage, self.system)
        await self.backend.initialize()
        return self

    async def ask(self, operation: Operation | str, path: str, *, lease: Lease | None = None, **data: Any) -> Response:
        """One request; an empty Response stands for "nothing to say". Raises what the Backend raises."""
        self.requests += 1
        caller = Caller(request_id=f"request-{self.requests}", display_name="tester")
        request = Request(
            Operation(operation), path, data, caller, lease, mount_point="test/", mount_accessor="test_accessor"
        )
        return await self.backend.handle(request) or Response()
