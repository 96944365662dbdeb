"""What a sidecar writes at `sidecar/<instance>` every few seconds, and what the plugin answers."""

import dataclasses
import hashlib
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from vault_plugin_sdk.framework.fields import INTEGER, LIST, TEXT, field
from vault_plugin_sdk.logical.request import Caller

# Raised with a change that a half must know of to work with one that makes it. What is only added needs no new number:
# a field that a half does not know is left out by it, and has a default where it does not come.
CONTRACT = 1
OLDEST_CONTRACT = 1  # the least number that this release still understands
BEAT_SECONDS = 10
STALE_SECONDS = 60  # not heard for so long: not used
FORGOTTEN_SECONDS = 86_400  # not heard for so long: removed
PARTS = 64  # that the roles are compared in, so that a few that differ cost a few in the answer
HELD_AT_MOST = 1_000  # roles in one answer; more only where one part alone has more
DUE_AT_MOST = 500  # marks in one answer; the others come with the next
_DIGEST_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class Held:
    """A published version, as both halves compare it."""

    version: int
    rotation_id: str


@dataclass(frozen=True)
class DueMark:
    """A lease's end made this version due.

    Attributes:
        role: Whose.
        version: Which version.
        rotation_id: The rotation that made it.
        cause: Why it is due.
        caller: Who was lent it; empty where nobody remembers. Of two who make one version due the first is told.
    """

    role: str
    version: int
    rotation_id: str
    cause: str = "lease"
    caller: Caller = dataclasses.field(default_factory=Caller, compare=False)

    def to_data(self) -> dict[str, Any]:
        """JSON form."""
        return dataclasses.asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "DueMark":
        """Read the JSON form. Raises: KeyError, TypeError, ValueError, AttributeError where it is not of this shape."""
        return cls(
            role=str(data["role"]),
            version=int(data["version"]),
            rotation_id=str(data["rotation_id"]),
            cause=str(data.get("cause", "lease")),
            caller=Caller.from_data(data.get("caller") or {}),
        )


@dataclass(frozen=True)
class Registration:
    """One heartbeat."""

    url: str = field(TEXT, "Where the plugin reaches this sidecar: https://host:port.")
    certificate: str = field(TEXT, "Its certificate, PEM: the only one that the plugin accepts at `url`.")
    version: str = field(TEXT, "Release of the sidecar.")
    contract: int = field(INTEGER, "Number of the contract that it speaks.")
    published: tuple[str, ...] = field(
        LIST, "Digests over role → version, rotation id, of all that KV holds: one for each part.", default=()
    )
    lacking: int | None = field(
        INTEGER, "Copies that the mount lacked when they were last compared.", default=None, minimum=0
    )
    changing: tuple[str, ...] = field(LIST, "Roles whose password is being changed now.", default=())
    reason: str = field(TEXT, "What keeps it from working as it should; empty where nothing does.", default="")
    oldest_contract: int | None = field(
        INTEGER, "Least number of the contract that it still understands; its own where it does not say.", default=None
    )

    @property
    def half_to_upgrade(self) -> str:
        """`sidecar` or `plugin`: which one must be of a later release to work with the other; empty: neither.

        The half with the higher number decides, for it alone can know both.
        """
        if self.contract < OLDEST_CONTRACT:
            return "sidecar"
        least = self.contract if self.oldest_contract is None else self.oldest_contract
        return "plugin" if least > CONTRACT else ""


@dataclass(frozen=True)
class RegistrationAnswer:
    """The plugin's answer.

    Attributes:
        accessor: Accessor of the mount: issuer of its signed requests.
        mount: Path of the mount, with a trailing slash.
        public_key: PEM of this plugin process's Ed25519 key.
        contract: Number of the contract that the plugin speaks.
        version: Release of the plugin.
        due: Marks to be served: at most `DUE_AT_MOST`, others with the next answer.
        differing: Parts whose digests are not those that the sidecar sent; None while the plugin cannot tell yet.
        held: What the plugin holds of some of these parts, by part and role: of as many as `HELD_AT_MOST` allows.
    """

    accessor: str
    mount: str
    public_key: str
    contract: int
    version: str
    due: tuple[DueMark, ...] = ()
    differing: tuple[int, ...] | None = None
    held: Mapping[int, Mapping[str, Held]] = dataclasses.field(default_factory=dict)

    def to_data(self) -> dict[str, Any]:
        """JSON form."""
        data: dict[str, Any] = {
            name: getattr(self, name) for name in ("accessor", "mount", "public_key", "contract", "version")
        }
        data["due"] = [mark.to_data() for mark in self.due]
        data["differing"] = None if self.differing is None else list(self.differing)
        data["held"] = {
            str(part): {
                role: {"version": item.version, "rotation_id": item.rotation_id} for role, item in roles.items()
            }
            for part, roles in self.held.items()
        }
        return data

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "RegistrationAnswer":
        """Read the JSON form; unknown members are left out.

        Raises: KeyError, TypeError, ValueError, AttributeError, OverflowError where it is not of this shape.
        """
        differing = data["differing"]
        return cls(
            accessor=data["accessor"],
            mount=data["mount"],
            public_key=data["public_key"],
            contract=int(data["contract"]),
            version=data["version"],
            due=tuple(DueMark.from_data(mark) for mark in data.get("due") or ()),
            differing=None if differing is None else tuple(int(part) for part in differing),
            held={
                int(part): {role: Held(int(item["version"]), item["rotation_id"]) for role, item in roles.items()}
                for part, roles in data["held"].items()
            },
        )


def part_of(role: str) -> int:
    """The part, of `PARTS`, that a role is compared in."""
    return zlib.crc32(role.encode()) % PARTS


def in_parts(held: Mapping[str, Held]) -> tuple[dict[str, Held], ...]:
    """The roles by part."""
    parts: tuple[dict[str, Held], ...] = tuple({} for _ in range(PARTS))
    for role, item in held.items():
        parts[part_of(role)][role] = item
    return parts


def digests(parts: Collection[Mapping[str, Held]]) -> tuple[str, ...]:
    """A digest of each part, over its sorted lines `role version rotation_id`: equal where both halves hold the same.

    Mistakes are what it guards against: who could forge one may publish anyway.
    """
    return tuple(_digest(part) for part in parts)


def _digest(held: Mapping[str, Held]) -> str:
    lines = sorted(f"{role} {item.version} {item.rotation_id}\n" for role, item in held.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:_DIGEST_CHARACTERS]
