"""Free ports on loopback that stay ours for as long as the stack runs."""

import secrets
import socket
from collections.abc import Callable
from contextlib import ExitStack

from vault_salesforce.dev.part import PartFailed

# Below the range from which the kernel takes the ports of outgoing connections: a part that is down for a moment finds
# its port still free.
_FIRST, _LAST = 12_000, 32_000
_TRIES = 200
_STARTS = 5  # somebody may take a port between our look and the server's bind


def free_ports(count: int) -> int:
    """Find neighbouring free ports on 127.0.0.1.

    Args:
        count: How many, from 1.

    Returns:
        The first. They are free now, not reserved: a server that finds one taken asks again.

    Raises:
        OSError: There are none.
    """
    for _ in range(_TRIES):
        first = _FIRST + secrets.randbelow(_LAST - _FIRST)
        if _free(range(first, first + count)):
            return first
    raise OSError(f"no {count} neighbouring free ports on 127.0.0.1 between {_FIRST} and {_LAST}")


def on_free_ports(count: int, start: Callable[[int], None]) -> None:
    """Start a part on neighbouring free ports, and on others where somebody was faster.

    Args:
        count: How many ports.
        start: Starts the part, given the first port.

    Raises:
        PartFailed: It did not come up.
        OSError: There are no such ports.
    """
    for left in reversed(range(_STARTS)):
        try:
            start(free_ports(count))
        except PartFailed as failure:
            if not left or "in use" not in str(failure).lower():
                raise
        else:
            return


def _free(ports: range) -> bool:
    with ExitStack() as stack:
        for port in ports:
            probe = stack.enter_context(socket.socket())
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
