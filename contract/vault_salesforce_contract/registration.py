"""What a sidecar writes at `sidecar/<instance>` every few seconds, and what the plugin answers."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vault_plugin_sdk.framework.fields import INTEGER, LIST, TEXT, field

CONTRACT = 1  # raised when one half no longer understands the other
BEAT_SECONDS = 10
STALE_SECONDS = 60  # not heard for so long: not used
FORGOTTEN_SECONDS = 86_400  # not heard for so long: removed


@dataclass(frozen=True)
class Held:
    """A published version, as both halves compare it."""

    version: int
    rotation_id: str


@dataclass(frozen=True)
class DueMark:
    """A lease's end made this version due."""

    role: str
    version: int
    rotation_id: str
    cause: str = "lease"


@dataclass(frozen=True)
class Registration:
    """One heartbeat."""

    url: str = field(TEXT, "Where the plugin reaches this sidecar: https://host:port.")
    certificate: str = field(TEXT, "Its certificate, PEM: the only one that the plugin accepts at `url`.")
    version: str = field(TEXT, "Release of the sidecar.")
    contract: int = field(INTEGER, "Number of the contract that it speaks.")
    published: str = field(TEXT, "Digest over role → version, rotation id, of all that KV holds.", default="")
    changing: tuple[str, ...] = field(LIST, "Roles whose password is being changed now.", default=())


@dataclass(frozen=True)
class RegistrationAnswer:
    """The plugin's answer.

    Attributes:
        accessor: Accessor of the mount: issuer of its signed requests.
        mount: Path of the mount, with a trailing slash.
        public_key: PEM of this plugin process's Ed25519 key.
        contract: Number of the contract that the plugin speaks.
        version: Release of the plugin.
        due: Marks to be served.
        held: What the plugin holds, by role; None where the digests agree.
    """

    accessor: str
    mount: str
    public_key: str
    contract: int
    version: str
    due: tuple[DueMark, ...] = ()
    held: Mapping[str, Held] | None = None

    def to_data(self) -> dict[str, Any]:
        """JSON form."""
        data: dict[str, Any] = {
            name: getattr(self, name) for name in ("accessor", "mount", "public_key", "contract", "version")
        }
        data["due"] = [vars(mark) for mark in self.due]
        if self.held is not None:
            data["held"] = {role: vars(held) for role, held in self.held.items()}
        return data

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "RegistrationAnswer":
        """Read the JSON form; unknown members are left out. Raises: KeyError, TypeError where members are missing."""
        held = data.get("held")
        return cls(
            accessor=data["accessor"],
            mount=data["mount"],
            public_key=data["public_key"],
            contract=int(data["contract"]),
            version=data["version"],
            due=tuple(
                DueMark(mark["role"], int(mark["version"]), mark["rotation_id"], mark.get("cause", "lease"))
                for mark in data.get("due") or ()
            ),
            held=None
            if held is None
            else {role: Held(int(item["version"]), item["rotation_id"]) for role, item in held.items()},
        )


def digest(held: Iterable[tuple[str, Held]]) -> str:
    """SHA-256 over the sorted lines `role version rotation_id`: equal where both halves hold the same."""
    lines = sorted(f"{role} {item.version} {item.rotation_id}\n" for role, item in held)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
