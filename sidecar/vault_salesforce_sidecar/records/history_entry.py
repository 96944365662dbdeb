"""What is remembered of a role's rotations, and of who read its secrets or unlocked it: bounded, without any secret."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from vault_plugin_sdk.framework.fields import INTEGER, TEXT, TIME, field, from_stored, to_stored
from vault_salesforce_sidecar.records.schema import check_schema

MAX_ENTRIES: Final = 50
SCHEMA: Final = 2
REVEALED, UNLOCKED = "revealed", "unlocked"  # outcomes of rows that tell of a request, and of no rotation
_NOTES: Final = frozenset({REVEALED, UNLOCKED})


@dataclass(frozen=True)
class HistoryEntry:
    """One rotation, as it rests or ended, or one round of it that somebody asked for; or a note of another request."""

    rotation_id: str = field(TEXT, "Which one.")
    cause: str = field(
        TEXT, "Why: manual, force, lease, schedule, create, resync, token, unlock, delete, reveal.", default=""
    )
    began: datetime | None = field(TIME, "When it began.", default=None)
    ended: datetime | None = field(TIME, "When it came to rest.", default=None)
    outcome: str = field(TEXT, "The state in which it rests.", default="")
    reason: str = field(TEXT, "Why it rests there.", default="")
    evidence: str = field(TEXT, "What proved the new password: login, or the weaker record.", default="")
    way: str = field(
        TEXT, "How it was changed: own_password, own_app, own_expired, admin_set, admin_reset.", default=""
    )
    sessions: str = field(TEXT, "What became of the user's other sessions, where they were to end.", default="")
    version: int = field(INTEGER, "KV version that was current afterwards.", default=0)
    fault_code: str = field(TEXT, "The last fault's code.", default="")
    request_id: str = field(TEXT, "Vault's id of the request that began it.", default="")
    display_name: str = field(TEXT, "Who asked.", default="")
    entity_id: str = field(TEXT, "Entity of who asked.", default="")
    accessor: str = field(TEXT, "Token accessor of who asked.", default="")

    @property
    def is_note(self) -> bool:
        """Whether it tells of a request that rotated nothing."""
        return self.outcome in _NOTES


def dump(entries: Sequence[HistoryEntry]) -> dict[str, Any]:
    """The record at `history/<role>`, newest first; each row is a text of its own that holds JSON.

    OpenBao refuses a request with more than 1,000 strings, names included: 34 rows of them would be more.
    """
    return {"schema": SCHEMA, "rotations": [json.dumps(to_stored(entry)) for entry in entries]}


def load(data: Mapping[str, Any]) -> tuple[HistoryEntry, ...]:
    """The record that `dump` wrote, or an earlier release's, whose rows are objects.

    Raises: NewerSchema; ValueError where it cannot be read.
    """
    check_schema(data, SCHEMA)
    try:
        rows = (json.loads(row) if isinstance(row, str) else row for row in data.get("rotations") or ())
        return tuple(from_stored(HistoryEntry, row) for row in rows)
    except (TypeError, AttributeError, RecursionError) as fault:
        raise ValueError("the history is not of the shape that this release writes") from fault


def remembered(entries: Sequence[HistoryEntry], entry: HistoryEntry) -> tuple[HistoryEntry, ...]:
    """The entries with this one first, in place of an earlier one of the same; the oldest fall off.

    A rotation on which others helped has a row for each who did. Rotations and notes are counted apart: neither kind
    can push the other out.
    """
    rows = (entry, *(one for one in entries if _which(one) != _which(entry)))
    counted = Counter[bool]()
    kept = []
    for row in rows:
        counted[row.is_note] += 1
        if counted[row.is_note] <= MAX_ENTRIES:
            kept.append(row)
    return tuple(kept)


def _which(entry: HistoryEntry) -> tuple[str, str]:
    """Who asked for what: what happens to a rotation by itself, such as the mail with its token, is still that."""
    return entry.rotation_id, entry.request_id
