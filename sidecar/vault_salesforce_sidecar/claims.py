"""Who owns a name or a Salesforce account: one owner each, decided by check-and-set, for all sidecars alike."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import quote

from vault_plugin_sdk.framework.fields import TEXT, TIME, field, from_stored, to_stored
from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_sidecar.clock import Clock
from vault_salesforce_sidecar.store import Conflict, Kv, Store

# The owner of a younger claim may be on its way: it is stored only after its login was proven.
FRESH = timedelta(minutes=2)

CONNECTION_NAME, ROLE_NAME, ACCOUNT = "connection-names", "role-names", "accounts"


@dataclass(frozen=True)
class Claim:
    """A claim."""

    owner: str = field(TEXT, "Path of the record that owns it, such as `static-roles/crm`.")
    since: datetime = field(TIME, "When it was claimed.")


class Claims:
    """Claims on what may be had once; letters' case makes no difference.

    Args:
        kv: The engine's own mount.
        holds: Called with (owner, kind, what): whether the owner is there and has it; else the claim lapses.
    """

    def __init__(self, kv: Kv, clock: Clock, holds: Callable[[str, str, str], bool]) -> None:
        self._clock, self._holds = clock, holds
        self._stores = {
            kind: Store[Claim](
                kv, f"claims/{kind}", dump=to_stored, load=lambda data: from_stored(Claim, data), max_versions=1
            )
            for kind in (CONNECTION_NAME, ROLE_NAME, ACCOUNT)
        }

    def take(self, kind: str, what: str, owner: str) -> None:
        """Claim `what` for `owner`; it may own it already.

        Raises: CallerError: 409, naming the owner. Conflict: two at the same moment. KvUnavailable.
        """
        store, key = self._stores[kind], _key(what)
        known = store.get(key)
        if known is not None and known.record.owner == owner:
            return
        if known is not None and (self._is_fresh(known.record) or self._holds(known.record.owner, kind, what)):
            raise CallerError(
                f"{what} is already taken, by {known.record.owner}", status=HTTPStatus.CONFLICT, code="taken"
            )
        store.put(key, Claim(owner, self._clock.now()), known.version if known else None)

    def release(self, kind: str, what: str, owner: str) -> None:
        """Give `what` up, if `owner` has it."""
        store, key = self._stores[kind], _key(what)
        known = store.get(key)
        if known is not None and known.record.owner == owner:
            try:
                store.delete(key, known.version)
            except Conflict:  # somebody else has it now
                return

    def _is_fresh(self, claim: Claim) -> bool:
        return self._clock.now() - claim.since < FRESH


def _key(what: str) -> str:
    return quote(what.lower(), safe="")
