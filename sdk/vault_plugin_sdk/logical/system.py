"""What a backend may ask of the server that runs it."""

from typing import Protocol

# Bit of ReplicationState that says "performance standby". Source: seen on OpenBao 2.7 (active 8224, standby 24576).
PERFORMANCE_STANDBY = 0x4000


class SystemView(Protocol):
    """The server's view; each call goes over the broker connection and may raise `StorageError`."""

    async def replication_state(self) -> int:
        """Bit field; see `PERFORMANCE_STANDBY`."""

    async def default_lease_ttl_seconds(self) -> float:
        """The mount's default lease length."""

    async def max_lease_ttl_seconds(self) -> float:
        """The mount's longest lease length."""

    async def tainted(self) -> bool:
        """Whether the mount is being moved or disabled."""

    async def generate_password(self, policy: str) -> str:
        """A password of the server's password policy of that name."""


class MemorySystemView:
    """A `SystemView` in memory, for tests and for the in-memory mount."""

    def __init__(self, *, standby: bool = False, default_ttl: float = 2_764_800, max_ttl: float = 2_764_800) -> None:
        self.standby = standby
        self.is_tainted = False
        self.default_ttl = default_ttl
        self.max_ttl = max_ttl

    async def replication_state(self) -> int:
        """See `SystemView.replication_state`."""
        return PERFORMANCE_STANDBY if self.standby else 0

    async def default_lease_ttl_seconds(self) -> float:
        """See `SystemView.default_lease_ttl_seconds`."""
        return self.default_ttl

    async def max_lease_ttl_seconds(self) -> float:
        """See `SystemView.max_lease_ttl_seconds`."""
        return self.max_ttl

    async def tainted(self) -> bool:
        """See `SystemView.tainted`."""
        return self.is_tainted

    async def generate_password(self, policy: str) -> str:
        """See `SystemView.generate_password`."""
        return f"generated-by-{policy}"
