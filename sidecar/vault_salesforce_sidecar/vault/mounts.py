"""What the KV mounts must be like, and whose they are."""

from collections.abc import Mapping
from typing import Any

from vault_salesforce_sidecar.settings import Settings
from vault_salesforce_sidecar.store import Conflict, Kv
from vault_salesforce_sidecar.vault.client import Vault

OWNER = "owner"
OWNER_SCHEMA = 1
LEAST_VERSIONS = 10  # of `creds/`: as many as KV keeps where nothing is said


def faults(vault: Vault, settings: Settings) -> list[str]:
    """What is wrong with the two mounts, each with the command that mends it. Raises: KvUnavailable."""
    found = []
    for mount in (settings.kv_mount, settings.engine_kv_mount):
        found += _faults_of(mount, vault.kv(mount).configuration(), published=mount == settings.kv_mount)
    return found or _ownership(vault.kv(settings.engine_kv_mount), settings)


def _faults_of(mount: str, configuration: Mapping[str, Any], *, published: bool) -> list[str]:
    found = []
    if not configuration.get("cas_required"):
        found.append(f"{mount}/ takes writes without check-and-set: vault write {mount}/config cas_required=true")
    if configuration.get("delete_version_after", "0s") not in ("0s", "0", 0, ""):
        found.append(f"{mount}/ deletes versions by itself: vault write {mount}/config delete_version_after=0s")
    if published and 0 < int(configuration.get("max_versions") or 0) < LEAST_VERSIONS:
        found.append(f"{mount}/ keeps too few versions: vault write {mount}/config max_versions={LEAST_VERSIONS}")
    return found


def _ownership(kv: Kv, settings: Settings) -> list[str]:
    """The engine's mount belongs to one mount of the plugin: two deployments would rotate under each other."""
    owner = {"schema": OWNER_SCHEMA, "mount": settings.mount, "kv_mount": settings.kv_mount}
    known = kv.read(OWNER)
    if known is None:
        try:
            kv.write(OWNER, owner, 0)
        except Conflict:
            known = kv.read(OWNER)
        else:
            return []
    held = (known.data if known else None) or {}
    if {name: held.get(name) for name in owner} == owner:
        return []
    others = f"{held.get('mount')}/ with {held.get('kv_mount')}/"
    moved = f"-mount={settings.engine_kv_mount} -cas={known.version if known else 0} {OWNER} mount={settings.mount}"
    fault = f"{settings.engine_kv_mount}/ belongs to the mount {others}: give this deployment a KV mount of its own"
    return [f"{fault}; where {held.get('mount')}/ was moved to {settings.mount}/: vault kv patch {moved}"]
