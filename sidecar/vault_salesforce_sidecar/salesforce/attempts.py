"""May a connection's own user log in by password? Counted in KV, for all sidecars and across restarts.

Salesforce's own count of failures does not fall with time, so neither does this one: only a login that succeeds clears
it, or somebody who says that the credential is right now.
"""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import structlog

from vault_salesforce_sidecar.records import attempts
from vault_salesforce_sidecar.records.attempts import Attempts
from vault_salesforce_sidecar.store import Conflict, Kv, KvUnavailable, Store, Stored

log = structlog.get_logger(__name__)

# Of the failures that lock a user, three at the strictest, one is left to others; the user's limit is told to nobody.
MOST_CHARGES = 2
_WRITES = 16  # of those who charge at the same moment


class NoAttempts(Exception):  # noqa: N818 - an outcome
    """No login is left: one more failure might lock the user."""


class KeptAttempts:
    """The counts of all connections' own users; thread-safe.

    Args:
        kv: The engine's own mount.
    """

    def __init__(self, kv: Kv) -> None:
        self._store = Store(kv, "attempts", dump=attempts.dump, load=attempts.load, max_versions=1)

    def charge(self, username: str) -> Attempts:
        """Count a login before it is sent; the count with it.

        Raises: NoAttempts: it must not be sent; KvUnavailable: it could not be counted, and must not be sent either.
        """

        def charged(known: Attempts) -> Attempts:
            if known.charges >= MOST_CHARGES:
                raise NoAttempts
            return replace(known, charges=known.charges + 1)

        return self._edit(username, charged)

    def succeeded(self, username: str) -> None:
        """The org counts from zero, and so do we."""
        self._afterwards(username, lambda known: replace(known, charges=0))

    def take_back(self, username: str) -> None:
        """The org did not count that login."""
        self._afterwards(username, lambda known: replace(known, charges=max(0, known.charges - 1)))

    def failed(self, username: str) -> None:
        """The org may have counted that login; its charge stays, also where another one's success cleared it."""
        self._afterwards(username, lambda known: replace(known, charges=max(1, known.charges)))

    def forgive(self, username: str) -> None:
        """Somebody says that the credential is right now: all sidecars may try it. Raises: KvUnavailable."""
        if self._known(username) is not None:
            self._edit(username, lambda known: Attempts(forgiven=known.forgiven + 1))

    def forgiven(self, username: str) -> int | None:
        """How often that was said; None where Vault does not tell."""
        try:
            known = self._known(username)
        except KvUnavailable:
            return None
        return known.record.forgiven if known else 0

    def _afterwards(self, username: str, change: Callable[[Attempts], Attempts]) -> None:
        try:
            self._edit(username, change)
        except KvUnavailable as exc:  # what is counted too much costs somebody a look, and no lockout
            log.warning("a login of a connection's user stays counted", username=username, reason=exc.sentence)

    def _edit(self, username: str, change: Callable[[Attempts], Attempts]) -> Attempts:
        for _ in range(_WRITES):
            found = self._known(username)
            known = found.record if found else Attempts()
            wanted = change(known)
            if wanted == known:
                return known
            try:
                return self._store.put(_key(username), wanted, found.version if found else None).record
            except Conflict:
                continue
        raise KvUnavailable(f"too many sidecars count the logins of {username!r} at once")

    def _known(self, username: str) -> Stored[Attempts] | None:
        try:
            return self._store.get(_key(username))
        except ValueError as exc:
            raise KvUnavailable(
                f"the count of logins of {username!r} cannot be read: {exc}",
                "run the release that wrote it, or a later one",
            ) from exc


def _key(username: str) -> str:
    return quote(username.lower(), safe="")
