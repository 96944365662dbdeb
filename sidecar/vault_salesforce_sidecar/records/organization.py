"""The org that was found behind a connection, remembered so that another one is noticed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from vault_plugin_sdk.framework.fields import BOOLEAN, TEXT, TIME, field, from_stored, to_stored
from vault_salesforce_sidecar.records.schema import check_schema

SCHEMA: Final = 1
_ID_LENGTH: Final = 15  # what follows is a checksum of the letters' case, which not every answer carries


@dataclass(frozen=True)
class Organization:
    """An org, as a session told it."""

    organization_id: str = field(TEXT, "Salesforce's id of the org.")
    is_sandbox: bool | None = field(BOOLEAN, "Whether it is a sandbox; absent: no session said so.", default=None)
    since: datetime | None = field(TIME, "When it was first seen, or accepted.", default=None)

    def is_same(self, other: "Organization") -> bool:
        """Whether both may be one org: a flag that only one of them knows tells nothing."""
        return self.organization_id[:_ID_LENGTH] == other.organization_id[:_ID_LENGTH] and {
            self.is_sandbox,
            other.is_sandbox,
        } != {True, False}


def dump(organization: Organization) -> dict[str, Any]:
    """The record at `config-state/<name>`."""
    return {"schema": SCHEMA, **to_stored(organization)}


def load(data: Mapping[str, Any]) -> Organization:
    """The record that `dump` wrote. Raises: NewerSchema; ValueError: it cannot be read."""
    check_schema(data, SCHEMA)
    try:
        return from_stored(Organization, data)
    except TypeError as fault:
        raise ValueError("what is remembered of the org is not of the shape that this release writes") from fault
