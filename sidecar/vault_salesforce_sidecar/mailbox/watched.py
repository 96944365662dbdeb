"""One IMAP folder that many users share: a thread that waits at the server, and what came while it did."""

import os
import select
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from vault_salesforce_sidecar.clock import Clock
from vault_salesforce_sidecar.mailbox.imap import LOOK_SECONDS, Folder, Place
from vault_salesforce_sidecar.mailbox.mail import Mail, MailboxUnavailable, MarkOfAnother

log = structlog.get_logger(__name__)

MOST_KEPT: Final = 4 * 1024 * 1024  # bytes of mails in memory
STOP_SECONDS: Final = 3.0
_KIND: Final = "imap1"


class Opens(Protocol):
    """How the folder is opened. Raises: MailboxUnavailable."""

    def __call__(self, *, readonly: bool, within: float | None = None) -> AbstractContextManager[Folder]:
        """Without leave to remove anything, or with it; `within` limits everything together, in seconds."""


@dataclass(frozen=True)
class Pace:
    """How patient the thread is, in seconds.

    Attributes:
        idle: The longest wait for the server to tell of a mail; then it is looked, whatever the server says.
        poll: Between two looks, where the server tells nothing by itself.
        first_pause: After a failure; twice as long after each further one.
        longest_pause: At most.
        connection: After so long another connection is opened: a UIDVALIDITY is only told at the beginning of one.
        unused: Nobody asked for so long: the thread ends, and the next one who asks begins another.
    """

    idle: float = 25.0
    poll: float = 5.0
    first_pause: float = 1.0
    longest_pause: float = 60.0
    connection: float = 900.0
    unused: float = 1800.0


