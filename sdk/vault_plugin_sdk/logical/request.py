"""A request as a backend sees it, whichever door it came through."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Operation(StrEnum):
    """What is asked of a path, in Vault's words."""

    CREATE = "create"
    READ = "read"
    UPDATE = "update"
    PATCH = "patch"
    DELETE = "delete"
    LIST = "list"
    SCAN = "scan"
    HEADER = "header"
    HELP = "help"
    RENEW = "renew"
    REVOKE = "revoke"
    ROLLBACK = "rollback"
    RESOLVE_PATH = "resolve-path"


@dataclass(frozen=True)
class Caller:
    """Who asked, as Vault tells it; empty where Vault does not say (renewals, revocations, our own triggers)."""

    request_id: str = ""
    display_name: str = ""
    entity_id: str = ""
    accessor: str = ""
    remote_address: str = ""

    @property
    def identity(self) -> str:
        """What one caller's requests have in common: its entity, or its token where it has none; "" is nobody."""
        return self.entity_id or self.accessor or self.display_name

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Caller":
        """Read what `dataclasses.asdict` gave; what is not there is empty."""
        return cls(**{name: str(data.get(name, "")) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Lease:
    """A lease that is to be renewed or revoked.

    Attributes:
        internal_data: What the backend stored with the lease when it issued it.
        ttl_seconds: Its present length.
        max_ttl_seconds: Its longest possible length, counted from `issued`.
        increment_seconds: The length that the client wishes for; 0 where it says nothing.
        issued: When it was first issued.
    """

    internal_data: Mapping[str, Any]
    ttl_seconds: float
    max_ttl_seconds: float
    increment_seconds: float
    issued: datetime | None


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        operation: What is asked.
        path: The path below the mount, without a leading slash.
        data: Fields as given, not yet coerced.
        caller: Who asked.
        lease: Set for `renew` and `revoke` alone.
        mount_point: Where the backend is mounted, with a trailing slash; "" where the door does not know.
        mount_accessor: The mount's accessor; "" where the door does not know.
        headers: The client's headers that the mount lets through (`passthrough_request_headers`), by canonical name.
        wrap_ttl_seconds: How long the client wants the answer wrapped for, by the server; 0 where it does not.
    """

    operation: Operation
    path: str
    data: Mapping[str, Any] = field(default_factory=dict)
    caller: Caller = field(default_factory=Caller)
    lease: Lease | None = None
    mount_point: str = ""
    mount_accessor: str = ""
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    wrap_ttl_seconds: float = 0
