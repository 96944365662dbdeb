"""The end of the simulator, as something that every waiting thread can wait for."""

import selectors
import socket
import threading
import time

_LOOK_SECONDS = 0.1


class Stopping:
    """Set once, when the simulator ends; every wait in it ends then."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """End every wait, now and later."""
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Wait, and say whether the simulator ended meanwhile."""
        return self._event.wait(seconds)

    def wait_for_client_to_leave(self, client: socket.socket, seconds: float) -> None:
        """Wait until the client closes its end, the time is over, or the simulator ends.

        Args:
            client: The connection, plain or TLS; anything that arrives on it is taken for its end, because a client
                that has sent its request says nothing more but goodbye.
            seconds: Longest wait.
        """
        end = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ)
            while not self._event.is_set() and (left := end - time.monotonic()) > 0:
                if selector.select(min(_LOOK_SECONDS, left)):
                    return
