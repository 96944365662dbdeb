"""What may become of one call on its way, other than that its process dies: each as a strike of `Accidents`."""

import contextlib
from collections.abc import Callable
from typing import Any

from vault_plugin_sdk.logical.errors import EngineError
from vault_salesforce_sidecar.rotation.parts import PushFailed
from vault_salesforce_sidecar.salesforce.interface import Lost, NotSent, OrgRefused
from vault_salesforce_sidecar.store import Conflict, KvUnavailable

Call = Callable[[], Any]
REFUSALS = (Conflict, OrgRefused, KvUnavailable)
REFUSED = (EngineError, KvUnavailable, Conflict)  # what who asks the engine is told
MOST_LOGINS = 3


def lost(name: str) -> Exception:
    """What the caller of a call sees of an answer that never came."""
    if name == "push":
        return PushFailed("no answer")
    return Lost() if name.startswith("org: ") else KvUnavailable("no answer")


def not_made(name: str, _call: Call) -> Any:
    """Nobody was there: it is certain that nothing happened."""
    if name == "push":
        raise PushFailed("nobody is there")
    raise NotSent if name.startswith("org: ") else KvUnavailable("nobody is there", nothing_done=True)


def lost_before(name: str, _call: Call) -> Any:
    """It does not arrive, and nobody says so."""
    raise lost(name)


def lost_after(name: str, call: Call) -> Any:
    """It takes effect, and its answer is lost."""
    with contextlib.suppress(REFUSALS):
        call()
    raise lost(name)


def twice(_name: str, call: Call) -> Any:
    """The network doubles it; the first answer comes back."""
    try:
        return call()
    finally:
        with contextlib.suppress(REFUSALS):
            call()


def twice_and_the_second_answer(_name: str, call: Call) -> Any:
    """The network doubles it; the answer to the second one comes back."""
    with contextlib.suppress(REFUSALS):
        call()
    return call()


class Stale:
    """A read is answered by a server that has not heard of the last write; anything else is done.

    Args:
        mounts: The KV mounts.
    """

    def __init__(self, *mounts: Any) -> None:
        self._mounts = {mount.name: mount for mount in mounts}

    def __call__(self, name: str, call: Call) -> Any:
        mount, reads, path = name.partition(": read ")
        return self._mounts[mount].earlier.get(path) if reads else call()


class Late:
    """It takes effect when the test says so; its answer was lost long before."""

    def __init__(self) -> None:
        self._waiting: list[Call] = []

    def __call__(self, name: str, call: Call) -> Any:
        self._waiting.append(call)
        raise lost(name)

    def land(self) -> None:
        """It arrives."""
        while self._waiting:
            with contextlib.suppress(REFUSALS):
                self._waiting.pop()()


MISHAPS = {
    "not made": not_made,
    "lost before": lost_before,
    "lost after": lost_after,
    "twice": twice,
    "twice, the second answer": twice_and_the_second_answer,
}


def run_out(stage: Any, rotations: Any, seconds: int = 45) -> None:
    """Let a sidecar go on by itself."""
    for _ in range(seconds):
        rotations.tick()
        stage.clock.seconds += 1


def come_to_rest(stage: Any, rotations: Any, strike: Any) -> None:
    """The same, and what was late arrives meanwhile."""
    run_out(stage, rotations, 3)
    if isinstance(strike, Late):
        strike.land()
    run_out(stage, rotations)
