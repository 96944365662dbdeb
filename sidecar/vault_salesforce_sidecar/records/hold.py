"""A hold: who stopped the rotations of a connection, why, and since when. One that is over stays, to be counted from.

It is flat, so that a person can read it with `bao kv get` when no sidecar runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from vault_plugin_sdk.framework.fields import BOOLEAN, LIST, TEXT, TIME, field, from_stored, to_stored
from vault_salesforce_sidecar.records.schema import check_schema

SCHEMA: Final = 1
PERSON, SAME_FAULT, ANOTHER_ORG = "person", "same_fault", "another_org"
RESTORED, START_HELD = "restored", "start_held"
ENGINE: Final = "the engine"


@dataclass(frozen=True)
class Hold:
    """One hold, on or over."""

    reason: str = field(TEXT, "Why, for whoever asks.")
    cause: str = field(TEXT, "person, same_fault, another_org, restored or start_held.", default=PERSON)
    since: datetime | None = field(TIME, "When it began.", default=None)
    until: datetime | None = field(TIME, "When it ends by itself.", default=None)
    held_by: str = field(TEXT, "Who: a person's display name, or the engine.", default=ENGINE)
    entity_id: str = field(TEXT, "Entity of that person.", default="")
    request_id: str = field(TEXT, "Vault's id of the request.", default="")
    code: str = field(TEXT, "same_fault: what the accounts were refused with.", default="")
    roles: tuple[str, ...] = field(LIST, "same_fault: the roles of those accounts.", default=())
    organization_id: str = field(TEXT, "another_org: the org that was found.", default="")
    is_sandbox: bool | None = field(BOOLEAN, "another_org: whether it is a sandbox, where that was said.", default=None)
    released_at: datetime | None = field(TIME, "When it ended; absent: it is on.", default=None)
    released_by: str = field(TEXT, "Who ended it.", default="")

    @property
    def stops(self) -> bool:
        """Whether nothing at all is done by itself: what Vault says may be of another day."""
        return self.cause in (RESTORED, START_HELD)

    def is_on(self, now: datetime) -> bool:
        """Whether it holds at this time."""
        return self.released_at is None and not self.has_lapsed(now)

    def has_lapsed(self, now: datetime) -> bool:
        """Whether its own end has come."""
        return self.until is not None and self.until <= now

    def over_since(self, now: datetime) -> datetime | None:
        """When it ended; None: it is on."""
        if self.released_at is not None:
            return self.released_at
        return self.until if self.has_lapsed(now) else None


def dump(hold: Hold) -> dict[str, Any]:
    """The record at `hold/<config>`."""
    return {"schema": SCHEMA, **to_stored(hold)}


def load(data: Mapping[str, Any]) -> Hold:
    """The record that `dump` wrote. Raises: NewerSchema; ValueError: it cannot be read."""
    check_schema(data, SCHEMA)
    try:
        return from_stored(Hold, data)
    except TypeError as fault:
        raise ValueError("the hold is not of the shape that this release writes") from fault
