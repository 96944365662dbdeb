"""What the KV mounts must be like, and whose they are."""

from collections.abc import Mapping
from typing import Any

from vault_salesforce_sidecar.settings import Settings
from vault_salesforce_sidecar.vault import ownership
from vault_salesforce_sidecar.vault.client import Vault

LEAST_VERSIONS = 10  # of `creds/`: as many as KV keeps where nothing is said


def faults(vault: Vault, settings: Settings) -> list[str]:
    """What is wrong with the two mounts, each with the command that mends it. Raises: KvUnavailable."""
    found = []
    for mount in (settings.kv_mount, settings.engine_kv_mount):
        found += _faults_of(mount, vault.kv(mount).configuration(), published=mount == settings.kv_mount)
    return found or ownership.faults(vault.kv(settings.engine_kv_mount), settings)


def _faults_of(mount: str, configuration: Mapping[str, Any], *, published: bool) -> list[str]:
    found = []
    if not configuration.get("cas_required"):
        found.append(f"{mount}/ takes writes without check-and-set: vault write {mount}/config cas_required=true")
    if configuration.get("delete_version_after", "0s") not in ("0s", "0", 0, ""):
        found.append(f"{mount}/ deletes versions by itself: vault write {mount}/config delete_version_after=0s")
    if published and 0 < int(configuration.get("max_versions") or 0) < LEAST_VERSIONS:
        found.append(f"{mount}/ keeps too few versions: vault write {mount}/config max_versions={LEAST_VERSIONS}")
    return found
