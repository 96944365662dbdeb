"""What a backend answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class LeaseGrant:
    """A lease as the server is asked to keep it.

    Attributes:
        ttl_seconds: Its length from now.
        max_ttl_seconds: Its longest possible length, counted from `issued`.
        issued: When it was first issued; the wire refuses a lease without it.
        internal_data: Kept by the server, handed back with renew and revoke; never shown to the client.
        renewable: Whether the client may renew it.
    """

    ttl_seconds: float
    max_ttl_seconds: float
    issued: datetime
    internal_data: Mapping[str, Any]
    renewable: bool = True


@dataclass(frozen=True)
class Response:
    """An answer.

    Attributes:
        data: JSON object for the client; None answers 204 (a write) or 404 (a read or list).
        warnings: Sentences that the client prints beside the data.
        lease: Set where the answer is leased.
        status: HTTP status of a raw reply (202, or an error passed on); None leaves it to the server.
    """

    data: Mapping[str, Any] | None = None
    warnings: Sequence[str] = field(default=())
    lease: LeaseGrant | None = None
    status: int | None = None


def listing(keys: Sequence[str], key_info: Mapping[str, Mapping[str, Any]] | None = None) -> Response:
    """The answer to a list: `keys`, and `key_info` where it is known. No keys: 404, as Vault's own engines do."""
    if not keys:
        return Response()
    data: dict[str, Any] = {"keys": list(keys)}
    if key_info:
        data["key_info"] = {key: dict(info) for key, info in key_info.items()}
    return Response(data=data)
