"""What a backend may ask of the server that runs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from vault_plugin_sdk.logical.storage import StorageError

# Bit of ReplicationState that says "performance standby". Source: seen on OpenBao 2.7 (active 8224, standby 24576).
PERFORMANCE_STANDBY = 0x4000


class NotOfferedError(StorageError):
    """This server has no such call, and will not have it while it runs."""


@dataclass(frozen=True)
class Alias:
    """How an entity is known to one auth mount."""

    name: str
    mount_accessor: str
    mount_type: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Entity:
    """Whoever is behind `Caller.entity_id`."""

    id: str
    name: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[Alias, ...] = ()
    disabled: bool = False


@dataclass(frozen=True)
class Group:
    """A group of entities."""

    id: str
    name: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Wrapped:
    """A wrapping token, for `unwrap`; it works once.

    Attributes:
        token: The token: as good as what it wraps.
        accessor: Its accessor, which is no secret.
        ttl_seconds: How long it may be used.
        created: When it was made.
    """

    token: str = field(repr=False)
    accessor: str
    ttl_seconds: float
    created: datetime


class SystemView(Protocol):
    """The server's view. Each call goes to the server, and may raise `StorageError`; `NotOfferedError` where the server
    has no such call, which costs a call once for each mount.
    """

    async def replication_state(self) -> int:
        """Bit field; see `PERFORMANCE_STANDBY`."""

    async def default_lease_ttl_seconds(self) -> float:
        """The mount's default lease length."""

    async def max_lease_ttl_seconds(self) -> float:
        """The mount's longest lease length."""

    async def tainted(self) -> bool:
        """Whether the mount is being moved or disabled."""

    async def caching_disabled(self) -> bool:
        """Whether the operator turned caches off."""

    async def local_mount(self) -> bool:
        """Whether the mount belongs to this cluster alone."""

    async def mlock_enabled(self) -> bool:
        """Whether the server keeps its memory out of swap."""

    async def generate_password(self, policy: str) -> str:
        """A password of the server's password policy of that name."""

    async def entity(self, entity_id: str) -> Entity | None:
        """Who is behind an entity id; None where there is nobody."""

    async def groups_of_entity(self, entity_id: str) -> tuple[Group, ...]:
        """The groups that the entity is in."""

    async def wrap(self, data: Mapping[str, Any], ttl_seconds: float) -> Wrapped:
        """Have the server keep `data` (JSON values and `SecretStr`) for whoever brings the token.

        OpenBao 2.6 and 2.7 refuse it to external plugins ("no namespace"); `Response.wrap_ttl_seconds` works there.
        """

    async def server_version(self) -> str:
        """The server's version. For people: what it can do is found out by asking."""

    async def cluster_id(self) -> str:
        """The cluster's id."""

    async def identity_token(self, audience: str, ttl_seconds: float) -> str:
        """A JWT that says which mount this is. HashiCorp Vault alone has it."""


class MemorySystemView:
    """A `SystemView` in memory, for tests and for the in-memory mount.

    Attributes:
        standby, is_tainted, default_ttl, max_ttl, entities, groups: What it answers; may be changed at any time.
        policies: A password for each password policy; another policy is not there.
        wrapped: What was wrapped, by token.
    """

    def __init__(self, *, standby: bool = False, default_ttl: float = 2_764_800, max_ttl: float = 2_764_800) -> None:
        self.standby = standby
        self.is_tainted = False
        self.default_ttl = default_ttl
        self.max_ttl = max_ttl
        self.policies: dict[str, str] = {}
        self.entities: dict[str, Entity] = {}
        self.groups: dict[str, tuple[Group, ...]] = {}
        self.wrapped: dict[str, Mapping[str, Any]] = {}

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

    async def caching_disabled(self) -> bool:
        """See `SystemView.caching_disabled`."""
        return False

    async def local_mount(self) -> bool:
        """See `SystemView.local_mount`."""
        return False

    async def mlock_enabled(self) -> bool:
        """See `SystemView.mlock_enabled`."""
        return False

    async def generate_password(self, policy: str) -> str:
        """See `SystemView.generate_password`."""
        if policy not in self.policies:
            raise StorageError("failed to generate password")
        return self.policies[policy]

    async def entity(self, entity_id: str) -> Entity | None:
        """See `SystemView.entity`."""
        return self.entities.get(entity_id)

    async def groups_of_entity(self, entity_id: str) -> tuple[Group, ...]:
        """See `SystemView.groups_of_entity`."""
        return self.groups.get(entity_id, ())

    async def wrap(self, data: Mapping[str, Any], ttl_seconds: float) -> Wrapped:
        """See `SystemView.wrap`."""
        number = len(self.wrapped) + 1
        self.wrapped[f"wrapping-token-{number}"] = data
        return Wrapped(f"wrapping-token-{number}", f"accessor-{number}", ttl_seconds, datetime.now(UTC))

    async def server_version(self) -> str:
        """See `SystemView.server_version`."""
        return "0.0.0"

    async def cluster_id(self) -> str:
        """See `SystemView.cluster_id`."""
        return "in-memory"

    async def identity_token(self, audience: str, ttl_seconds: float) -> str:
        """See `SystemView.identity_token`: this server is none of HashiCorp's."""
        raise NotOfferedError("the server has no GenerateIdentityToken")
