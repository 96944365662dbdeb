"""Where a part of the stack runs: on this machine's loopback, or on a host of a test's own."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certified:
    """Files in PEM with which a server on a host speaks TLS.

    Attributes:
        certificate: Its own, and those between it and the authority.
        key: Its key.
        authority: Who vouches for it.
    """

    certificate: Path
    key: Path
    authority: Path


@dataclass(frozen=True)
class Host:
    """One of them.

    Attributes:
        address: IPv4 address that its parts listen at.
        enter: Command, with an absolute path, that becomes the command after it there.
        certified: How Vault speaks TLS there; on loopback it need not.
    """

    address: str = "127.0.0.1"
    enter: tuple[str, ...] = ()
    certified: Certified | None = None


LOOPBACK = Host()


def on_loopback(_name: str) -> Host:
    """Where the part of any name runs, unless a test has hosts for them."""
    return LOOPBACK
