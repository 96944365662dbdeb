"""The record at `owner`: whose the engine's KV mount is, and which installation lives in this Vault.

It is flat, so that a person can change it with `vault kv patch`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from vault_plugin_sdk.framework.fields import LIST, TEXT, declared, field, from_stored, to_stored
from vault_salesforce_sidecar.records.schema import check_schema

SCHEMA: Final = 1
MOST_ADDRESSES: Final = 32


@dataclass(frozen=True)
class Owner:
    """One deployment of sidecars, with its mount and the Vault that it belongs to."""

    mount: str = field(TEXT, "Path of the engine's mount.")
    kv_mount: str = field(TEXT, "Path of the KV mount that apps read.")
    namespace: str = field(TEXT, "Namespace of the mounts; empty: the root.", default="")
    installation: str = field(TEXT, "Random; a copy of Vault that was adopted has another one.", default="")
    addresses: tuple[str, ...] = field(LIST, "Where its sidecars reach this Vault.", default=())


def dump(owner: Owner, known: Mapping[str, Any]) -> dict[str, Any]:
    """The record as KV stores it, with what a newer release left in it."""
    return {**known, "schema": SCHEMA, **to_stored(owner)}


def load(data: Mapping[str, Any]) -> Owner:
    """The record that `dump`, a person or an earlier release wrote. Raises: NewerSchema; ValueError."""
    check_schema(data, SCHEMA)
    try:
        return from_stored(Owner, {name: data[name] for name in declared(Owner) if name in data})
    except TypeError as fault:
        raise ValueError("the owner record is not of the shape that this release writes") from fault
