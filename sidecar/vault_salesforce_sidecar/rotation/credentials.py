"""`creds/<role>` in KV: the credentials that apps read, one version per rotation, each write by check-and-set."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from vault_plugin_sdk.framework.coerce import coerce, jsonable
from vault_plugin_sdk.framework.fields import TIME
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.published import PublishedCredential
from vault_salesforce_sidecar.records.journal_entry import JournalEntry
from vault_salesforce_sidecar.rotation.machine import Secret
from vault_salesforce_sidecar.rotation.parts import Account
from vault_salesforce_sidecar.store import Kv, KvVersion


@dataclass(frozen=True)
class Found:
    """What KV holds of a role now.

    Attributes:
        version: Newest version; 0: there never was one.
        secret: The pair; None where the version is deleted, empty, or not of our shape.
        rotation_id: The rotation that the path's metadata names.
        last_rotation: When that version was proven and written.
        login_url: Where the user logs in.
        instance_url: The org's own host.
        organization_id: The org.
        username: The user whose pair it is.
    """

    version: int
    secret: Secret | None
    rotation_id: str = ""
    last_rotation: datetime | None = None
    login_url: str = ""
    instance_url: str = ""
    organization_id: str = ""
    username: str = ""

    def is_of(self, username: str, secret: Secret) -> bool:
        """Whether it is this pair, under this user's name."""
        return self.secret == secret and self.username.lower() == username.lower()


class Credentials:
    """The KV mount that apps read. Its metadata is never deleted: a deleted role keeps counting."""

    def __init__(self, kv: Kv) -> None:
        self._kv = kv

    def read(self, role: str) -> Found:
        """What is there. Raises: KvUnavailable."""
        return _found(self._kv.read(f"creds/{role}"))

    def names(self) -> list[str]:
        """The roles of which there ever was a version. Raises: KvUnavailable."""
        return self._kv.list("creds/")

    def publish(self, account: Account, entry: JournalEntry, secret: Secret, base: int, now: datetime) -> int:
        """Write the pair on top of `base`; the new version. Raises: Conflict, KvUnavailable."""
        credential = PublishedCredential(
            username=account.username,
            password=secret.password,
            security_token=secret.token or SecretStr(""),
            version=base + 1,
            rotation_id=entry.rotation_id,
            last_vault_rotation=now,
            login_url=account.config.login_url,
            instance_url=entry.instance_url,
            organization_id=entry.organization_id,
        )
        version = self._kv.write(f"creds/{account.name}", credential.for_readers(), base)
        self.label(account.name, entry.rotation_id, now)
        return version

    def empty(self, role: str, base: int, rotation_id: str, now: datetime) -> int:
        """Write a version without anything on top of `base`. Raises: Conflict, KvUnavailable."""
        version = self._kv.write(f"creds/{role}", {}, base)
        self.label(role, rotation_id, now)
        return version

    def label(self, role: str, rotation_id: str, now: datetime) -> None:
        """Name the rotation in the path's metadata. Raises: KvUnavailable."""
        labels = {"role": role, "rotation_id": rotation_id, "time": str(jsonable(now))}
        self._kv.set_metadata(f"creds/{role}", custom_metadata=labels)


def just_published(account: Account, entry: JournalEntry) -> Found:
    """What KV holds once this entry has settled, as `Credentials.publish` wrote it."""
    return Found(
        entry.published_version,
        Secret(entry.current_password, entry.current_token),
        entry.published_id,
        entry.last_rotation,
        account.config.login_url,
        entry.instance_url,
        entry.organization_id,
        account.username,
    )


def _found(newest: KvVersion | None) -> Found:
    if newest is None:
        return Found(0, None)
    data: Any = newest.data or {}
    password, token = data.get("password"), data.get("security_token", "")
    if not isinstance(password, str) or not password or not isinstance(token, str):
        return Found(newest.version, None, newest.custom_metadata.get("rotation_id", ""))
    try:
        last_rotation = coerce(TIME, data.get("last_vault_rotation"))
    except ValueError:
        last_rotation = None
    return Found(
        newest.version,
        Secret(SecretStr(password), SecretStr(token) if token else None),
        newest.custom_metadata.get("rotation_id", ""),
        last_rotation,
        str(data.get("login_url", "")),
        str(data.get("instance_url", "")),
        str(data.get("organization_id", "")),
        str(data.get("username", "")),
    )
