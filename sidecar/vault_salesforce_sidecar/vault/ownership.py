"""Is this Vault the one that the sidecar belongs to? The engine's KV mount says whose it is, and where it is reached.

A copy of a Vault brings that record along. Where nobody has reached it at this address before, it is another Vault than
the one whose sidecars rotate: nothing is changed before a person has adopted it.
"""

import secrets
from dataclasses import replace

import structlog

from vault_salesforce_sidecar.records.owner import MOST_ADDRESSES, Owner, dump, load
from vault_salesforce_sidecar.settings import Settings
from vault_salesforce_sidecar.store import Conflict, Kv, KvVersion

log = structlog.get_logger(__name__)

OWNER = "owner"
_TRIES = 3


def faults(kv: Kv, settings: Settings) -> list[str]:
    """Why this sidecar may not act here, with the command that lets it; the first one to come makes the record.

    Raises: KvUnavailable.
    """
    ours = Owner(settings.mount, settings.kv_mount, settings.vault_namespace, addresses=addresses(settings))
    for _ in range(_TRIES):
        found = kv.read(OWNER)
        data = (found.data if found else None) or {}
        try:
            known = load(data) if data else None
        except ValueError as exc:
            return [f"{settings.engine_kv_mount}/{OWNER} cannot be read: {exc}"]
        if known is not None and (fault := _fault(known, ours, settings, found)):
            return [fault]
        after = _joined(known, ours)
        if after == known:
            return []
        try:
            kv.write(OWNER, dump(after, data), found.version if found else 0)
        except Conflict:
            continue
        log.info("installation", installation=after.installation, addresses=after.addresses)
        return []
    return [f"{settings.engine_kv_mount}/{OWNER} is written by others again and again"]


def installation(kv: Kv) -> str:
    """Which installation lives here; empty: none yet. Raises: KvUnavailable."""
    found = kv.read(OWNER)
    return str(((found.data if found else None) or {}).get("installation", ""))


def addresses(settings: Settings) -> tuple[str, ...]:
    """Where this sidecar reaches Vault, spelt the same way always."""
    return tuple(sorted({address.rstrip("/").lower() for address in settings.vault_addr}))


def _fault(known: Owner, ours: Owner, settings: Settings, found: KvVersion | None) -> str:
    """Why the record stands against this sidecar; empty: it does not."""
    patch = f"vault kv patch -mount={settings.engine_kv_mount} -cas={found.version if found else 0} {OWNER}"
    if (known.mount, known.kv_mount) != (ours.mount, ours.kv_mount):
        return (
            f"{settings.engine_kv_mount}/ belongs to the mount {known.mount}/ with {known.kv_mount}/: give this "
            f"deployment a KV mount of its own; where {known.mount}/ was moved to {ours.mount}/: {patch} "
            f"mount={ours.mount}"
        )
    if known.installation and not set(known.addresses) & set(ours.addresses):
        return (
            f"this installation was never reached at {', '.join(ours.addresses)}, but at {', '.join(known.addresses)}; "
            f"nothing is changed from here. Is it that very Vault under another address, then: {patch} "
            f"addresses={','.join((*known.addresses, *ours.addresses))}; is it a copy, to live on its own: "
            f"{patch} installation="
        )
    return ""


def _joined(known: Owner | None, ours: Owner) -> Owner:
    """The record with this sidecar in it; an installation that has no name yet, or no longer, gets one."""
    if known is None or not known.installation:
        return replace(ours, installation=secrets.token_hex(16))
    if set(ours.addresses) <= set(known.addresses):
        return known
    return replace(known, addresses=tuple(sorted({*known.addresses, *ours.addresses}))[:MOST_ADDRESSES])
