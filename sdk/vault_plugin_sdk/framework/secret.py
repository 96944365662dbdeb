"""Secret, in Vault's sense: a leased thing, with what happens when it is renewed and when it ends."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
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
