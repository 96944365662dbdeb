"""Waiting for what a server does in its own time, with an end."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

_LOOK_SECONDS = 0.02


def until(
    look: Callable[[], Found | None], what: str, within_seconds: float = 30.0, look_seconds: float = _LOOK_SECONDS
) -> Found:
    """Look again and again until there is something to see.

    Args:
        look: Gives something true when it is there; must return soon.
        what: What is waited for, for the error.
        within_seconds: Longest wait.
        look_seconds: Between two looks.

    Returns:
        What `look` gave.

    Raises:
        TimeoutError: It was not there in time; names what was seen last.
    """
    never = threading.Event()
    end = time.monotonic() + within_seconds
    while not (found := look()):
        if time.monotonic() > end:
            raise TimeoutError(f"not within {within_seconds:g} s: {what}; last seen: {found!r}")
        never.wait(look_seconds)
    return found
