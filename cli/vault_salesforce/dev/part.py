"""One part of the stack: a program in a process group of its own, started again when it dies, gone when we are."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

_LEASH = Path(__file__).with_name("leash.py")
_LOOK_SECONDS = 0.02
_GRACE_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
_LIVED_LONG_SECONDS = 10.0  # who lived so long starts again after the first pause
_TAIL_CHARACTERS = 2000


def numbered(name: str, number: int) -> str:
    """The name of one of several: the first goes without its number, as if it were alone."""
    return name if number == 1 else f"{name}-{number}"


def at_once(stops: Iterable[Callable[[], None]]) -> None:
    """End several parts, each in its own time. Raises: what any of them raised, after all have ended."""
    with ThreadPoolExecutor() as threads:
        ending = [threads.submit(stop) for stop in stops]
    for ended in ending:
        ended.result()


class PartFailed(Exception):  # noqa: N818 - what happened, not a fault of the program that reads it
    """A part did not come up; the text holds the end of what it wrote."""


@dataclass(frozen=True)
class Program:
    """What a part runs.

    Attributes:
        command: Path of the program, and its arguments; no secret belongs here, all users can read it.
        environment: Its whole environment; nothing is inherited.
    """

    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)


class Part:
    """A supervised process group.

    One thread starts the program, waits for its end, ends what is left of the group, and starts it again, until
    `stop`. It is the same thread all the time, because the kernel's death signal follows the starter's thread.

    Args:
        name: For people, and for the names of the two files.
        program: Asked before each start.
        directory: Where `<name>.out` and `<name>.err` are written; each start adds to them.
        tell: Called with one sentence when the part died and is started again.
    """

    def __init__(self, name: str, program: Callable[[], Program], directory: Path, tell: Callable[[str], None]) -> None:
        self.name = name
        self.output, self.errors = directory / f"{name}.out", directory / f"{name}.err"
        self._program, self._tell = program, tell
        self._stopping = threading.Event()
        self._supervised = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()  # a group is signalled only while its leader is not yet reaped
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._written: dict[Path, int] = {}  # by earlier starts

    @property
    def pid(self) -> int:
        """Process id of the leader, and so the id of the group; 0 while there is none."""
        process = self._process
        return process.pid if process else 0

    def start(self, ready: Callable[[], bool], within_seconds: float = 60.0) -> None:
        """Start, and wait until it is ready; from then on it is started again whenever it dies.

        Args:
            ready: Asked again and again; must return soon and raise nothing.
            within_seconds: Longest wait.

        Raises:
            PartFailed: It died before it was ready, or took too long; nothing is left of it.
        """
        for event in (self._stopping, self._supervised, self._ended):
            event.clear()
        self._written = {path: path.stat().st_size for path in (self.output, self.errors) if path.exists()}
        self._thread = threading.Thread(target=self._supervise, name=f"part-{self.name}", daemon=True)
        self._thread.start()
        self.wait(ready, within_seconds)
        self._supervised.set()

    def wait(self, ready: Callable[[], bool], within_seconds: float = 60.0) -> None:
        """Wait until it is ready. See `start`."""
        end = time.monotonic() + within_seconds
        while not ready():
            if self._ended.wait(_LOOK_SECONDS) or time.monotonic() > end:
                how = "ended" if self._ended.is_set() else f"was not ready within {within_seconds:g} s"
                self.stop()
                raise PartFailed(f"{self.name} {how}: {self._tail()}")

    def stop(self, grace_seconds: float = _GRACE_SECONDS) -> None:
        """End the group: SIGTERM to its leader, and what is left after the grace is killed. Twice does no harm."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self.signal(signal.SIGTERM)
        thread.join(grace_seconds)
        if thread.is_alive():
            self.signal(signal.SIGKILL, group=True)
            thread.join()

    def signal(self, number: signal.Signals, *, group: bool = False) -> None:
        """Send a signal to the leader, or to the whole group; nothing happens where there is none."""
        with self._lock, contextlib.suppress(ProcessLookupError):
            if self._process:
                (os.killpg if group else os.kill)(self._process.pid, number)

    def _supervise(self) -> None:
        pause, ended = _FIRST_PAUSE_SECONDS, ""
        while not self._stopping.is_set():
            born = time.monotonic()
            try:
                ended = self._run(ended)
            except OSError as exc:
                ended = f"could not be started ({exc.strerror})"
            if not self._supervised.is_set():
                break
            if time.monotonic() - born >= _LIVED_LONG_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            self._stopping.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        self._ended.set()

    def _run(self, ended: str) -> str:
        """Run the program once, after it `ended` before; how it ended now."""
        program = self._program()
        leash = (sys.executable, "-I", "-S", str(_LEASH), str(os.getpid()))
        with self.output.open("ab") as output, self.errors.open("ab") as errors:
            process = subprocess.Popen(  # noqa: S603 - our own programs
                (*leash, *program.command),
                env=dict(program.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        with self._lock:
            self._process = process
        if ended:
            self._tell(f"{self.name} {ended}; it is started again, as process {process.pid}")
        if self._stopping.is_set():  # whoever stops us had nobody to signal yet
            self.signal(signal.SIGTERM)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            # Its number is not free before it is reaped, so this reaches nobody else.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
            self._process = None
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"

    def _tail(self) -> str:
        paths = [path for path in (self.output, self.errors) if path.exists()]
        texts = (path.read_bytes()[self._written.get(path, 0) :].decode(errors="replace") for path in paths)
        return "".join(texts).strip()[-_TAIL_CHARACTERS:]
