"""What the mount lacks, as its answers tell it part by part, and what to hand over next. PURE, but for its memory."""

import zlib
from collections.abc import Collection, Mapping
from itertools import islice

from vault_salesforce_contract.registration import PARTS, Held, digests, in_parts, part_of


class Comparison:
    """What KV holds against what the mount holds.

    KV is the truth and the mount's copy may lag, never lead: so what is lacking is what it holds at a lower version, or
    not at all. A part may also differ because another sidecar knows more; then nothing of it is lacking.

    Args:
        instance: Name of this sidecar: several of them begin with different parts, and meet.
    """

    def __init__(self, instance: str) -> None:
        first = zlib.crc32(instance.encode()) % PARTS
        self._order = (*range(first, PARTS), *range(first))
        self._ours = in_parts({})
        self._differing: frozenset[int] | None = None
        self._lacking: dict[int, frozenset[str]] = {}  # of the parts that were compared and differ
        self.ahead: dict[str, Held] = {}  # what the mount, by its last answer, holds at a higher version than KV
        self._sent: dict[int, set[str]] = {}  # of these, since the mount last told what it holds

    def begin(self, held: Mapping[str, Held]) -> tuple[str, ...]:
        """What KV holds now; its digests, for the heartbeat."""
        self._ours = in_parts(held)
        return digests(self._ours)

    def take(self, differing: Collection[int] | None, told: Mapping[int, Mapping[str, Held]]) -> None:
        """The answer to that heartbeat: see `RegistrationAnswer`."""
        self._differing = None if differing is None else frozenset(differing)
        self._lacking = {part: roles for part, roles in self._lacking.items() if part in (self._differing or ())}
        self.ahead = {}
        for part, theirs in told.items():
            ours_here = self._ours[part]
            self.ahead |= {
                role: held
                for role, held in theirs.items()
                if role in ours_here and held.version > ours_here[role].version
            }
            lacking = (role for role, ours in self._ours[part].items() if _lacks(theirs.get(role), ours))
            self._lacking[part] = frozenset(lacking)
        self._sent = {part: sent for part, sent in self._sent.items() if part in self._lacking and part not in told}

    def forget(self) -> None:
        """Another process answers now: what the one before told holds no longer."""
        self._differing = None
        self._lacking = {}
        self._sent = {}

    @property
    def lacking(self) -> int | None:
        """How many copies the mount lacks; None while not every part that differs was compared."""
        return None if self._differing is None or self.unfinished else sum(map(len, self._lacking.values()))

    @property
    def unfinished(self) -> bool:
        """Whether there are parts that differ and of which the mount has not told what it holds."""
        return bool((self._differing or frozenset()) - self._lacking.keys())

    def next(self, most: int) -> list[str]:
        """The roles to hand over now, at most so many."""
        waiting = (
            role
            for part in self._order
            for role in sorted(self._lacking.get(part, frozenset()) - self._sent.get(part, set()))
        )
        return list(islice(waiting, most))

    def handed_over(self, roles: Collection[str]) -> None:
        """These were sent, which does not say that they were taken: that is for the next answers to tell."""
        for role in roles:
            self._sent.setdefault(part_of(role), set()).add(role)


def _lacks(theirs: Held | None, ours: Held) -> bool:
    return theirs is None or (theirs != ours and theirs.version <= ours.version)
