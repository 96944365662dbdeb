"""When a plugin process must leave by itself, because nobody owns it any more. Pure.

A server that is killed leaves its plugins running. So does one whose first attempt with a plugin fails: it tries again
with another process, and keeps the connection to the first one open. Death signals of the kernel are no help: they
follow the parent's thread, and threads of a Go program come and go.
"""

from dataclasses import dataclass

UNCLAIMED_SECONDS = 90.0  # the host gives up after 60 s without a connection
# A host that ends says Shutdown right after its stream. Where a single file's starter is in between, the end of the
# stream is all that is seen of the death of the host.
LOST_SECONDS = 10.0


@dataclass
class Ownership:
    """What is known of the host.

    Attributes:
        parent: Process id of the parent at start.
        last_seen: When a host last had a mount here, or this process was ready for it; seconds of a monotonic clock.
    """

    parent: int
    last_seen: float

    def reason_to_leave(self, now: float, parent: int, *, connected: bool, mounted: bool) -> str | None:
        """Look at the present state.

        Args:
            now: Seconds of the same clock as `last_seen`.
            parent: Present process id of the parent.
            connected: Whether the host's broker stream is open.
            mounted: Whether a mount is set up here that was not ended.

        Returns:
            One sentence for the log, or None while there is an owner.
        """
        if parent != self.parent:
            # Also while a connection is open: a single file's starter, which waits for this process, may be what died.
            # The server takes the plugin for dead then, and keeps the connection.
            return "the process that started this plugin is gone"
        if connected and mounted:
            self.last_seen = now
            return None
        patience = LOST_SECONDS if mounted else UNCLAIMED_SECONDS
        if now - self.last_seen > patience:
            return f"no server has used this plugin for {patience:g} s"
        return None
