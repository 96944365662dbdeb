"""What happens to everything at once: one class for each kind of fault, how it strikes and how it is healed."""

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from faults.harness import deeds
from faults.harness.stage import Stage, free_bytes

from vault_salesforce.dev.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

BACK_SECONDS: Final = 90.0
BEYOND_THE_HOLD_SECONDS: Final = 32.0  # a holder's time is 25 s


class Injector(Protocol):
    """Strikes at once; `heal` brings everything back, and returns when it serves again."""

    def strike(self) -> None:
        """It happens."""

    def heal(self) -> None:
        """It is over."""


@dataclass(frozen=True)
class Kill:
    """Signals that end parts, which are started again by themselves.

    Attributes:
        stage: Where.
        parts: Which: `sidecar`, `other sidecar`, `worker`, `plugin`, `server`.
        number: Which signal.
    """

    stage: Stage
    parts: tuple[str, ...]
    number: signal.Signals = signal.SIGKILL

    def strike(self) -> None:
        """See `Injector`."""
        for part in self.parts:
            if part == "plugin":
                for pid in plugins(self.stage):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, self.number)
            elif part == "worker":
                for pid in children(self.stage.stack.sidecar.part.pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, self.number)
            else:
                self._part(part).signal(self.number, group=self.number is signal.SIGKILL)

    def heal(self) -> None:
        """See `Injector`."""

    def _part(self, name: str) -> Any:
        stack = self.stage.stack
        return {"sidecar": stack.sidecars[0], "other sidecar": stack.sidecars[-1], "server": stack.vault}[name].part


@dataclass(frozen=True)
class Sleep:
    """A part that is stopped, and wakes up as if nothing had been."""

    stage: Stage
    part: str

    def strike(self) -> None:
        """See `Injector`."""
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def heal(self) -> None:
        """See `Injector`."""
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def _pids(self) -> list[int]:
        if self.part == "plugin":
            return plugins(self.stage)
        pid = (self.stage.stack.sidecar if self.part == "sidecar" else self.stage.stack.vault).part.pid
        return [pid, *children(pid)] if pid and self.part == "sidecar" else [pid] if pid else []


@dataclass(frozen=True)
class Broken:
    """A line that does something else than pass everything."""

    stage: Stage
    line: str
    mode: str

    def strike(self) -> None:
        """See `Injector`."""
        self._line().behave(self.mode)

    def heal(self) -> None:
        """See `Injector`."""
        self._line().behave("")

    def _line(self) -> Any:
        stage = self.stage
        return {
            "sidecar to server": stage.to_server[0],
            "server to sidecar": stage.to_sidecar[0],
            "sidecar to org": stage.to_org,
        }[self.line]


@dataclass(frozen=True)
class Says:
    """A server that answers everything by one refusal."""

    stage: Stage
    what: str

    def strike(self) -> None:
        """See `Injector`."""
        (deed,) = (deed for deed in deeds.TO_VAULT if deed.name == self.what)
        for line in self.stage.to_server:
            line.refuse_all(deed)

    def heal(self) -> None:
        """See `Injector`."""
        for line in self.stage.to_server:
            line.refuse_all(None)


@dataclass(frozen=True)
class Seal:
    """An operator seals the server, and starts it again, upon which it unseals itself."""

    stage: Stage

    def strike(self) -> None:
        """See `Injector`."""
        with contextlib.suppress(OSError):
            self.stage.vault.send("PUT", "v1/sys/seal")

    def heal(self) -> None:
        """See `Injector`."""
        self.stage.stack.vault.stop()
        self.stage.stack.vault.restart()


@dataclass(frozen=True)
class FullDisk:
    """The disk with the server's storage and audit log has no byte left."""

    stage: Stage

    def strike(self) -> None:
        """See `Injector`."""
        with self._ballast.open("ab") as file, contextlib.suppress(OSError):
            while free := free_bytes(self.stage.server_directory):
                file.write(bytes(min(free, 1 << 20)))
                file.flush()

    def heal(self) -> None:
        """See `Injector`."""
        self._ballast.unlink(missing_ok=True)

    @property
    def _ballast(self) -> Path:
        return self.stage.server_directory / "ballast"


