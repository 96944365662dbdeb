"""The committed credential of a role: what the sidecar hands over, and what readers get."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from vault_plugin_sdk.framework.coerce import jsonable
from vault_plugin_sdk.framework.fields import BOOLEAN, DURATION, INTEGER, SECRET, TEXT, TIME, field
from vault_plugin_sdk.framework.secretstr import SecretStr

ROTATE_ON_LEASE_END = ("last", "any", "never")


@dataclass(frozen=True, slots=True)
class PublishedCredential:
    """The credential as KV holds it, with what the plugin needs to lease it. Written at `published/<role>`."""

    username: str = field(TEXT, "Login name in Salesforce.")
    password: SecretStr = field(SECRET, "Password.")
    version: int = field(INTEGER, "Version at the KV path; a lower one than the plugin holds is refused.", minimum=1)
    rotation_id: str = field(TEXT, "The rotation that made it.")
    last_vault_rotation: datetime = field(TIME, "When it was proven and written.")
    login_url: str = field(TEXT, "Where the user logs in.")
    security_token: SecretStr = field(SECRET, "Security token; empty where none is needed.", default=SecretStr(""))
    instance_url: str = field(TEXT, "The org's own host; empty until a login told it.", default="")
    organization_id: str = field(TEXT, "The org's id; empty until a login told it.", default="")
    rotation_period: int | None = field(DURATION, "Time between rotations; set with consumer_hints=ttl.", default=None)
    next_rotation: datetime | None = field(TIME, "When the next one is due; set with consumer_hints=ttl.", default=None)
    ttl: int = field(DURATION, "Length of a lease.", default=600)
    max_ttl: int = field(DURATION, "Longest length of a lease.", default=86_400)
    rotate_on_lease_end: str = field(
        TEXT, "Which lease's end makes the version due.", default="last", choices=ROTATE_ON_LEASE_END
    )
    deleted: bool = field(BOOLEAN, "The role is gone: serve nothing, keep counting.", default=False)

    def for_readers(self) -> dict[str, Any]:
        """What `static-creds`, `creds` and KV give: nothing in it changes between two reads of one version."""
        password, token = self.password.reveal(), self.security_token.reveal()
        return {
            "username": self.username,
            "password": password,
            "security_token": token,
            "password_token": password + token,
            "login_url": self.login_url,
            "instance_url": self.instance_url,
            "organization_id": self.organization_id,
            "version": self.version,
            "last_vault_rotation": jsonable(self.last_vault_rotation),
        }
