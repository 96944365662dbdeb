"""What is wrong with KV's newest version, where it is not the one that we published last. PURE."""

from dataclasses import dataclass
from typing import Final

from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation.credentials import Found
from vault_salesforce_sidecar.rotation.journal import machine_entry
from vault_salesforce_sidecar.rotation.machine import REST, State

AHEAD: Final = "the mount serves a newer version than KV"  # a reason


@dataclass(frozen=True)
class KvFault:
    """What a person is told of it.

    Attributes:
        reason: What is wrong, as sentences.
        next_step: The command to paste.
    """

    reason: str
    next_step: str


def is_foreign(record: JournalEntry, found: Found) -> bool:
    """Whether KV's newest version is not the one that we published last: somebody wrote, or deleted, there."""
    if not record.published_version:
        return False
    if found.version != record.published_version or found.secret is None:
        return True
    return record.state == State.SETTLED and found.secret != machine_entry(record).current


def kv_fault(record: JournalEntry, found: Found, *, mount: str, kv_path: str) -> KvFault | None:
    """The fault of a role that rests; None: there is none.

    Args:
        record: Its account's entry.
        found: What KV holds.
        mount: Path of the engine's mount.
        kv_path: Path of the credential in KV.
    """
    if State(record.state) not in REST:
        return None
    if not is_foreign(record, found):
        return _misnamed(record, found, mount, kv_path)
    if found.version < record.published_version and record.reason == AHEAD:
        return KvFault(
            f"KV shows version {found.version} of {kv_path}, and the mount serves {record.published_version}: KV was "
            "restored from an older copy. The next step proves what the mount serves, and publishes it as a version "
            "above.",
            f"vault write {mount}/resync/{record.role} try=served",
        )
    if found.version < record.published_version:
        return KvFault(
            f"KV shows version {found.version} of {kv_path}, and {record.published_version} was published: somebody "
            "deleted the path's metadata, or restored the mount. The next step proves the password that the engine "
            "knows, and publishes it as a version above.",
            f"vault write {mount}/resync/{record.role} try=current",
        )
    return KvFault(
        f"Version {found.version} of {kv_path} is not what this engine published: somebody wrote there, or deleted it. "
        "The next step proves the password that the engine knows, and publishes it as a version above.",
        f"vault write {mount}/resync/{record.role} try=current",
    )


def _misnamed(record: JournalEntry, found: Found, mount: str, kv_path: str) -> KvFault | None:
    """The version is ours, but names the user as they were called before."""
    if not found.username or found.username.lower() == record.username.lower():
        return None
    return KvFault(
        f"Version {found.version} of {kv_path} still names the user {found.username}. The next step proves the "
        "password under the name of now, and publishes both.",
        f"vault write {mount}/resync/{record.role} try=current",
    )