class WatchedMailbox:
    """See `Mailbox`. A mark asks the server; what came since is answered from memory, as far as the thread saw it.

    Args:
        name: For the log.
        opens: The folder.
        clock: Time.
        arrived: Told from the thread that a mail of Salesforce's came; never raises, never blocks.
        pace: Times.
    """

    def __init__(self, name: str, opens: Opens, clock: Clock, arrived: Callable[[], None], pace: Pace) -> None:
        self._name, self._opens, self._clock, self._arrived, self._pace = name, opens, clock, arrived, pace
        self._lock = threading.Lock()  # over what follows
        self._end: Place | None = None  # where the folder ends, as far as the thread saw it
        self._from = 0  # the memory holds every mail from this UID on
        self._mails: dict[int, bytes] = {}
        self._moved: dict[str, tuple[int, list[Mail]]] = {}  # by marks of an earlier UIDVALIDITY
        self._fault: str | None = None
        self._doomed: set[int] = set()
        self._thread: threading.Thread | None = None
        self._asked_at = 0.0
        self._looking = threading.Lock()  # one look at a time; who waits for it shares the next one
        self._place_at, self._place = float("-inf"), Place(0, 0, 0)
        self._stopping = threading.Event()
        self._woken, self._wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._is_closed = False
        self._idles, self._reopen_at = False, 0.0  # of the connection that the thread has

    def mark(self) -> str:
        """See `Mailbox.mark`: where the folder ends now."""
        self._asked()
        asked_at = self._clock.monotonic()
        self._wait_to_look()
        try:
            if self._place_at <= asked_at:
                began = self._clock.monotonic()
                with self._opens(readonly=True, within=LOOK_SECONDS) as folder:
                    self._place = folder.place()
                self._place_at = began
        finally:
            self._looking.release()
        if self.fault():
            self._wake()  # it can be reached again
        return _mark_of(self._place)

    def above(self, mark: str) -> list[Mail]:
        """See `Mailbox.above`."""
        self._asked()
        place = _place_of(mark)
        known = self._known(mark, place)
        if known is not None:
            return known
        self._wait_to_look()
        try:
            known = self._known(mark, place)
            return self._look(mark, place) if known is None else known
        finally:
            self._looking.release()

    def delete(self, key: str) -> None:
        """See `Mailbox.delete`: it is done soon, by the thread."""
        validity, _, uid = key.partition(".")
        with self._lock:
            if self._end is not None and validity == str(self._end.validity) and uid.isdecimal():
                self._doomed.add(int(uid))
        self._asked()
        self._wake()

    def latest(self) -> str | None:
        """See `Mailbox.latest`."""
        with self._lock:
            return _mark_of(self._end) if self._end is not None else None

    def fault(self) -> str | None:
        """Why the thread cannot read it now; None: it can, or has not tried."""
        with self._lock:
            return self._fault

    def stop(self) -> None:
        """End the thread, and wait for it a little. No question may come after it."""
        self._stopping.set()
        self._wake()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(STOP_SECONDS)
        with self._lock:
            if self._is_closed or self._thread is not None:
                return  # it waits for a server, and ends with the process
            self._is_closed = True
            os.close(self._woken)
            os.close(self._wakes)

    def _known(self, mark: str, place: Place) -> list[Mail] | None:
        """What the memory holds above the mark; None: it does not reach so far. Raises: MailboxUnavailable."""
        with self._lock:
            if self._fault is not None:
                raise MailboxUnavailable(self._fault)
            if self._end is None:
                return None
            uid = place.next_uid
            before: list[Mail] = []
            if place.validity != self._end.validity:
                if mark not in self._moved:
                    return None
                uid, before = self._moved[mark]
            if uid < self._from:
                return None
            return before + _mails(self._end.validity, {one: raw for one, raw in self._mails.items() if one >= uid})

    def _look(self, mark: str, place: Place) -> list[Mail]:
        with self._opens(readonly=True, within=LOOK_SECONDS) as folder:
            same = folder.validity == place.validity
            end = folder.place() if not same else place
            found = folder.above(place.next_uid) if same else folder.later(place.latest)
        with self._lock:
            if self._end is not None and self._end.validity == end.validity:
                if same:
                    self._mails = dict(sorted((found | self._mails).items()))
                    self._from = min(self._from, place.next_uid)
                    self._forget_some()
                else:
                    self._moved[mark] = (end.next_uid, _mails(end.validity, found))
        return _mails(end.validity, found)

    def _wait_to_look(self) -> None:
        if not self._looking.acquire(timeout=LOOK_SECONDS):
            raise MailboxUnavailable(f"{self._name} is slow, and others wait for it too")

    def _asked(self) -> None:
        """Somebody needs the thread: it is started, unless it runs or is to run no more."""
        with self._lock:
            self._asked_at = self._clock.monotonic()
            if self._stopping.is_set() or self._thread is not None:
                return
            self._thread = threading.Thread(target=self._run, name=f"mailbox {self._name}", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        failed = 0
        while not self._ends():
            try:
                with self._opens(readonly=False) as folder:
                    self._meet(folder)
                    while self._follow(folder):
                        failed = 0
            except MailboxUnavailable as exc:
                failed += 1
                self._note_fault(str(exc))
            except Exception:
                failed += 1
                log.exception("mailbox_thread_failed", mailbox=self._name)
                self._note_fault("an error of ours: the sidecar's log says more")
            if failed:
                self._sleep(min(self._pace.first_pause * 2.0 ** (failed - 1), self._pace.longest_pause))

    def _meet(self, folder: Folder) -> None:
        """A new connection: see whether UIDs mean what they meant."""
        place, self._idles = folder.place(), folder.idles
        self._reopen_at = self._clock.monotonic() + self._pace.connection
        with self._lock:
            if self._end is None or self._end.validity != place.validity:
                self._from, self._mails, self._moved, self._doomed = place.next_uid, {}, {}, set()
                self._end = place
        self._take(folder)
        with self._lock:
            self._end = Place(place.validity, max(self._end.next_uid, place.next_uid), place.latest)
        self._note_fault(None)

    def _follow(self, folder: Folder) -> bool:
        """Wait, look and remove, once; False: this connection has done its work."""
        if self._stopping.is_set() or self._clock.monotonic() > self._reopen_at or self._is_unused():
            return False
        self._remove(folder)
        if self._idles:
            folder.idle(self._woken, self._pace.idle)
            self._drain()
        else:
            self._sleep(self._pace.poll)
        self._take(folder)
        self._remove(folder)
        return True

    def _take(self, folder: Folder) -> None:
        with self._lock:
            end = self._end
        if end is None:
            return
        found = folder.above(end.next_uid)
        if not found:
            return
        with self._lock:
            self._mails |= found
            self._end = Place(end.validity, max(found) + 1, end.latest)
            self._forget_some()
        log.info("mails arrived", mailbox=self._name, count=len(found))
        self._arrived()

    def _remove(self, folder: Folder) -> None:
        with self._lock:
            doomed = sorted(self._doomed)
        if not doomed:
            return
        folder.delete(doomed)
        with self._lock:
            self._doomed.difference_update(doomed)
            for uid in doomed:
                self._mails.pop(uid, None)

    def _forget_some(self) -> None:
        size = sum(map(len, self._mails.values()))
        for uid in sorted(self._mails):
            if size <= MOST_KEPT:
                break
            size -= len(self._mails.pop(uid))
            self._from = uid + 1

    def _ends(self) -> bool:
        """Whether the thread is to end now; if so nobody counts on it any more."""
        with self._lock:
            if not self._stopping.is_set() and not self._is_unused():
                return False
            self._thread, self._end, self._mails, self._fault = None, None, {}, None
            return True

    def _is_unused(self) -> bool:
        return self._clock.monotonic() - self._asked_at > self._pace.unused

    def _note_fault(self, fault: str | None) -> None:
        with self._lock:
            before, self._fault = self._fault, fault
        if fault != before:
            if fault:
                log.warning("mailbox cannot be read", mailbox=self._name, reason=fault)
            else:
                log.info("mailbox can be read again", mailbox=self._name)

    def _wake(self) -> None:
        with self._lock, suppress(BlockingIOError):  # then it is full of wakes
            if not self._is_closed:
                os.write(self._wakes, b"w")

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._woken, 4096)

    def _sleep(self, seconds: float) -> None:
        poller = select.poll()
        poller.register(self._woken, select.POLLIN)
        poller.poll(seconds * 1000)
        self._drain()


def _mails(validity: int, found: dict[int, bytes]) -> list[Mail]:
    return [Mail(f"{validity}.{uid}", raw) for uid, raw in sorted(found.items())]


def _mark_of(place: Place) -> str:
    return f"{_KIND}.{place.validity}.{place.next_uid}.{place.latest}"


def _place_of(mark: str) -> Place:
    kind, _, rest = mark.partition(".")
    try:
        validity, next_uid, latest = map(int, rest.split("."))
    except ValueError:
        kind = ""
    if kind != _KIND:
        raise MarkOfAnother
    return Place(validity, next_uid, latest)
