"""The promises, held against what was seen of one role after a round. PURE."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

LOST, LOCKOUT, UNPROVEN, OTHER = "lost", "lockout", "unproven", "other"

MOST_LOGINS: Final = 3
_SECRETS_OF_READERS: Final = ("username", "password", "security_token", "version", "last_vault_rotation")
_SAYS_SO: Final = ("drifted", "held", "stuck", "awaiting", "parked", "unpublished", "due")


@dataclass(frozen=True)
class Seen:
    """What was seen of one role once everything rests; passwords are compared, and appear in no text.

    Attributes:
        state, next_step: Of its status.
        live_password, live_token: What of KV's current version is the org's.
        kept_live: A password of the journal entry is the org's.
        unproven: KV versions, new in this round, that never logged in.
        before, after: What the org counted for the user.
        copies: Calls of `login` and `change` that the network doubled.
        goes: How often somebody began or began anew: rotations, mailed tokens, and steps that an operator took.
        accidents: How much happened to it, and to everything.
        acknowledged: Rotation ids that answers told.
        done: KV versions that answers promised.
        history: Rotation ids that the history tells.
        kv, served: What KV holds and what the plugin serves.
        refused: Statuses and codes of a `rotate` that was answered with 5xx or 429 in our own words, where nothing
            else asked for a rotation.
        human: Somebody changed the password in Salesforce.
        restored: Vault went back to a time before this round's rotations.
    """

    state: str
    next_step: str
    live_password: bool
    live_token: bool
    kept_live: bool
    unproven: Sequence[int]
    before: Mapping[str, int]
    after: Mapping[str, int]
    copies: int
    goes: int
    accidents: int
    acknowledged: Sequence[str]
    done: Sequence[int]
    history: Sequence[str]
    kv: Mapping[str, Any] = field(repr=False)
    served: Mapping[str, Any] = field(repr=False)
    refused: Sequence[str]
    human: bool
    restored: bool

    @property
    def live(self) -> bool:
        """KV's current version is what the org wants."""
        return self.live_password and self.live_token


@dataclass(frozen=True)
class Broken:
    """A promise that was not kept."""

    kind: str
    expected: str
    seen: str


def broken(seen: Seen) -> list[Broken]:
    """Every promise that was not kept."""
    return [found for check in _CHECKS if (found := check(seen))]


def _lost(seen: Seen) -> Broken | None:
    if seen.live or (seen.kept_live and seen.state in _SAYS_SO and seen.next_step):
        return None
    if seen.human and (seen.state == "ok" or seen.next_step):
        return None  # nobody may have seen it yet: the next rotation must, which is asked for then
    if seen.restored and seen.state in ("drifted", "held", "stuck") and seen.next_step:
        return None
    told = (
        f"in KV: password {seen.live_password}, token {seen.live_token}; in the journal: {seen.kept_live}; "
        f"state {seen.state}, next step {seen.next_step!r}"
    )
    return Broken(LOST, "the live password in KV, or in an entry whose status says what to do next", told)


def _lockout(seen: Seen) -> Broken | None:
    ours = _more(seen, "lockouts") - _more(seen, "stale_lockouts")
    return Broken(LOCKOUT, "no lockout by us", f"{ours}") if ours else None


def _unproven(seen: Seen) -> Broken | None:
    if not seen.unproven:
        return None
    return Broken(UNPROVEN, "only credentials that once logged in", f"versions {list(seen.unproven)} never did")


def _logins(seen: Seen) -> Broken | None:
    # A login that succeeded, and whose answer was lost with the one who made it, is made again.
    most = MOST_LOGINS * seen.goes + max(0, seen.accidents - 1)
    ours = _more(seen, "logins") - seen.copies
    refused = _more(seen, "failed_logins")
    if refused > MOST_LOGINS:
        return Broken(OTHER, f"at most {MOST_LOGINS} refused logins", f"{refused}")
    return Broken(OTHER, f"at most {most} logins", f"{ours}") if ours > most else None


def _acknowledged(seen: Seen) -> Broken | None:
    missing = [one for one in seen.acknowledged if one not in seen.history and not seen.restored]
    return Broken(OTHER, "every acknowledged rotation in the history", f"{missing} not in it") if missing else None


def _done(seen: Seen) -> Broken | None:
    newest = int(seen.kv.get("version") or 0)
    late = [version for version in seen.done if version > newest and not seen.restored]
    return Broken(OTHER, f"versions {late}, which answers promised", f"KV is at {newest}") if late else None


def _copy(seen: Seen) -> Broken | None:
    other = [name for name in _SECRETS_OF_READERS if seen.kv.get(name) != seen.served.get(name)]
    if not other or (seen.restored and seen.state != "ok"):  # what was owed to the plugin may lead a KV that went back
        return None
    told = f"{', '.join(other)} differ: {seen.served.get('version')} is served, KV is at {seen.kv.get('version')}"
    return Broken(OTHER, "the plugin serves what KV holds", f"{told}, state {seen.state}")


def _refused(seen: Seen) -> Broken | None:
    changes = _more(seen, "password_changes")
    if seen.refused and changes and not seen.human:
        told = f"{', '.join(seen.refused)}, and {changes} changes"
        return Broken(OTHER, "nothing begun by a request that was answered with 5xx or 429", told)
    return None


def _more(seen: Seen, counter: str) -> int:
    return seen.after[counter] - seen.before[counter]


_CHECKS: Final = (_lost, _lockout, _unproven, _logins, _acknowledged, _done, _copy, _refused)