@dataclass(frozen=True)
class Restore:
    """An operator restores the server from a snapshot, and tells nobody."""

    stage: Stage
    rounds_ago: int = 0

    def strike(self) -> None:
        """See `Injector`."""
        self.stage.restore(self.rounds_ago)

    def heal(self) -> None:
        """See `Injector`: it seals and unseals itself meanwhile."""
        until(self.stage.stack.vault.active, "an active server", BACK_SECONDS)


@dataclass(frozen=True)
class Clock:
    """The first sidecar's time of day jumps, and jumps back."""

    stage: Stage
    offset: str

    def strike(self) -> None:
        """See `Injector`."""
        self.stage.set_clock(0, self.offset)

    def heal(self) -> None:
        """See `Injector`."""
        self.stage.set_clock(0, "+0")


@dataclass(frozen=True)
class Both:
    """One after the other; healed in the same order."""

    parts: tuple[Injector, ...]

    def strike(self) -> None:
        """See `Injector`."""
        for part in self.parts:
            part.strike()

    def heal(self) -> None:
        """See `Injector`."""
        for part in self.parts:
            part.heal()


_KILLS: Final = {
    "kill sidecar": (("sidecar",), signal.SIGKILL),
    "kill other sidecar": (("other sidecar",), signal.SIGKILL),
    "kill sidecar's worker": (("worker",), signal.SIGKILL),
    "end sidecar": (("sidecar",), signal.SIGTERM),
    "kill plugin": (("plugin",), signal.SIGKILL),
    "kill server": (("server",), signal.SIGKILL),
    "kill all": (("server", "plugin", "sidecar"), signal.SIGKILL),
}
_SLEEPS: Final = {
    "stop sidecar": "sidecar",
    "stop sidecar beyond its hold": "sidecar",
    "stop plugin": "plugin",
    "stop server": "server",
}


def injector(name: str, stage: Stage) -> Injector:
    """The injector of a fault that a plan names. Raises: KeyError, ValueError: there is none."""
    if name in _KILLS:
        return Kill(stage, *_KILLS[name])
    if name in _SLEEPS:
        return Sleep(stage, _SLEEPS[name])
    made: dict[str, Callable[[], Injector]] = {
        "seal": lambda: Seal(stage),
        "disk full": lambda: FullDisk(stage),
        "disk full and kill server": lambda: Both((FullDisk(stage), Kill(stage, ("server",)))),
        "restored": lambda: Restore(stage),
        "restored from a round ago": lambda: Restore(stage, 1),
        "restored and kill sidecar": lambda: Both((Kill(stage, ("sidecar",)), Restore(stage))),
        "clock a day on": lambda: Clock(stage, "+1d"),
        "clock a day back": lambda: Clock(stage, "-1d"),
    }
    if name in made:
        return made[name]()
    if name.startswith("server says "):
        return Says(stage, name.removeprefix("server says "))
    line, _, mode = name.partition(": ")
    return Broken(stage, line, mode)


def seconds_of(name: str, planned: float) -> float:
    """How long a fault lasts."""
    return BEYOND_THE_HOLD_SECONDS if name == "stop sidecar beyond its hold" else planned


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    found = []
    for entry in Path("/proc").iterdir():
        if pid and entry.name.isdigit():
            with contextlib.suppress(OSError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry.name))
    return found


def plugins(stage: Stage) -> list[int]:
    """The plugin's processes."""
    return children(stage.stack.vault.part.pid)


def serve_again(stage: Stage) -> None:
    """Wait until server and sidecars serve after whatever happened. Raises: TimeoutError."""
    until(stage.stack.vault.active, "an active server", BACK_SECONDS)

    def answers() -> bool:
        with contextlib.suppress(OSError):
            return stage.vault.send("LIST", "v1/sf/status").status == 200
        return False

    until(answers, "a sidecar that answers", BACK_SECONDS)
