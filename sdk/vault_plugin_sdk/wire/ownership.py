"""When a plugin process must leave by itself, because nobody owns it any more. Pure.

A server that is killed leaves its plugins running; so does one whose first attempt to connect fails. Death signals of
the kernel are no help: they follow the parent's thread, and threads of a Go program come and go.
"""

from dataclasses import dataclass

UNCLAIMED_SECONDS = 90.0  # the host gives up after 60 s without a connection


@dataclass
class Ownership:
    """What is known of the host.

    Attributes:
        parent: Process id of the parent at start.
        last_seen: When the host was last connected, or this process was ready for it; seconds of a monotonic clock.
    """

    parent: int
    last_seen: float

    def reason_to_leave(self, now: float, parent: int, *, connected: bool) -> str | None:
        """Look at the present state.

        Args:
            now: Seconds of the same clock as `last_seen`.
            parent: Present process id of the parent.
            connected: Whether the host's broker stream is open.

        Returns:
            One sentence for the log, or None while there is an owner.
        """
        if parent != self.parent:
            # Also while a connection is open: a single file's starter, which waits for this process, may be what died.
            # The server takes the plugin for dead then, and keeps the connection.
            return "the process that started this plugin is gone"
        if connected:
            self.last_seen = now
            return None
        if now - self.last_seen > UNCLAIMED_SECONDS:
            return f"no server has been connected for {UNCLAIMED_SECONDS:g} s"
        return None
