"""How long a lease may be, and whether its end makes the version due. PURE."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from vault_plugin_sdk.framework.secret import TYPE_KEY
from vault_plugin_sdk.logical.request import Lease
from vault_plugin_sdk.logical.response import LeaseGrant
from vault_salesforce_contract.published import PublishedCredential

SECRET_TYPE = "salesforce_credential"  # noqa: S105 - the name of a kind of lease
SUPERSEDED_SECONDS = 2.0
UNSETTLED_SECONDS = 10.0
# The server takes 0 for "the mount's default", which is 32 days.
_LEAST_SECONDS = 1.0


@dataclass(frozen=True)
class Lent:
    """What a lease says of itself in its internal data.

    Attributes:
        role: Whose credential was lent.
        version: Which version of it.
        rotation_id: The rotation that made that version.
        max_ttl: Its longest possible length, in seconds from its first issue.
        brief: It was lent while the version was due or being changed: its end triggers nothing.
        record: Its name among the live leases; "" where the role's rule needs none.
    """

    role: str
    version: int
    rotation_id: str
    max_ttl: float
    brief: bool = False
    record: str = ""

    def to_internal(self) -> dict[str, Any]:
        """The lease's internal data."""
        return asdict(self) | {TYPE_KEY: SECRET_TYPE}

    @classmethod
    def from_internal(cls, data: Mapping[str, Any]) -> "Lent":
        """Read internal data. Raises: KeyError, TypeError, ValueError where it is not of this shape."""
        return cls(
            role=str(data["role"]),
            version=int(data["version"]),
            rotation_id=str(data["rotation_id"]),
            max_ttl=float(data["max_ttl"]),
            brief=bool(data.get("brief")),
            record=str(data.get("record", "")),
        )

    def is_current(self, held: PublishedCredential | None) -> bool:
        """Whether the plugin holds this very version."""
        return held is not None and (held.version, held.rotation_id) == (self.version, self.rotation_id)

    def is_superseded(self, held: PublishedCredential | None) -> bool:
        """Whether there is something newer to read. A copy that lags behind the lease is nothing newer."""
        return held is not None and held.version >= self.version and not self.is_current(held)


def lend(role: str, held: PublishedCredential, *, brief: bool) -> Lent:
    """What is lent of `held`; `brief` where the version is due or being changed."""
    longest = min(held.ttl, UNSETTLED_SECONDS) if brief else held.max_ttl
    return Lent(role, held.version, held.rotation_id, max_ttl=max(_LEAST_SECONDS, longest), brief=brief)


def first_grant(lent: Lent, held: PublishedCredential, now: datetime) -> LeaseGrant:
    """The lease that `creds` answers with.

    Args:
        lent: What is lent.
        held: The credential that is handed out.
        now: The time of day.
    """
    return LeaseGrant(
        ttl_seconds=max(_LEAST_SECONDS, min(held.ttl, lent.max_ttl)),
        max_ttl_seconds=lent.max_ttl,
        issued=now,
        internal_data=lent.to_internal(),
    )


def renewed_grant(lent: Lent, lease: Lease, held: PublishedCredential | None, now: datetime) -> LeaseGrant:
    """The lease after a renewal: it always succeeds, for clients differ in what they do about a refusal.

    Args:
        lent: What the lease says of itself.
        lease: The lease as the server keeps it.
        held: What the plugin holds of the role now; None where it holds nothing.
        now: The time of day.

    Returns:
        Two seconds where there is something newer to read, so that the holder reads again; else the full length,
        within what was lent. Its MaxTTL ends with its TTL: the server gives a client the increment that it wishes for
        in place of the TTL, and only MaxTTL bounds that.
    """
    issued = lease.issued or now
    age = max(0.0, (now - issued).total_seconds())
    if lent.is_superseded(held):
        ttl = SUPERSEDED_SECONDS
        longest = age + ttl
    else:
        full = held.ttl if held else lease.ttl_seconds
        ttl = max(_LEAST_SECONDS, min(full, lent.max_ttl - age))
        # Whoever renews again and again at the end does not get past it: the server refuses then.
        longest = min(age + ttl, lent.max_ttl + _LEAST_SECONDS)
    return LeaseGrant(ttl_seconds=ttl, max_ttl_seconds=longest, issued=issued, internal_data=dict(lease.internal_data))


def is_due(version: int, held: PublishedCredential | None, *, others: bool) -> bool:
    """Whether the end of a lease on `version` makes it due.

    Args:
        version: The version that the lease was on.
        held: What the plugin holds of the role now.
        others: Whether other leases on that version live.
    """
    if held is None or held.deleted or held.version != version:
        return False
    return held.rotate_on_lease_end == "any" or (held.rotate_on_lease_end == "last" and not others)
