"""One job per account at a time in this process, and a way to wait for its end."""

import threading
from collections.abc import Callable

from vault_salesforce_sidecar.rotation.slots import Pool


class Jobs:
    """Jobs by account; different accounts never wait for each other, but for a free slot."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self._announced: set[str] = set()
        self._next: dict[str, tuple[Callable[[], None], str]] = {}
        self._ends: dict[str, threading.Event] = {}

    def follow(self, account: str, work: Callable[[], None], whose: str = "") -> None:
        """Do `work`, for whom it is, as soon as the account's present job, if there is one, has ended."""
        with self._lock:
            if account in self._running:
                self._next[account] = (work, whose)
                return
            self._running.add(account)
        self._submit(account, work, whose)

    def offer(self, account: str, work: Callable[[], None]) -> bool:
        """Do `work` unless the account has a job; whether it is done."""
        with self._lock:
            if account in self._running:
                return False
            self._running.add(account)
        self._submit(account, work)
        return True

    def concerns(self, account: str) -> bool:
        """Whether the account has a job that somebody might wait for."""
        with self._lock:
            return account in self._running and account not in self._announced

    def next_end(self, account: str) -> threading.Event:
        """Set when the account's present job is announced or ends, or the next one where there is none."""
        with self._lock:
            return self._ends.setdefault(account, threading.Event())

    def announce(self, account: str) -> None:
        """Wake who waits for the present job: what is left of it concerns nobody."""
        with self._lock:
            self._announced.add(account)
            ended = self._ends.pop(account, None)
        if ended is not None:
            ended.set()

    def end(self) -> None:
        """Wake all who wait: what has not begun by now never will."""
        with self._lock:
            accounts = set(self._running)
        for account in accounts:
            self.announce(account)

    def _submit(self, account: str, work: Callable[[], None], whose: str = "") -> None:
        self._pool.submit(lambda: self._do(account, work), whose)

    def _do(self, account: str, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            self.announce(account)
            with self._lock:
                following = self._next.pop(account, None)
                self._announced.discard(account)
                if following is None:
                    self._running.discard(account)
            if following is not None:
                self._submit(account, *following)
