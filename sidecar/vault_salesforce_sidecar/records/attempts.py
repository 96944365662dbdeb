"""What logins of a connection's own user cost it: counted where every sidecar sees it, and across restarts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from vault_plugin_sdk.framework.fields import INTEGER, field, from_stored, to_stored
from vault_salesforce_sidecar.records.schema import check_schema

SCHEMA: Final = 1


@dataclass(frozen=True)
class Attempts:
    """The count of one user."""

    charges: int = field(
        INTEGER, "Logins by password that failed, or may have, since the last that succeeded.", default=0
    )
    forgiven: int = field(INTEGER, "How often somebody said that the user may log in again.", default=0)


def dump(attempts: Attempts) -> dict[str, Any]:
    """The record at `attempts/<username>`."""
    return {"schema": SCHEMA, **to_stored(attempts)}


def load(data: Mapping[str, Any]) -> Attempts:
    """The record that `dump` wrote. Raises: NewerSchema; ValueError: it cannot be read."""
    check_schema(data, SCHEMA)
    return from_stored(Attempts, data)
