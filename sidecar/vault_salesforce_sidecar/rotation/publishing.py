"""Publishing the proven pair: one check-and-set write to KV, which may run twice."""

from datetime import datetime

from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation.credentials import Credentials
from vault_salesforce_sidecar.rotation.machine import Event, Secret
from vault_salesforce_sidecar.rotation.outcome import Outcome
from vault_salesforce_sidecar.rotation.parts import Account
from vault_salesforce_sidecar.store import Conflict


def publish(
    credentials: Credentials, account: Account, entry: JournalEntry, base: int, secret: Secret, *, now: datetime
) -> Outcome:
    """Write the proven pair as the next KV version, on top of `base`. Raises: KvUnavailable.

    Where KV was restored from an older copy it is written again and again, until its number is above every one that was
    published: readers take only a higher one for a newer one.
    """
    # Something that was handed in may be what KV holds already; a candidate of ours is new, and seldom there.
    found = credentials.read(account.name) if entry.given_password is not None else None
    if found is None or not found.is_of(account.username, secret):
        try:
            version = credentials.publish(account, entry, secret, base, now)
            version = _counted_up(credentials, account, entry, version, secret, now=now)
            return _published(entry.rotation_id, version, now)
        except Conflict:
            found = credentials.read(account.name)
    if not found.is_of(account.username, secret):
        return Outcome(Event.REFUSED)
    if found.version < entry.published_version:  # it was cut off while it counted up, or somebody filled KV anew
        try:
            version = _counted_up(credentials, account, entry, found.version, secret, now=now)
        except Conflict:
            return Outcome(Event.REFUSED)
        return _published(entry.rotation_id, version, now)
    if found.version == entry.published_version:
        return Outcome(Event.DONE)  # that rotation's still: a version with another id would be another one
    rotated = found.last_rotation or now
    if not entry.published_version and found.rotation_id:  # the journal was lost: it is what the label says
        return _published(found.rotation_id, found.version, rotated)
    credentials.label(account.name, entry.rotation_id, rotated)
    return _published(entry.rotation_id, found.version, rotated)


def _counted_up(
    credentials: Credentials, account: Account, entry: JournalEntry, version: int, secret: Secret, *, now: datetime
) -> int:
    """Write the pair above `version` until its number is above every published one. Raises: Conflict, KvUnavailable."""
    while version <= entry.published_version:
        version = credentials.publish(account, entry, secret, version, now)
    return version


def _published(rotation_id: str, version: int, rotated: datetime) -> Outcome:
    changes = {"published_version": version, "published_id": rotation_id, "last_rotation": rotated}
    return Outcome(Event.DONE, changes=changes)
