"""Where a part of the stack runs: on this machine's loopback, or on a host of a test's own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Host:
    """One of them.

    Attributes:
        address: IPv4 address that its parts listen at.
        enter: Command, with an absolute path, that becomes the command after it there.
    """

    address: str = "127.0.0.1"
    enter: tuple[str, ...] = ()


LOOPBACK = Host()


def on_loopback(_name: str) -> Host:
    """Where the part of any name runs, unless a test has hosts for them."""
    return LOOPBACK
