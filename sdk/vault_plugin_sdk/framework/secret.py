"""Secret, in Vault's sense: a leased thing, with what happens when it is renewed and when it ends."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from vault_plugin_sdk.logical.request import Lease
from vault_plugin_sdk.logical.response import LeaseGrant

# The key of a lease's internal data that names its Secret; the same as in Go's framework.
TYPE_KEY = "secret_type"


@dataclass(frozen=True)
class Secret:
    """A kind of lease.

    Attributes:
        type: Its name, kept in each lease's internal data under `TYPE_KEY` by whoever issues it.
        renew: Called with (context, lease); answers the whole lease anew, since the reply replaces what is stored.
        revoke: Called with (context, lease); may run twice, and must succeed where there is nothing left to end.
    """

    type: str
    renew: Callable[[Any, Lease], Awaitable[LeaseGrant]]
    revoke: Callable[[Any, Lease], Awaitable[None]]

    def grant(
        self, ttl_seconds: float, max_ttl_seconds: float, *, issued: datetime | None = None, **internal: Any
    ) -> LeaseGrant:
        """A new lease of this kind.

        Args:
            ttl_seconds: Its length from now.
            max_ttl_seconds: Its longest possible length; the server's own limits hold besides.
            issued: Now, by another clock than the machine's.
            internal: All that `renew` and `revoke` will need, as JSON values: the answer's data does not come back.
        """
        internal_data = {TYPE_KEY: self.type, **internal}
        return LeaseGrant(ttl_seconds, max_ttl_seconds, issued or datetime.now(UTC), internal_data)
