"""The index in KV: how sidecars hear of each other's work within seconds, however many roles there are.

It is only a hint where to look: what it names is read from the journal before anything comes of it. A page that is
lost, spoilt or behind is mended by whoever knows better, and the sweep over all entries finds what no page tells.
"""

import threading
from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from vault_plugin_sdk.logical.errors import EngineError
from vault_salesforce_sidecar.records import index_page
from vault_salesforce_sidecar.records.index_page import Line, Page, merged, page_of
from vault_salesforce_sidecar.records.schema import NewerSchema
from vault_salesforce_sidecar.rotation.carrying import Carrier
from vault_salesforce_sidecar.rotation.journal import position
from vault_salesforce_sidecar.store import Conflict, Kv, KvUnavailable, Store, Stored

log = structlog.get_logger(__name__)

WRITE_SECONDS: Final = 2.0  # at least, between two times that what is owed is written
READ_SECONDS: Final = 15.0  # at least, between two times that all pages are read
PAGES_AT_ONCE: Final = 8  # read per tick
_TRIES: Final = 4
_JOB: Final = "\0index"


class Index:
    """The pages: lines that are to be written, and pages that are to be read; thread-safe.

    Args:
        kv: The engine's own mount.
    """

    def __init__(self, kv: Kv) -> None:
        self._store = Store[Page](kv, "index", dump=index_page.dump, load=index_page.load, max_versions=1)
        self._lock = threading.Lock()
        self._owed: dict[str, dict[str, Line]] = {}
        self._told: dict[str, Line] = {}  # what the pages say, as far as they were read or written
        self._unread: list[str] = []

    def owe(self, account: str, line: Line) -> None:
        """The account's entry was read or written: its page shall say so, unless it does."""
        with self._lock:
            known = self._told.get(account)
            if known is None or known.version < line.version:
                self._owed.setdefault(page_of(account), {})[account] = line

    @property
    def owes(self) -> bool:
        """Whether a line is to be written."""
        with self._lock:
            return bool(self._owed)

    @property
    def unread(self) -> bool:
        """Whether pages of this round are still to be read."""
        with self._lock:
            return bool(self._unread)

    def write(self) -> None:
        """Write what is owed, one page after the other; what cannot be written stays owed. Raises: KvUnavailable."""
        with self._lock:
            pages = list(self._owed)
        for page in pages:
            with self._lock:
                lines = self._owed.pop(page, {})
            done = False
            try:
                done = not lines or self._write(page, lines)
            finally:
                if not done:
                    with self._lock:
                        self._owed[page] = merged(lines, self._owed.get(page, {}))

    def read(self, most: int) -> dict[str, Line]:
        """The accounts of the next pages, at most so many of these; all pages come, one after the other.

        Raises: KvUnavailable.
        """
        with self._lock:
            begins = not self._unread
        names = self._store.list() if begins else []
        with self._lock:
            self._unread += names
            pages, self._unread = self._unread[:most], self._unread[most:]
        found: dict[str, Line] = {}
        for page in pages:
            stored = self._get(page)
            if stored is not None:
                found.update(stored.record)
        with self._lock:
            self._told.update(found)
        return found

    def _write(self, page: str, lines: dict[str, Line]) -> bool:
        for _ in range(_TRIES):
            stored = self._get(page)
            if stored is None:
                return True  # of a newer release: it looks after the page
            whole = merged(stored.record, lines)
            try:
                if whole != stored.record:
                    self._store.put(page, whole, stored.version or None)
            except Conflict:
                continue
            with self._lock:
                self._told.update(whole)
            return True
        return False

    def _get(self, page: str) -> Stored[Page] | None:
        """The page, or an empty one; None where a newer release wrote it."""
        try:
            return self._store.get(page) or Stored({}, 0)
        except NewerSchema:
            return None


class Indexing:
    """Looks after the index in every tick.

    Args:
        index: The pages.
        carrier: What is known.
        hear: Called with an account and its role where a page knows of something newer.
    """

    def __init__(self, index: Index, carrier: Carrier, hear: Callable[[str, str], None]) -> None:
        self._index, self._carrier, self._hear = index, carrier, hear
        self._wrote_at = self._read_at = carrier.parts.clock.monotonic()

    def tick(self) -> None:
        """Begin to write what is owed, and to read what others wrote; returns at once."""
        for account, line in self._carrier.roster.news():
            self._index.owe(account, line)
        now = self._carrier.parts.clock.monotonic()
        writes = self._index.owes and now - self._wrote_at >= WRITE_SECONDS
        reads = self._index.unread or now - self._read_at >= READ_SECONDS
        if writes or reads:
            self._carrier.jobs.offer(_JOB, partial(self._look_after, now, reads=reads))

    def _look_after(self, now: float, *, reads: bool) -> None:
        try:
            self._index.write()
            self._wrote_at = now
            if reads:
                if not self._index.unread:
                    self._read_at = now
                for account, line in self._index.read(PAGES_AT_ONCE).items():
                    seen = self._carrier.roster.seen(account)
                    if seen is None or position(seen.stored) < line.version:
                        self._hear(account, line.role)
        except (KvUnavailable, EngineError) as exc:
            self._wrote_at = self._read_at = now  # not again at once
            log.warning("the index is left for later", reason=str(exc))
