"""How long a lease may be, and whether its end makes the version due. PURE."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from vault_plugin_sdk.framework.secret import TYPE_KEY
from vault_plugin_sdk.logical.request import Caller, Lease
from vault_plugin_sdk.logical.response import LeaseGrant
from vault_salesforce_contract.published import PublishedCredential

SECRET_TYPE = "salesforce_credential"  # noqa: S105 - the name of a kind of lease
SUPERSEDED_SECONDS = 2.0
UNSETTLED_SECONDS = 10.0  # at most, of a brief lease
# The server takes 0 for "the mount's default", which is 32 days.
_LEAST_SECONDS = 1.0
# Between our look at the clock and the server's, the second may change. Whoever asks for the length that it had gets
# all of it: the Vault Secrets Operator takes less for the lease's end, and restarts the pods.
_SLACK_SECONDS = 1.0


@dataclass(frozen=True)
class Lent:
    """What a lease says of itself in its internal data.

    Attributes:
        role: Whose credential was lent.
        version: Which version of it.
        rotation_id: The rotation that made that version.
        max_ttl: Its longest possible length, in seconds from its first issue.
        rule: The role's `rotate_on_lease_end` when it was lent; "" of a release that did not say.
        brief: It was lent while the version was due or being changed: its end triggers nothing.
        record: Its name among the live leases; "" where the role's rule needs none.
        caller: Who was lent it: the server says nothing of that when the lease ends.
    """

    role: str
    version: int
    rotation_id: str
    max_ttl: float
    rule: str = ""
    brief: bool = False
    record: str = ""
    caller: Caller = field(default_factory=Caller)

    @property
    def triggers(self) -> bool:
        """Whether its end may make the version due. A lease keeps to the rule that it was lent under: the set does not
        know those that were lent under `never`, so that of several the first to end would be taken for the last.
        """
        return not self.brief and self.rule != "never"

    def latest_end(self, issued: datetime) -> float:
        """When it ends at the latest, in seconds since the epoch."""
        return issued.timestamp() + self.max_ttl + _LEAST_SECONDS

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
            rule=str(data.get("rule", "")),
            brief=bool(data.get("brief")),
            record=str(data.get("record", "")),
            caller=Caller.from_data(data.get("caller") or {}),
        )

    def is_current(self, held: PublishedCredential | None) -> bool:
        """Whether the plugin holds this very version."""
        return held is not None and (held.version, held.rotation_id) == (self.version, self.rotation_id)

    def is_superseded(self, held: PublishedCredential | None) -> bool:
        """Whether there is something newer to read. A copy that lags behind the lease is nothing newer."""
        return held is not None and held.version >= self.version and not self.is_current(held)


def lend(role: str, held: PublishedCredential, *, brief: bool, longest: float, caller: Caller | None = None) -> Lent:
    """What is lent of `held`.

    Args:
        role: Whose credential.
        held: The credential.
        brief: The version is due or being changed.
        longest: The mount's own bound, in seconds. Whatever it is later, this lease keeps to what it is now.
        caller: Who is lent it.
    """
    max_ttl = max(_LEAST_SECONDS, min(held.max_ttl, longest))
    rule, lent_to = held.rotate_on_lease_end, caller or Caller()
    return Lent(role, held.version, held.rotation_id, max_ttl, rule, brief, caller=lent_to)


def first_grant(lent: Lent, held: PublishedCredential, now: datetime) -> LeaseGrant:
    """The lease that `creds` answers with.

    Args:
        lent: What is lent.
        held: The credential that is handed out.
        now: The time of day.

    Returns:
        The role's `ttl`, within its `max_ttl`. Where the mount allows less, the server caps it and tells the client.
    """
    ttl = max(_LEAST_SECONDS, min(_step(lent, held.ttl), held.max_ttl))
    return LeaseGrant(
        ttl_seconds=ttl,
        max_ttl_seconds=min(ttl + _SLACK_SECONDS, lent.max_ttl) if lent.brief else lent.max_ttl,
        issued=now,
        internal_data=lent.to_internal(),
    )


def renewed_grant(
    lent: Lent, lease: Lease, held: PublishedCredential | None, now: datetime, *, unrest: bool
) -> LeaseGrant:
    """The lease after a renewal: it always succeeds, for clients differ in what they do about a refusal.

    Args:
        lent: What the lease says of itself.
        lease: The lease as the server keeps it.
        held: What the plugin holds of the role now; None where it holds nothing.
        now: The time of day.
        unrest: Whether the version is due or being changed now; asked for brief leases alone.

    Returns:
        Two seconds where there is something newer to read, so that the holder reads again; else the full length,
        within what was lent. Its MaxTTL ends with its TTL: the server gives a client the increment that it wishes for
        in place of the TTL, and only MaxTTL bounds that.
    """
    if lent.is_superseded(held):
        return ending_grant(lease, now)
    age = _age(lease, now)
    full = _step(lent, held.ttl if held else lease.ttl_seconds)
    ttl = max(_LEAST_SECONDS, min(full, lent.max_ttl - age))
    # Whoever renews again and again at the end does not get past it: the server refuses then.
    longest = min(age + ttl + _SLACK_SECONDS, lent.max_ttl + _LEAST_SECONDS)
    if lent.brief and not unrest:
        # The change was withdrawn, and a lease that triggers something is to be had: this one goes to its end.
        longest = _bounded(longest, lease)
    return _renewed(lease, ttl, longest, now)


def ending_grant(lease: Lease, now: datetime) -> LeaseGrant:
    """The renewal of a lease whose holder is to read again.

    Args:
        lease: The lease as the server keeps it.
        now: The time of day.

    Returns:
        Two seconds, and no further two for who renews within them: else a loop would keep the old version for a day.
    """
    return _renewed(lease, SUPERSEDED_SECONDS, _bounded(_age(lease, now) + SUPERSEDED_SECONDS, lease), now)


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


def _step(lent: Lent, ttl: float) -> float:
    """How far one grant reaches: a brief lease goes on in short steps, so that its holder need not read each time."""
    return min(ttl, UNSETTLED_SECONDS - _SLACK_SECONDS) if lent.brief else ttl


def _age(lease: Lease, now: datetime) -> float:
    """Seconds from the first issue, as the server counts them: from whole second to whole second."""
    return max(0.0, math.floor(now.timestamp()) - math.floor((lease.issued or now).timestamp()))


def _bounded(longest: float, lease: Lease) -> float:
    """Not longer than the grant before allowed; 0 is a server's "it did not say"."""
    return min(longest, lease.max_ttl_seconds) if lease.max_ttl_seconds else longest


def _renewed(lease: Lease, ttl: float, longest: float, now: datetime) -> LeaseGrant:
    """The whole lease anew: what is answered replaces what the server keeps."""
    return LeaseGrant(ttl, longest, lease.issued or now, dict(lease.internal_data))
