"""Which node of Vault's cluster to ask: the active one where it can be told, and always one that answers."""

import threading
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus

import urllib3

from vault_plugin_sdk.framework.coerce import json_object

LOOK_SECONDS = 5.0  # a node that steps down goes on to answer, and what it reads lags behind from then on
_NO_NODE_SECONDS = 0.5  # an election takes a second or two
_TIMEOUT = urllib3.Timeout(connect=1.0, total=2.0)
# Source: Vault's API, sys/health: 200 is the active node, 429 and 473 are standbys, which read and forward.
_RANKS: dict[int, int] = {HTTPStatus.OK: 0, HTTPStatus.TOO_MANY_REQUESTS: 1, 473: 1}
_OF_NO_USE = 2


class Servers:
    """The addresses of one cluster. Thread-safe.

    The active node is preferred, because reads at a standby lag behind what was just written. One address alone is
    taken as it is: what stands behind it, such as a load balancer, does the choosing.

    Args:
        pool: Shared with the requests themselves.
        addresses: At least one, in the order to try them.
        monotonic: Seconds that never go back.
    """

    def __init__(
        self, pool: urllib3.PoolManager, addresses: Sequence[str], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._pool, self._addresses, self._monotonic = pool, tuple(addresses), monotonic
        self._first = 0
        self._look_at = float("-inf")
        self._looking = threading.Lock()

    def in_order(self) -> tuple[str, ...]:
        """All of them, the one to ask now first; the next is for when no connection could be made."""
        if len(self._addresses) > 1 and self._monotonic() >= self._look_at:
            self._look()
        return self._from(self._first)

    def doubt(self) -> None:
        """A request got no answer, or one that a node in order does not give: look before the next one."""
        self._look_at = float("-inf")

    def first_is_active(self) -> bool:
        """Whether the one that is asked now says that it is the active node."""
        return self._rank(self.in_order()[0]) == 0

    def _from(self, first: int) -> tuple[str, ...]:
        return self._addresses[first:] + self._addresses[:first]

    def _look(self) -> None:
        if not self._looking.acquire(blocking=False):
            return  # somebody does; meanwhile what was known is as good as any
        try:
            self._look_at = self._monotonic() + LOOK_SECONDS
            best = _OF_NO_USE
            for address in self._from(self._first):
                rank = self._rank(address)
                if rank < best:
                    best, self._first = rank, self._addresses.index(address)
                if best == 0:
                    return
            self._look_at = self._monotonic() + _NO_NODE_SECONDS
        finally:
            self._looking.release()

    def _rank(self, address: str) -> int:
        try:
            answer = self._pool.request("GET", f"{address.rstrip('/')}/v1/sys/health", timeout=_TIMEOUT, redirect=False)
        except urllib3.exceptions.HTTPError:
            return _OF_NO_USE
        is_vaults = "standby" in (json_object(answer.data) or {})  # not a page of what stands in front of it
        return _RANKS.get(answer.status, _OF_NO_USE) if is_vaults else _OF_NO_USE
