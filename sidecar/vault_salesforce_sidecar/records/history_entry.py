"""What is remembered of each rotation of a role, and of each reading of its secrets: bounded, without any secret."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from vault_plugin_sdk.framework.fields import INTEGER, TEXT, TIME, field, from_stored, to_stored
from vault_salesforce_sidecar.records.schema import check_schema

MAX_ENTRIES: Final = 50
SCHEMA: Final = 1
READING: Final = "reveal"  # cause of a row that tells of a reading


@dataclass(frozen=True)
class HistoryEntry:
    """One rotation, as it rests or ended; or one reading."""

    rotation_id: str = field(TEXT, "Which one.")
    cause: str = field(
        TEXT, "Why it began: manual, lease, schedule, create, resync, token, delete, reveal …", default=""
    )
    began: datetime | None = field(TIME, "When it began.", default=None)
    ended: datetime | None = field(TIME, "When it came to rest.", default=None)
    outcome: str = field(TEXT, "The state in which it rests.", default="")
    reason: str = field(TEXT, "Why it rests there.", default="")
    evidence: str = field(TEXT, "What proved the new password: login, or the weaker record.", default="")
    version: int = field(INTEGER, "KV version that was current afterwards.", default=0)
    fault_code: str = field(TEXT, "The last fault's code.", default="")
    request_id: str = field(TEXT, "Vault's id of the request that began it.", default="")
    display_name: str = field(TEXT, "Who asked.", default="")
    entity_id: str = field(TEXT, "Entity of who asked.", default="")
    accessor: str = field(TEXT, "Token accessor of who asked.", default="")


def dump(entries: Sequence[HistoryEntry]) -> dict[str, Any]:
    """The record at `history/<role>`, newest first."""
    return {"schema": SCHEMA, "rotations": [to_stored(entry) for entry in entries]}


def load(data: Mapping[str, Any]) -> tuple[HistoryEntry, ...]:
    """The record that `dump` wrote. Raises: NewerSchema; ValueError on a bad value."""
    check_schema(data, SCHEMA)
    return tuple(from_stored(HistoryEntry, entry) for entry in data.get("rotations") or ())


def remembered(entries: Sequence[HistoryEntry], entry: HistoryEntry) -> tuple[HistoryEntry, ...]:
    """The entries with this one first, in place of an earlier one of the same; the oldest fall off.

    Rotations and readings are counted apart: neither kind can push the other out.
    """
    rows = (entry, *(one for one in entries if _which(one) != _which(entry)))
    counted = Counter[bool]()
    kept = []
    for row in rows:
        counted[row.cause == READING] += 1
        if counted[row.cause == READING] <= MAX_ENTRIES:
            kept.append(row)
    return tuple(kept)


def _which(entry: HistoryEntry) -> tuple[str, str]:
    """A rotation has one row, and so has each request that read its secrets."""
    return entry.rotation_id, entry.request_id if entry.cause == READING else ""
