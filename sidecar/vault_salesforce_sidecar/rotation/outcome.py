"""How one outside call of a rotation went. PURE."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from vault_salesforce_sidecar.rotation.machine import Event, Secret
from vault_salesforce_sidecar.salesforce.interface import Fault


class Charge(Enum):
    """What becomes of the account's charges."""

    KEEP = "keep"
    CLEAR = "clear"  # a login succeeded
    TAKE_BACK = "take back"  # the one written ahead did not count, or was not made
    ADD = "add"  # a fault of a change counts as a failed login


@dataclass(frozen=True)
class Outcome:
    """How a call went.

    Attributes:
        event: For the table.
        fault: What the org, or we, found wrong.
        charge: What becomes of the charges.
        changes: Fields of the journal entry to be written with the next state.
        counted: The org's own count of failed logins, just before this one; it takes the place of our charges.
        current: What is live now, in place of what the rotation began with.
    """

    event: Event
    fault: Fault | None = None
    charge: Charge = Charge.KEEP
    changes: Mapping[str, Any] = field(default_factory=dict)
    counted: int | None = None
    current: Secret | None = None
