"""What a deleted role left: offered to a role that is made again, and to nobody else. PURE."""

import hashlib
import json
from dataclasses import replace
from datetime import datetime
from typing import Final

from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation.machine import Secret, State

TAKEN_UP: Final = "the password that was kept since the role was deleted logs in, and is published again"
USELESS: Final = "no password that was kept since the role was deleted logs in any more"


def way_of(config: Config) -> str:
    """A digest of where a connection sends secrets, and of what guards them on the way."""
    way = [config.login_url, config.ca_cert, sorted(config.allowed_hosts)]
    return hashlib.sha256(json.dumps(way).encode()).hexdigest()


def kept_secrets(record: JournalEntry, role: str, config: Config, now: datetime) -> tuple[Secret, ...]:
    """The secrets that an account's entry offers to a role that is to be made: the last one first.

    Whoever may make a role does not thereby learn the secrets of another: it must be the role of that name, and they
    are sent where they were sent before, or nowhere.

    Args:
        record: The entry.
        role: The role's name.
        config: Its connection.
        now: What is kept no longer than this is gone.
    """
    is_left = record.state == State.DELETED or (record.state == State.WITHDRAWN and not record.published_version)
    if not is_left or record.role.lower() != role.lower() or record.sent_by != way_of(config):
        return ()
    kept = [one.password for one in record.kept if one.until is None or one.until > now]
    if record.state == State.DELETED and record.current_password:
        kept = [record.current_password, *(one for one in kept if one != record.current_password)]
    return tuple(Secret(password, record.current_token) for password in kept)


def put_back(record: JournalEntry, before: JournalEntry) -> JournalEntry:
    """The entry as the deleted role left it, after its secrets were tried in vain: what that cost stays.

    Args:
        record: The entry now.
        before: As it was.
    """
    return replace(
        before,
        charges=record.charges,
        salt=record.salt,
        refused_digest=record.refused_digest,
        refused_at=record.refused_at,
        tokens_tried=record.tokens_tried,
        owed=record.owed,
        unknown=record.unknown,
    )
