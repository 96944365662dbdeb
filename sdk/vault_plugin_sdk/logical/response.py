"""What a backend answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from vault_plugin_sdk.logical.request import Lease


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

    @classmethod
    def renewing(cls, lease: Lease, ttl_seconds: float) -> "LeaseGrant":
        """The whole of a lease once more, with `ttl_seconds` from now: the answer to a renewal replaces what is kept.

        Raises: ValueError: The server did not say when the lease was issued; it always does.
        """
        if lease.issued is None:
            raise ValueError("a lease without the time of its issue")
        return cls(ttl_seconds, lease.max_ttl_seconds, lease.issued, lease.internal_data)


@dataclass(frozen=True)
class Response:
    """An answer.

    Attributes:
        data: JSON object for the client; None answers 204 (a write) or 404 (a read or list).
        warnings: Sentences that the client prints beside the data.
        lease: Set where the answer is leased.
        status: HTTP status of a raw reply (202, or an error passed on); None leaves it to the server.
        headers: Headers of the answer; the server passes on those that the mount allows (`allowed_response_headers`).
        wrap_ttl_seconds: Have the server wrap the answer for so long, asked or not; 0 leaves that to the client.
    """

    data: Mapping[str, Any] | None = None
    warnings: Sequence[str] = field(default=())
    lease: LeaseGrant | None = None
    status: int | None = None
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    wrap_ttl_seconds: float = 0


def listing(keys: Sequence[str], key_info: Mapping[str, Mapping[str, Any]] | None = None) -> Response:
    """The answer to a list: `keys`, and `key_info` where it is known. No keys: 404, as Vault's own engines do."""
    if not keys:
        return Response()
    data: dict[str, Any] = {"keys": list(keys)}
    if key_info:
        data["key_info"] = {key: dict(info) for key, info in key_info.items()}
    return Response(data=data)
